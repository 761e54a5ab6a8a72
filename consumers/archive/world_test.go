package archive_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/ledger/ledgertest"
)

// world is what outlives every archiver: the ledger and the bucket.
type world struct {
	ledger announcer
	bucket bucket.Bucket
}

// announcer is a ledger whose events can be seen.
type announcer interface {
	ledger.Ledger
	ledgertest.Outbox
}

func newWorld() world { return world{ledgertest.NewMemory(), membucket.New()} }

// archiver makes an archiver in w, with small limits out of the way unless change sets them.
func (w world) archiver(t *testing.T, change func(*archive.Config)) *archive.Archiver {
	t.Helper()
	cfg := archive.Config{Ledger: w.ledger, Bucket: w.bucket, Owner: "test", Source: "/test"}
	if change != nil {
		change(&cfg)
	}
	a, err := archive.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// partitionOf returns partition n of a topic whose id comes from its name.
func partitionOf(topic string, n int32) events.TopicPartition {
	return events.TopicPartition{TopicID: uuid.NewSHA1(uuid.Nil, []byte(topic)), Topic: topic, Partition: n}
}

func ledgerPartition(tp events.TopicPartition) ledger.Partition {
	return ledger.Partition{TopicID: tp.TopicID, Topic: tp.Topic, Partition: tp.Partition}
}

// record is a CloudEvent of a type at an offset, appended at a time.
func record(offset int64, typ string, at time.Time, more ...string) events.Record {
	r := events.Record{Offset: offset, Key: []byte("k"), Value: fmt.Appendf(nil, `{"offset":%d}`, offset), AppendTime: at}
	for kv := range slices.Chunk(append([]string{
		"ce_specversion", "1.0", "ce_id", fmt.Sprintf("id-%d", offset), "ce_source", "/test", "ce_type", typ, "content-type", "application/json",
	}, more...), 2) {
		r.Headers = append(r.Headers, events.RecordHeader{Key: kv[0], Value: []byte(kv[1])})
	}
	return r
}

func records(typ string, at time.Time, offsets ...int64) []events.Record {
	var recs []events.Record
	for _, o := range offsets {
		recs = append(recs, record(o, typ, at))
	}
	return recs
}

// randomLog is n records with holes, of several types, over a bit more than two hours; some are no CloudEvents.
func randomLog(rng *rand.Rand, n int) (recs []events.Record, end int64) {
	at := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	offset := int64(0)
	for range n {
		at = at.Add(time.Duration(rng.Int64N(int64(4*time.Hour) / int64(n)))).Truncate(time.Millisecond)
		if rng.IntN(10) == 0 {
			offset += rng.Int64N(4) // control records, or compacted away
		}
		switch typ := rng.IntN(8); typ {
		case 0:
			recs = append(recs, events.Record{Offset: offset, Value: fmt.Appendf(nil, "plain %d", offset), AppendTime: at})
		case 1:
			recs = append(recs, events.Record{Offset: offset, AppendTime: at, Value: fmt.Appendf(nil,
				`{"specversion":"1.0","id":"s-%d","source":"/s","type":"structured","data":%d}`, offset, offset),
				Headers: []events.RecordHeader{{Key: "content-type", Value: []byte("application/cloudevents+json")}}})
		default:
			recs = append(recs, record(offset, fmt.Sprintf("type.%d", typ), at, "ce_time", at.Add(-time.Duration(rng.Int64N(int64(time.Hour)))).Format(time.RFC3339Nano)))
		}
		offset++
	}
	return recs, offset + rng.Int64N(3)
}

func same(a, b events.Record) bool {
	return a.Offset == b.Offset && a.AppendTime.Equal(b.AppendTime) && bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value) &&
		slices.EqualFunc(a.Headers, b.Headers, func(x, y events.RecordHeader) bool { return x.Key == y.Key && bytes.Equal(x.Value, y.Value) })
}

