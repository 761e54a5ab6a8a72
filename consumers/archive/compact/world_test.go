package compact_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/consumers/archive/compact"
	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/ledger/ledgertest"
)

// world is what outlives every compactor.
type world struct {
	ledger  ledger.Ledger
	bucket  bucket.Bucket
	logs    map[events.TopicPartition][]events.Record
	columns func(topic string) segment.Columns // of files that are archived
}

func newWorld() *world {
	return &world{ledger: ledgertest.NewMemory(), bucket: membucket.New(), logs: map[events.TopicPartition][]events.Record{}}
}

// noReferences pins nothing.
type noReferences struct{}

func (noReferences) Referenced(context.Context, []string) (map[string]bool, error) { return nil, nil }

// compactor makes a compactor that keeps what it replaces.
func (w *world) compactor(t *testing.T, change func(*compact.Config)) *compact.Compactor {
	t.Helper()
	cfg := compact.Config{Ledger: w.ledger, Bucket: w.bucket, References: noReferences{}, Dir: t.TempDir(), Grace: time.Hour}
	if change != nil {
		change(&cfg)
	}
	return must(compact.New(cfg))(t)
}

func partitionOf(topic string, n int32) events.TopicPartition {
	return events.TopicPartition{TopicID: uuid.NewSHA1(uuid.Nil, []byte(topic)), Topic: topic, Partition: n}
}

// archive appends records to a partition and archives them in flushes of at most rows, with at most files types each. The
// partition counts as complete up to a moment ago.
func (w *world) archive(t *testing.T, tp events.TopicPartition, rows, files int, recs ...events.Record) {
	t.Helper()
	a := must(archive.New(archive.Config{
		Ledger: w.ledger, Bucket: w.bucket, Owner: "test", Source: "/test", MaxRows: rows, MaxFiles: files, Columns: w.columns,
	}))(t)
	next := must(a.Assigned(t.Context(), tp))(t)
	for some := range slices.Chunk(recs, max(1, rows)) {
		next = some[len(some)-1].Offset + 1
		check(t, a.Records(t.Context(), tp, some, next, next))
	}
	check(t, a.Records(t.Context(), tp, nil, next, next))
	a.Revoked(t.Context(), tp)
	w.logs[tp] = append(w.logs[tp], recs...)
}

// start is in an hour that every partition is archived beyond.
func start() time.Time { return time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC) }

func record(offset int64, at time.Time, headers ...string) events.Record {
	r := events.Record{Offset: offset, Key: []byte("k"), Value: fmt.Appendf(nil, `{"n":%d}`, offset), AppendTime: at}
	for kv := range slices.Chunk(headers, 2) {
		r.Headers = append(r.Headers, events.RecordHeader{Key: kv[0], Value: []byte(kv[1])})
	}
	return r
}

// event is a binary CloudEvent with data that its id determines.
func event(offset int64, at time.Time, id, typ string, more ...string) events.Record {
	r := record(offset, at, append([]string{
		"ce_specversion", "1.0", "ce_id", id, "ce_source", "/test", "ce_type", typ, "content-type", "application/json"}, more...)...)
	r.Value = fmt.Appendf(nil, `{"id":%q,"pad":%q}`, id, strings.Repeat(id, 10))
	return r
}

// randomLog is n records of a partition over some two hours: events of three types with few subjects, repeated ones, late ones,
// some of many types, some that are none. Ids are shared by all partitions.
func randomLog(rng *rand.Rand, n int) []events.Record {
	at, offset := start(), int64(0)
	var out []events.Record
	for range n {
		at = at.Add(time.Duration(rng.Int64N(int64(4*time.Hour) / int64(n)))).Truncate(time.Millisecond)
		offset += 1 + rng.Int64N(10)/9
		id := rng.IntN(n)
		typ := fmt.Sprintf("type.%d", id%3)
		more := []string{"ce_time", start().Add(time.Duration(id-50) * time.Minute / 4).Format(time.RFC3339Nano)}
		switch id % 5 { // what an event says follows from its id, but for what changes with each delivery
		case 0:
			more = append(more, "ce_subject", fmt.Sprint("s\x00"[:1+id%2], id%7))
		case 1:
			more = append(more, "ce_subject", fmt.Sprint(id%7), "ce_recordedtime", at.Add(-time.Duration(rng.IntN(600))*time.Second).Format(time.RFC3339Nano))
		case 2:
			more = []string{"ce_custom", fmt.Sprint(id), "traceparent", fmt.Sprint(offset)}
		case 3:
			more = append(more, "ce_recordedtime", start().Add(time.Duration(id)*time.Second).Format(time.RFC3339Nano), "foreign", "\xff")
		}
		switch rng.IntN(12) {
		case 0:
			out = append(out, record(offset, at, "k", "v", "k", ""))
		case 1:
			out = append(out, record(offset, at))
			out[len(out)-1].Value = nil
		case 2:
			e := event(offset, at, fmt.Sprint(id), typ, more...)
			e.Value = []byte(`"another story"`)
			out = append(out, e)
		case 3:
			out = append(out, event(offset, at, fmt.Sprint("m", id), fmt.Sprintf("rare.%d", id%40), more...))
		default:
			out = append(out, event(offset, at, fmt.Sprint(id), typ, more...))
		}
	}
	return out
}

func object(t *testing.T, b bucket.Bucket, key string) []byte {
	t.Helper()
	r, _, err := b.Get(t.Context(), key, bucket.Range{})
	check(t, err)
	defer r.Close()
	return must(io.ReadAll(r))(t)
}

// rows reads a file.
func (w *world) rows(t *testing.T, f ledger.LedgerFile) (out []segment.Row) {
	t.Helper()
	body := object(t, w.bucket, f.Key)
	for row, err := range segment.Read(bytes.NewReader(body), int64(len(body))) {
		check(t, err)
		out = append(out, row)
	}
	return out
}

func (w *world) live(t *testing.T) []ledger.LedgerFile {
	t.Helper()
	return must(w.ledger.Files(t.Context(), ledger.FileQuery{}))(t)
}

// groups returns what is live by folder, which is a topic, a type and an hour.
func (w *world) groups(t *testing.T) map[string][]ledger.LedgerFile {
	t.Helper()
	out := map[string][]ledger.LedgerFile{}
	for _, f := range w.live(t) {
		out[path.Dir(f.Key)] = append(out[path.Dir(f.Key)], f)
	}
	return out
}

// whole fails if a deep Verify finds a fault.
func (w *world) whole(t *testing.T) archive.Report {
	t.Helper()
	report := must(archive.Verifier{Ledger: w.ledger, Bucket: w.bucket, Deep: true}.Run(t.Context()))(t)
	if !report.Whole() {
		t.Errorf("the archive is not whole:\n%s", strings.Join(report.Faults, "\n"))
	}
	return report
}

func same(a, b events.Record) bool {
	return a.Offset == b.Offset && a.AppendTime.Equal(b.AppendTime) && sameBytes(a.Key, b.Key) && sameBytes(a.Value, b.Value) &&
		slices.EqualFunc(a.Headers, b.Headers, func(x, y events.RecordHeader) bool { return x.Key == y.Key && sameBytes(x.Value, y.Value) })
}

func sameBytes(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		check(t, err)
		return v
	}
}
