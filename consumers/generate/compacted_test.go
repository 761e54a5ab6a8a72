package generate_test

import (
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive/compact"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// compact merges what is live, and removes what was replaced a grace ago and is no dataset's source.
func (w *world) compact(t *testing.T, grace time.Duration) compact.Stats {
	t.Helper()
	c, err := compact.New(compact.Config{
		Ledger: w.ledger, Bucket: w.bucket, References: compact.NewDatasets(w.catalog), Dir: t.TempDir(), Slack: time.Nanosecond, Grace: grace,
	})
	check(t, err)
	check(t, c.Look(t.Context()))
	return c.Stats()
}

// TestCompactionDuringABuild: a build goes on with the files that it planned on. Its dataset pins them for ever; the next one
// is made from merged files and says which offsets those stand for.
func TestCompactionDuringABuild(t *testing.T) {
	w := newWorld()
	w.declare(t, "delays", flights())
	w.archive(t, 0, broker(1), hours(0, 4)...)
	w.archive(t, 1, broker(2), hours(4, 9)...)
	w.idle(t, 0, broker(3))
	w.idle(t, 1, broker(3))
	e := &scripted{wait: make(chan struct{})}
	start(t, w.config(t, e))
	eventually(t, "a build", func() bool { return len(e.attempts()) > 0 })
	live, err := w.ledger.Files(t.Context(), ledger.FileQuery{})
	check(t, err)
	if s := w.compact(t, time.Hour); s.FilesBefore != int64(len(live)) || s.Purged != 0 {
		t.Fatalf("%+v: the test is void", s)
	}
	close(e.wait)
	eventually(t, "a dataset", func() bool { return len(w.datasets(t)) == 1 })
	w.archive(t, 0, broker(4), hours(9, 12)...)
	w.archive(t, 1, broker(4), hours(12, 15)...)
	eventually(t, "the next dataset", func() bool { return len(w.datasets(t)) == 2 })

	first, second := w.datasets(t)[0], w.datasets(t)[1]
	if s := w.compact(t, time.Nanosecond); s.Purged == 0 && s.Pinned == 0 || s.Pinned < int64(len(first.Sources)) {
		t.Errorf("%+v, want %d files pinned at least", s, len(first.Sources))
	}
	for _, d := range []manifest.Dataset{first, second} {
		for _, s := range d.Sources {
			if _, err := w.bucket.Stat(t.Context(), s.Key); err != nil {
				t.Errorf("a source of the dataset to %s is gone: %v", d.End, err)
			}
		}
	}
	several := 0
	for _, s := range second.Sources {
		if s.Partition == manifest.Several && len(s.Spans) == 2 {
			several++
		}
	}
	if len(first.Sources) != len(live) || several != 3 {
		t.Errorf("from %d files of %d; then from %d merged ones, want one for each type", len(first.Sources), len(live), several)
	}
}
