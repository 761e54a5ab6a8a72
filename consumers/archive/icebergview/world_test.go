package icebergview_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/iceberg-go"
	icebergio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/consumers/archive/icebergview"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/gateway/gatewaytest"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/ledger/ledgertest"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgtest"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && !strings.HasPrefix(os.Args[1], "-") { // the S3 gateway of a test
		gatewaytest.Main(m)
	}
	os.Exit(pgtest.Run(m))
}

const bucketName = "test"

// views are what Views and purges need.
type views interface {
	icebergview.Views
	Referenced(ctx context.Context, keys []string) (map[string]bool, error)
}

// world is what outlives every publisher.
type world struct {
	ledger ledger.Ledger
	views  views
	bucket bucket.Bucket
	logs   map[events.TopicPartition][]events.Record
}

// inMemory is a world of which nothing is real but the files.
func inMemory() *world {
	l := ledgertest.NewMemory()
	return &world{l, &memory{ledger: l, at: map[uuid.UUID]ledger.View{}}, membucket.New(), map[events.TopicPartition][]events.Record{}}
}

// inPostgres is a world with a real database.
func inPostgres(t *testing.T) *world {
	t.Helper()
	w := inMemory()
	c := pgtest.New(t).Catalog
	w.ledger, w.views = c.Ledger(), c.Views()
	return w
}

// memory keeps views as a database does.
type memory struct {
	ledger ledger.Ledger
	mu     sync.Mutex
	at     map[uuid.UUID]ledger.View
}

func (m *memory) View(_ context.Context, id uuid.UUID) (ledger.View, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.at[id]
	v.TopicID = id
	return v, nil
}

func (m *memory) MoveView(_ context.Context, next ledger.View, from string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.at[next.TopicID]
	if now.Location != from {
		return ledger.ErrViewMoved
	}
	next.Since = max(now.Since, next.Since)
	m.at[next.TopicID] = next
	return nil
}

func (m *memory) Referenced(context.Context, []string) (map[string]bool, error) { return nil, nil }

func (w *world) publisher(t *testing.T, change func(*icebergview.Config)) *icebergview.Publisher {
	t.Helper()
	cfg := icebergview.Config{Ledger: w.ledger, Views: w.views, Bucket: w.bucket, BucketName: bucketName}
	if change != nil {
		change(&cfg)
	}
	return must(icebergview.New(cfg))(t)
}

// look publishes with a publisher that knows nothing yet.
func (w *world) look(t *testing.T) icebergview.Stats {
	t.Helper()
	p := w.publisher(t, nil)
	check(t, p.Look(t.Context()))
	return p.Stats()
}

func partitionOf(topic string, n int32) events.TopicPartition {
	return events.TopicPartition{TopicID: uuid.NewSHA1(uuid.Nil, []byte(topic)), Topic: topic, Partition: n}
}

// archive appends records to a partition and archives them in flushes of at most rows.
func (w *world) archive(t *testing.T, tp events.TopicPartition, rows int, recs ...events.Record) {
	t.Helper()
	a := must(archive.New(archive.Config{Ledger: w.ledger, Bucket: w.bucket, Owner: "test", Source: "/test", MaxRows: rows, MaxFiles: 2}))(t)
	next := must(a.Assigned(t.Context(), tp))(t)
	for some := range slices.Chunk(recs, rows) {
		next = some[len(some)-1].Offset + 1
		check(t, a.Records(t.Context(), tp, some, next, next))
	}
	check(t, a.Records(t.Context(), tp, nil, next, next))
	a.Revoked(t.Context(), tp)
	w.logs[tp] = append(w.logs[tp], recs...)
}

// start is in an hour that every partition is archived beyond.
func start() time.Time { return time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC) }

