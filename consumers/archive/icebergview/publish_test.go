package icebergview_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/archive/compact"
	"github.com/signalbox-ml/signalbox/consumers/archive/icebergview"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

const topic = "events.flights"

// compact merges what can be merged and purges what may be.
func (w *world) compact(t *testing.T, grace time.Duration) compact.Stats {
	t.Helper()
	c := must(compact.New(compact.Config{Ledger: w.ledger, Bucket: w.bucket, References: w.views, Dir: t.TempDir(), Grace: grace}))(t)
	check(t, c.Look(t.Context()))
	return c.Stats()
}

// TestPublish: the table shows what is live after each step, in a snapshot of its own, and nothing new makes none.
func TestPublish(t *testing.T) {
	t.Parallel()
	w, tp := inPostgres(t), partitionOf(topic, 0)
	w.archive(t, tp, 10, some(0, 30, start())...)
	p := w.publisher(t, nil)
	looks := func(snapshots, added, removed int64, operation table.Operation) *table.Table {
		t.Helper()
		check(t, p.Look(t.Context()))
		if s := p.Stats(); s != (icebergview.Stats{Snapshots: snapshots, Added: added, Removed: removed}) {
			t.Errorf("%+v, want %d, %d, %d", s, snapshots, added, removed)
		}
		tbl := w.shows(t, tp)
		if got := tbl.CurrentSnapshot().Summary.Operation; got != operation {
			t.Errorf("it was %s, want %s", got, operation)
		}
		return tbl
	}
	looks(1, 6, 0, table.OpAppend)
	looks(1, 6, 0, table.OpAppend)
	w.archive(t, tp, 10, some(30, 10, start())...)
	w.archive(t, partitionOf(topic, 1), 10, some(0, 10, start().Add(2*time.Hour))...)
	looks(2, 10, 0, table.OpAppend)
	if s := w.compact(t, time.Hour); s.Compactions == 0 {
		t.Fatalf("%+v: the test is void", s)
	}
	tbl := looks(3, 14, 10, table.OpOverwrite)
	if s := w.look(t); s != (icebergview.Stats{}) {
		t.Errorf("another publisher: %+v", s)
	}
	// What the ledger says of the step that a snapshot names is what the snapshot shows.
	for _, s := range tbl.Metadata().Snapshots() {
		seq := must(time.ParseDuration(s.Summary.Properties["signalbox.ledger-seq"] + "ns"))(t).Nanoseconds()
		files := must(w.ledger.Files(t.Context(), ledger.FileQuery{UpToSeq: seq}))(t)
		if got := planned(t, tbl, table.WithSnapshotID(s.SnapshotID)); len(got) != len(files) || seq == 0 {
			t.Errorf("step %d has %d files, its snapshot %d", seq, len(files), len(got))
		}
	}
}

// TestAgain: a topic that is made again has a table of its own, and the one before stays.
func TestAgain(t *testing.T) {
	t.Parallel()
	w, before := inPostgres(t), partitionOf(topic, 0)
	after := before
	after.TopicID = uuid.NewSHA1(uuid.Nil, []byte("again"))
	w.archive(t, before, 10, some(0, 30, start())...)
	w.archive(t, after, 10, some(0, 10, start())...)
	if s := w.look(t); s.Snapshots != 2 || s.Added != 8 {
		t.Errorf("%+v", s)
	}
	one, other := w.shows(t, before), w.shows(t, after)
	if one.Location() == other.Location() || one.Identifier()[1] == other.Identifier()[1] {
		t.Errorf("%s and %s", one.Location(), other.Location())
	}
	if p := other.Properties(); p["signalbox.topic"] != topic || p["signalbox.topic-id"] != uuid.UUID(after.TopicID).String() {
		t.Errorf("%v", p)
	}
}

// TestPurge: no file goes that a snapshot shows, whether its publisher works or stands still.
func TestPurge(t *testing.T) {
	t.Parallel()
	w, tp := inPostgres(t), partitionOf(topic, 0)
	w.archive(t, tp, 10, some(0, 30, start())...)
	w.look(t)
	if s := w.compact(t, time.Nanosecond); s.Compactions == 0 || s.Purged != 0 || s.Pinned != 6 {
		t.Errorf("%+v: the table still shows what was replaced", s)
	}
	w.there(t, w.table(t, tp))
	w.look(t)
	if s := w.compact(t, time.Nanosecond); s.Purged != 0 || s.Pinned != 6 {
		t.Errorf("%+v: the snapshot before still shows what was replaced", s)
	}
	w.shows(t, tp)
	w.archive(t, tp, 10, some(30, 10, start().Add(time.Hour))...)
	p := w.publisher(t, func(c *icebergview.Config) { c.Snapshots = 1 })
	check(t, p.Look(t.Context()))
	if n := len(w.shows(t, tp).Metadata().Snapshots()); n != 1 {
		t.Errorf("%d snapshots", n)
	}
	if s := w.compact(t, time.Nanosecond); s.Purged != 6 || s.Pinned != 2 {
		t.Errorf("%+v: nothing shows the files of the first snapshot any more", s)
	}
	w.there(t, w.table(t, tp))
}