func object(t *testing.T, b bucket.Bucket, key string) []byte {
	t.Helper()
	r, _, err := b.Get(t.Context(), key, bucket.Range{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func (w world) flushes(t *testing.T, tp events.TopicPartition) []ledger.Flush {
	t.Helper()
	fs, err := w.ledger.Flushes(t.Context(), ledgerPartition(tp), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

func (w world) state(t *testing.T, tp events.TopicPartition) ledger.PartitionState {
	t.Helper()
	states, err := w.ledger.Partitions(t.Context(), tp.Topic)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states {
		if s.Partition == ledgerPartition(tp) {
			return s
		}
	}
	t.Fatalf("%s is not in the ledger", tp)
	return ledger.PartitionState{}
}

// rows reads every file of a partition's flushes, by offset. It fails on an offset that is there twice, on a row that is
// not in its file's range, type or hour, and on flushes that do not follow each other.
func (w world) rows(t *testing.T, tp events.TopicPartition) map[int64]segment.Row {
	t.Helper()
	rows, next := map[int64]segment.Row{}, int64(0)
	for _, f := range w.flushes(t, tp) {
		if f.Start != next {
			t.Errorf("%s: flush %d starts at %d, the one before ends at %d", tp, f.Seq, f.Start, next)
		}
		next = f.End
		for _, file := range f.Files {
			body := object(t, w.bucket, file.Key)
			for row, err := range segment.Read(bytes.NewReader(body), int64(len(body))) {
				if err != nil {
					t.Fatalf("%s: %v", file.Key, err)
				}
				o := row.Record.Offset
				if _, twice := rows[o]; twice {
					t.Errorf("%s: offset %d is archived twice, again in %s", tp, o, file.Key)
				}
				if o < file.Start || o >= file.End || o < f.Start || o >= f.End || row.Partition != tp.Partition {
					t.Errorf("%s: offset %d of partition %d in [%d, %d)", file.Key, o, row.Partition, file.Start, file.End)
				}
				if !row.Record.AppendTime.Truncate(time.Hour).Equal(file.Hour) || !typeFits(file.Type, row.CloudEvent.Type) {
					t.Errorf("%s: offset %d of type %q at %s", file.Key, o, row.CloudEvent.Type, row.Record.AppendTime)
				}
				rows[o] = row
			}
		}
	}
	return rows
}

func typeFits(file, event string) bool {
	return file == event || file == ledger.TypeMixed || file == ledger.TypeOther && event == ""
}

// check compares the archive of tp with its log, byte for byte. Not inside a bubble of synctest: the Parquet reader keeps
// decoders that must not meet in two bubbles.
func (w world) check(t *testing.T, tp events.TopicPartition, log []events.Record) {
	t.Helper()
	rows := w.rows(t, tp)
	for _, want := range log {
		row, ok := rows[want.Offset]
		switch {
		case !ok:
			t.Errorf("%s: offset %d is lost", tp, want.Offset)
		case !same(row.Record, want):
			t.Errorf("%s: archived %+v, want %+v", tp, row.Record, want)
		}
	}
	if len(rows) != len(log) {
		t.Errorf("%s: %d rows of %d records", tp, len(rows), len(log))
	}
}

// whole fails if Verify finds a fault.
func (w world) whole(t *testing.T) archive.Report {
	t.Helper()
	report, err := archive.Verify(t.Context(), w.ledger, w.bucket)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Faults) > 0 {
		t.Errorf("the archive is not whole:\n%s", strings.Join(report.Faults, "\n"))
	}
	return report
}

func assign(t *testing.T, a *archive.Archiver, tp events.TopicPartition) int64 {
	t.Helper()
	start, err := a.Assigned(t.Context(), tp)
	if err != nil {
		t.Fatal(err)
	}
	return start
}

// deliver hands over recs as the tap does: next is behind the last one, and the end is there too if caughtUp.
func deliver(t *testing.T, a *archive.Archiver, tp events.TopicPartition, recs ...events.Record) {
	t.Helper()
	next := recs[len(recs)-1].Offset + 1
	if err := a.Records(t.Context(), tp, recs, next, next); err != nil {
		t.Fatal(err)
	}
}

// tell says that tp is idle at next.
func tell(t *testing.T, a *archive.Archiver, tp events.TopicPartition, next int64) {
	t.Helper()
	if err := a.Records(t.Context(), tp, nil, next, next); err != nil {
		t.Fatal(err)
	}
}

// run starts a.Run and returns the function that stops it and waits.
func run(t *testing.T, a *archive.Archiver) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
}