func event(offset int64, at time.Time, typ string, headers ...string) events.Record {
	r := events.Record{Offset: offset, Key: []byte("k"), AppendTime: at, Value: fmt.Appendf(nil, `{"n":%d}`, offset)}
	headers = append([]string{"ce_specversion", "1.0", "ce_id", fmt.Sprint("e", offset), "ce_source", "/test", "ce_type", typ,
		"content-type", "application/json"}, headers...)
	for kv := range slices.Chunk(headers, 2) {
		r.Headers = append(r.Headers, events.RecordHeader{Key: kv[0], Value: []byte(kv[1])})
	}
	return r
}

// some returns n events of an hour and of two types that begin at an offset.
func some(from int64, n int, at time.Time) (out []events.Record) {
	for i := range int64(n) {
		out = append(out, event(from+i, at.Add(time.Duration(i)*time.Second), fmt.Sprint("type.", i%2)))
	}
	return out
}

// shows fails unless a topic's table shows exactly the files that are live, all of which are there.
func (w *world) shows(t *testing.T, tp events.TopicPartition) *table.Table {
	t.Helper()
	tbl := w.table(t, tp)
	if got, want := planned(t, tbl), w.live(t, tp); !maps.Equal(got, want) {
		t.Errorf("the table shows %d files, %v;\n%d are live, %v", len(got), got, len(want), want)
	}
	w.there(t, tbl)
	return tbl
}

// there fails if a snapshot of the table shows a file that is not there.
func (w *world) there(t *testing.T, tbl *table.Table) {
	t.Helper()
	for _, s := range tbl.Metadata().Snapshots() {
		for url := range planned(t, tbl, table.WithSnapshotID(s.SnapshotID)) {
			_, err := w.bucket.Stat(t.Context(), strings.TrimPrefix(url, "s3://"+bucketName+"/"))
			check(t, err)
		}
	}
}

// live returns the rows of the files of a topic's incarnation by URL.
func (w *world) live(t *testing.T, tp events.TopicPartition) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	for _, f := range must(w.ledger.Files(t.Context(), ledger.FileQuery{Topic: tp.Topic}))(t) {
		if f.TopicID == tp.TopicID {
			out["s3://"+bucketName+"/"+f.Key] = f.Rows
		}
	}
	return out
}

// table loads the table as a reader does.
func (w *world) table(t *testing.T, tp events.TopicPartition) *table.Table {
	t.Helper()
	v := must(w.views.View(t.Context(), tp.TopicID))(t)
	files := func(context.Context) (icebergio.IO, error) { return reader{t, w.bucket}, nil }
	return must(table.NewFromLocation(t.Context(), table.Identifier{v.Namespace, v.Name}, v.Location, files, nil))(t)
}

// planned returns the rows of the files that a reader would read, by URL; twice the same file fails.
func planned(t *testing.T, tbl *table.Table, o ...table.ScanOption) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	for _, task := range must(tbl.Scan(o...).PlanFiles(t.Context()))(t) {
		if _, twice := out[task.File.FilePath()]; twice {
			t.Errorf("%s is there twice", task.File.FilePath())
		}
		out[task.File.FilePath()] = task.File.Count()
		if c := task.File.ContentType(); c != iceberg.EntryContentData {
			t.Errorf("%s is %s", task.File.FilePath(), c)
		}
	}
	return out
}

// reader is the bucket as a reader has it, who changes nothing.
type reader struct {
	t      *testing.T
	bucket bucket.Bucket
}

func (r reader) Open(name string) (icebergio.File, error) {
	body := object(r.t, r.bucket, strings.TrimPrefix(name, "s3://"+bucketName+"/"))
	return file{bytes.NewReader(body)}, nil
}

func (r reader) Remove(name string) error { return fmt.Errorf("a reader removes %s", name) }

type file struct{ *bytes.Reader }

func (file) Close() error               { return nil }
func (file) Stat() (fs.FileInfo, error) { return nil, fs.ErrInvalid }

func object(t *testing.T, b bucket.Bucket, key string) []byte {
	t.Helper()
	r, _, err := b.Get(t.Context(), key, bucket.Range{})
	check(t, err)
	defer r.Close()
	return must(io.ReadAll(r))(t)
}

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
