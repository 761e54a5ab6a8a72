package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
)

// logPartition is a partition by its name.
type logPartition struct {
	topic  string
	number int32
}

func (p logPartition) String() string { return fmt.Sprintf("%s/%d", p.topic, p.number) }

// row is what the checker keeps of a record.
type row struct {
	offset int64
	sum    [sha256.Size]byte // of everything that the archive promises to keep
	id     string
}

// sumOf hashes key, value, headers in their order, and append time. Nil and empty differ.
func sumOf(key, value []byte, headers []events.RecordHeader, at time.Time) [sha256.Size]byte {
	h := sha256.New()
	put := func(b []byte) {
		n := int64(len(b))
		if b == nil {
			n = -1
		}
		_ = binary.Write(h, binary.BigEndian, n) // a hash takes everything
		h.Write(b)
	}
	put(key)
	put(value)
	for _, x := range headers {
		put([]byte(x.Key))
		put(x.Value)
	}
	_ = binary.Write(h, binary.BigEndian, at.UnixMicro())
	return [sha256.Size]byte(h.Sum(nil))
}

// tail reads the log as every consumer may: committed records of every topic that is archived, from the beginning.
type tail struct {
	client *kgo.Client

	mu      sync.Mutex
	changed chan struct{}
	rows    map[logPartition][]row
	next    map[logPartition]int64
	ids     map[string]int // of CloudEvents, how often
	sealed  map[string]int
	records int64
}

func newTail(broker string) (*tail, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ClientID("chaos-checker"), kgo.ConsumeRegex(),
		kgo.ConsumeTopics(events.ArchivedTopics), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.MetadataMinAge(250*time.Millisecond), kgo.MetadataMaxAge(2*time.Second))
	if err != nil {
		return nil, err
	}
	return &tail{client: cl, changed: make(chan struct{}), rows: map[logPartition][]row{}, next: map[logPartition]int64{},
		ids: map[string]int{}, sealed: map[string]int{}}, nil
}

// run reads until ctx ends. Errors of fetches go away by themselves, or show as a log that stays behind.
func (t *tail) run(ctx context.Context) {
	defer t.client.Close()
	for ctx.Err() == nil {
		fetches := t.client.PollFetches(ctx)
		t.mu.Lock()
		fetches.EachRecord(t.see)
		close(t.changed)
		t.changed = make(chan struct{})
		t.mu.Unlock()
	}
}

func (t *tail) see(r *kgo.Record) {
	p := logPartition{r.Topic, r.Partition}
	t.next[p] = r.Offset + 1
	if r.Attrs.IsControl() {
		return
	}
	t.records++
	out := row{offset: r.Offset}
	headers := make([]events.RecordHeader, 0, len(r.Headers))
	for _, h := range r.Headers {
		headers = append(headers, events.RecordHeader(h))
		if h.Key == "ce_id" {
			out.id = string(h.Value)
		}
	}
	out.sum = sumOf(r.Key, r.Value, headers, r.Timestamp)
	t.rows[p] = append(t.rows[p], out)
	if r.Topic == events.TopicArchive {
		t.sealed[out.id]++
	} else {
		t.ids[out.id]++
	}
}

// take waits for all records of a partition before end, and hands them over.
func (t *tail) take(ctx context.Context, p logPartition, end int64) ([]row, error) {
	for {
		t.mu.Lock()
		next, changed := t.next[p], t.changed
		if next >= end {
			rows := t.rows[p]
			n := 0
			for n < len(rows) && rows[n].offset < end {
				n++
			}
			t.rows[p] = rows[n:]
			t.mu.Unlock()
			return rows[:n:n], nil
		}
		t.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("%s: the log was read up to %d, the archive says that it goes to %d", p, next, end)
		}
	}
}

// left counts records that nobody took.
func (t *tail) left() map[logPartition][]row {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := map[logPartition][]row{}
	for p, rows := range t.rows {
		if len(rows) > 0 {
			out[p] = rows
		}
	}
	return out
}