// TestSnapshots: only so many stay, and their metadata; what older ones had goes once it is old enough.
func TestSnapshots(t *testing.T) {
	t.Parallel()
	w, tp := inMemory(), partitionOf(topic, 0)
	for i := range int64(30) {
		w.archive(t, tp, 10, some(10*i, 10, start())...)
		check(t, w.publisher(t, func(c *icebergview.Config) { c.Snapshots = 3 }).Look(t.Context()))
	}
	tbl := w.shows(t, tp)
	if n := len(tbl.Metadata().Snapshots()); n != 3 {
		t.Errorf("%d snapshots", n)
	}
	manifests := must(tbl.CurrentSnapshot().Manifests(reader{t, w.bucket}))(t)
	if len(manifests) > 20 {
		t.Errorf("%d manifests: they are not merged", len(manifests))
	}
	before := w.metadata(t)
	if before < 3*30 {
		t.Errorf("%d objects: young ones are gone", before)
	}
	w.bucket = aged{w.bucket}
	s := w.look(t)
	after := w.metadata(t)
	// Metadata now and 20 before, three lists of manifests, and those.
	if s.Swept != int64(before-after) || after < 21+3+len(manifests) || after > 21+3+len(manifests)+2 {
		t.Errorf("%d objects of %d are left, %d were swept", after, before, s.Swept)
	}
	w.there(t, tbl)
}

// TestStep: where a swap puts nothing in the place of the newest files, their table does not go back to an earlier step.
func TestStep(t *testing.T) {
	t.Parallel()
	w, tp := inPostgres(t), partitionOf(topic, 0)
	w.archive(t, tp, 10, some(0, 20, start())...)
	w.look(t)
	swap := ledger.Swap{TopicID: tp.TopicID, Topic: topic, N: 1, Kind: ledger.SwapCompact}
	for _, f := range must(w.ledger.Files(t.Context(), ledger.FileQuery{}))(t) {
		if f.Seq == 2 {
			swap.Remove = append(swap.Remove, ledger.FileRef{Key: f.Key, Digest: f.Digest, Rows: f.Rows})
			swap.Duplicates += f.Rows
		}
	}
	must(w.ledger.Swap(t.Context(), swap))(t)
	if s := w.look(t); s.Removed != 2 || s.Added != 0 {
		t.Errorf("%+v", s)
	}
	if seq := w.shows(t, tp).CurrentSnapshot().Summary.Properties["signalbox.ledger-seq"]; seq != "2" {
		t.Errorf("step %s", seq)
	}
	if s := w.look(t); s != (icebergview.Stats{}) {
		t.Errorf("%+v: nothing is new", s)
	}
}

// metadata counts the objects of all tables.
func (w *world) metadata(t *testing.T) (n int) {
	t.Helper()
	for _, err := range w.bucket.List(t.Context(), "iceberg/") {
		check(t, err)
		n++
	}
	return n
}

// TestEvolve: a table of an earlier version, which lacks columns, gets them; one of a later version keeps its own.
func TestEvolve(t *testing.T) {
	t.Parallel()
	w, tp := inMemory(), partitionOf(topic, 0)
	w.archive(t, tp, 10, some(0, 10, start())...)
	w.look(t)
	now := w.table(t, tp)
	names := func(tbl *table.Table) (out []string) {
		for _, f := range tbl.Schema().Fields() {
			out = append(out, f.Name)
		}
		return out
	}
	v := must(w.views.View(t.Context(), tp.TopicID))(t)
	key := strings.TrimPrefix(v.Location, "s3://"+bucketName+"/")
	rewrite := func(name, before, after string) {
		t.Helper()
		old := string(object(t, w.bucket, key))
		body := strings.Replace(old, before, after, 1)
		if body == old {
			t.Fatalf("%s: the test is void", old)
		}
		next, from := v, must(w.views.View(t.Context(), tp.TopicID))(t).Location
		next.Location = strings.Replace(v.Location, "/metadata/", "/metadata/"+name, 1)
		must(w.bucket.Put(t.Context(), strings.Replace(key, "/metadata/", "/metadata/"+name, 1), strings.NewReader(body), int64(len(body)), bucket.PutOptions{}))(t)
		check(t, w.views.MoveView(t.Context(), next, from))
	}
	field := regexp.MustCompile(`,\{[^{}]*"name":"value"[^{}]*"the whole value[^{}]*\}`).FindString(string(object(t, w.bucket, key)))
	rewrite("1", field, "")
	if got := names(w.table(t, tp)); len(got) != len(names(now))-1 {
		t.Fatalf("%q: the test is void", got)
	}
	w.archive(t, tp, 10, some(10, 10, start())...)
	w.look(t)
	if got := w.shows(t, tp); !got.Schema().Equals(now.Schema()) || got.Schema().Fields()[18].ID != 19 {
		t.Errorf("%s", got.Schema())
	}
	rewrite("2", field, field+strings.NewReplacer(`"value"`, `"later"`, "19", "30").Replace(field))
	w.look(t)
	if got := names(w.shows(t, tp)); !slices.Contains(got, "later") {
		t.Errorf("%q", got)
	}
}

func TestConfig(t *testing.T) {
	_, err := icebergview.New(icebergview.Config{Interval: time.Second, Snapshots: -1, Retain: -1, Namespace: "a.b"})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"Ledger", "Views", "Bucket", "BucketName", "Interval", "Snapshots", "Retain", `"a.b"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v: no word of %s", err, want)
		}
	}
}

// TestHours: a file that is in no partition is refused, and keeps no other table waiting.
func TestHours(t *testing.T) {
	t.Parallel()
	w, bad, good := inMemory(), partitionOf("events.bad", 0), partitionOf(topic, 0)
	w.archive(t, good, 10, some(0, 10, start())...)
	w.archive(t, bad, 10, some(0, 10, start())...)
	w.ledger = smeared{w.ledger}
	p := w.publisher(t, nil)
	if err := p.Look(t.Context()); err == nil || !strings.Contains(err.Error(), "several hours") {
		t.Errorf("%v", err)
	}
	if s := p.Stats(); s.Failures != 1 || s.Snapshots != 1 {
		t.Errorf("%+v", s)
	}
	w.shows(t, good)
}
