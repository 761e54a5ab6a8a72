package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
)

// logPartition is a partition of one life of a topic: who makes a topic again starts from offset 0.
type logPartition struct {
	topicID string // 32 hexadecimal digits
	topic   string
	number  int32
}

func (p logPartition) String() string {
	return fmt.Sprintf("%s.%s/%d", p.topic, p.topicID[:min(8, len(p.topicID))], p.number)
}

// row is what the checker keeps of a record.
type row struct {
	offset int64
	number int32             // of the partition
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
	topics  map[string]string // name: id of its present life
	deleted map[string]bool   // ids of lives that are over
	rows    map[logPartition][]row
	next    map[logPartition]int64
	ids     map[string]string // of CloudEvents: the topic's id
	sealed  map[string]int
	letters letters
	records int64
}

func newTail(broker string) (*tail, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ClientID("chaos-checker"), kgo.ConsumeRegex(),
		kgo.ConsumeTopics(events.ArchivedTopics), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.MetadataMinAge(250*time.Millisecond), kgo.MetadataMaxAge(2*time.Second))
	if err != nil {
		return nil, err
	}
	return &tail{client: cl, changed: make(chan struct{}), topics: map[string]string{}, deleted: map[string]bool{},
		rows: map[logPartition][]row{}, next: map[logPartition]int64{}, ids: map[string]string{}, sealed: map[string]int{}, letters: newLetters()}, nil
}

// run reads until ctx ends. Errors of fetches go away by themselves, or show as a log that stays behind.
func (t *tail) run(ctx context.Context) {
	defer t.client.Close()
	for ctx.Err() == nil {
		fetches := t.client.PollFetches(ctx)
		t.identify(ctx, fetches)
		t.mu.Lock()
		fetches.EachRecord(t.see)
		close(t.changed)
		t.changed = make(chan struct{})
		t.mu.Unlock()
	}
}

func (t *tail) see(r *kgo.Record) {
	p := logPartition{t.topics[r.Topic], r.Topic, r.Partition}
	if p.topicID == "" || r.Offset < t.next[p] {
		return // of a life that is over, and was read to its end
	}
	t.next[p] = r.Offset + 1
	if r.Attrs.IsControl() {
		return
	}
	t.records++
	out := row{offset: r.Offset, number: r.Partition}
	headers := make([]events.RecordHeader, 0, len(r.Headers))
	for _, h := range r.Headers {
		headers = append(headers, events.RecordHeader(h))
		if h.Key == "ce_id" {
			out.id = string(h.Value)
		}
	}
	out.sum = sumOf(r.Key, r.Value, headers, r.Timestamp)
	t.rows[p] = append(t.rows[p], out)
	t.letters.see(p, r.Offset, r.Key, r.Value, headers)
	switch {
	case r.Topic == events.TopicArchive:
		t.sealed[out.id]++
	case !strings.HasSuffix(r.Topic, ".dlq"): // a letter has the id of its original
		t.ids[out.id] = p.topicID
	}
}

// await waits until a partition is read up to end. Its error is errBehind.
func (t *tail) await(ctx context.Context, p logPartition, end int64) error {
	for {
		t.mu.Lock()
		next, changed := t.next[p], t.changed
		t.mu.Unlock()
		if next >= end {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%s: the log was read up to %d, the archive says that it goes to %d: %w", p, next, end, errBehind)
		}
	}
}

// take hands over the records of a partition before end.
func (t *tail) take(p logPartition, end int64) []row {
	t.mu.Lock()
	defer t.mu.Unlock()
	rows := t.rows[p]
	n := 0
	for n < len(rows) && rows[n].offset < end {
		n++
	}
	t.rows[p] = rows[n:]
	return rows[:n:n]
}

// left returns records that nobody took.
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
