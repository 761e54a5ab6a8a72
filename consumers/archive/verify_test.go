package archive_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/buckettest"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// rewritten is a ledger whose flushes were tampered with.
type rewritten struct {
	announcer
	change func([]ledger.Flush) []ledger.Flush
}

func (r rewritten) Flushes(ctx context.Context, p ledger.Partition, from int64, limit int) ([]ledger.Flush, error) {
	fs, err := r.announcer.Flushes(ctx, p, 0, 1<<20)
	for fs = r.change(fs); len(fs) > 0 && fs[0].End <= from; fs = fs[1:] {
	}
	return fs[:min(len(fs), limit)], err
}

func TestVerifyFindsEveryFault(t *testing.T) {
	tp := partitionOf("events.flights", 0)
	archived := func(t *testing.T) world {
		w := newWorld()
		a := w.archiver(t, func(c *archive.Config) { c.MaxRows = 2 })
		assign(t, a, tp)
		deliver(t, a, tp, records("t", start(), 0, 1, 2, 3, 4, 5)...)
		a.Revoked(t.Context(), tp)
		return w
	}
	same := func(fs []ledger.Flush) []ledger.Flush { return fs }
	tests := []struct {
		name   string
		bucket func(t *testing.T, w world, fs []ledger.Flush)
		ledger func([]ledger.Flush) []ledger.Flush
		want   string
	}{
		{"nothing", nil, same, ""},
		{"file gone", func(t *testing.T, w world, fs []ledger.Flush) { remove(t, w, fs[1].Files[0].Key) }, same, "p0-2-4-1.parquet is missing"},
		{"file changed", func(t *testing.T, w world, fs []ledger.Flush) { replace(t, w, fs[1].Files[0].Key) }, same, "p0-2-4-1.parquet has 7 bytes"},
		{"manifest gone", func(t *testing.T, w world, fs []ledger.Flush) { remove(t, w, fs[2].Manifest) }, same, "/00000000000000000004.json is missing"},
		{"manifest changed", func(t *testing.T, w world, fs []ledger.Flush) { replace(t, w, fs[0].Manifest) }, same, "does not say what the ledger says"},
		{"hole", nil, func(fs []ledger.Flush) []ledger.Flush { return append(fs[:1:1], fs[2:]...) }, "offsets from 2 to 4"},
		{"overlap", nil, func(fs []ledger.Flush) []ledger.Flush { fs[1].Start--; return fs }, "offsets from 2 to 1"},
		{"rows", nil, func(fs []ledger.Flush) []ledger.Flush { fs[1].Records--; return fs }, "has 1 records, its files 2 rows"},
		{"chain", nil, func(fs []ledger.Flush) []ledger.Flush { fs[1].Previous = cas.Sum(nil); return fs }, "the one before has"},
		{"chain of a rewritten history", nil, func(fs []ledger.Flush) []ledger.Flush { fs[0].Reason = "size "; return fs }, "flush 2 continues manifest"},
		{"tail", nil, func(fs []ledger.Flush) []ledger.Flush { return fs[:2] }, "flushes end at 4, the partition at 6"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			w := archived(t)
			if tc.bucket != nil {
				tc.bucket(t, w, w.flushes(t, tp))
			}
			report, err := archive.Verify(t.Context(), rewritten{w.ledger, tc.ledger}, w.bucket)
			if err != nil {
				t.Fatal(err)
			}
			all := strings.Join(report.Faults, "\n")
			if (tc.want == "") != (all == "") || !strings.Contains(all, tc.want) {
				t.Errorf("found %q, want %q", all, tc.want)
			}
			if tc.name == "nothing" && (report.Partitions != 1 || report.Flushes != 3 || report.Files != 3 || report.Rows != 6 || report.Bytes == 0) {
				t.Errorf("%+v", report)
			}
		})
	}
}

// living is a ledger that grows as soon as its partitions were read.
type living struct {
	announcer
	grow func()
}

func (l living) History(ctx context.Context) ([]ledger.PartitionState, error) {
	states, err := l.announcer.History(ctx)
	l.grow()
	return states, err
}

func TestVerifyWhileTheArchiveGoesOn(t *testing.T) {
	w, tp := newWorld(), partitionOf("events.flights", 0)
	a := w.archiver(t, func(c *archive.Config) { c.MaxRows = 2 })
	assign(t, a, tp)
	deliver(t, a, tp, records("t", start(), 0, 1, 2, 3)...)
	grow := func() { deliver(t, a, tp, records("t", start(), 4, 5, 6, 7)...) }
	report, err := archive.Verify(t.Context(), living{w.ledger, grow}, w.bucket)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Faults) != 0 || report.Rows != 4 {
		t.Errorf("%+v, want the four rows that were there", report)
	}
	a.Revoked(t.Context(), tp)
}

func TestVerifyThatCannotLook(t *testing.T) {
	w, tp := newWorld(), partitionOf("events.flights", 0)
	a := w.archiver(t, nil)
	assign(t, a, tp)
	deliver(t, a, tp, records("t", start(), 0)...)
	a.Revoked(t.Context(), tp)
	for _, f := range []buckettest.Fault{{Op: buckettest.Stat, Err: errDown}, {Op: buckettest.Get, Prefix: "manifests/", Err: errDown}} {
		if report, err := archive.Verify(t.Context(), w.ledger, buckettest.NewFaulty(w.bucket, f)); err == nil || len(report.Faults) > 0 {
			t.Errorf("%s down: %+v, %v: what could not be read is no fault of the archive", f.Op, report, err)
		}
	}
}

func remove(t *testing.T, w world, key string) {
	t.Helper()
	if err := w.bucket.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
}

func replace(t *testing.T, w world, key string) {
	t.Helper()
	if _, err := w.bucket.Put(t.Context(), key, bytes.NewReader([]byte("changed")), 7, bucket.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}
