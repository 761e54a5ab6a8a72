package compact_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive/compact"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgtest"
)

// small archives a few files of two partitions, with duplicates.
func (w *world) small(t *testing.T) {
	t.Helper()
	for p := range int32(2) {
		tp := partitionOf(topic, p)
		w.archive(t, tp, 2, 4, event(0, start(), "a", "t"), event(1, start(), "b", "t"), event(2, start(), "a", "t"), event(3, start(), "d", "u"))
	}
}

// at once purges what it replaces.
func atOnce(c *compact.Config) { c.Grace = time.Nanosecond }

// TestCrashAtEveryCall kills a compactor that also purges before and after each of its calls; another one goes on. Whatever the
// first left behind, the archive stays whole, and in the end only live files are left beside what no swap ever listed.
func TestCrashAtEveryCall(t *testing.T) {
	for call := 1; ; call++ {
		for _, after := range []bool{false, true} {
			w := newWorld()
			w.small(t)
			l := &life{end: call, after: after}
			err := w.compactor(t, func(c *compact.Config) { atOnce(c); l.mortal(c) }).Look(t.Context())
			if !l.dead {
				if call < 30 || err != nil {
					t.Fatalf("only %d calls, %v: the test is void", call-1, err)
				}
				return
			}
			t.Run(fmt.Sprintf("%d/after=%t", call, after), func(t *testing.T) { w.recovers(t) })
		}
	}
}

func (w *world) recovers(t *testing.T) {
	t.Helper()
	// Before anybody goes on every live file is there, though the last manifest may not be.
	w.kept(t)
	c := w.compactor(t, atOnce)
	check(t, c.Look(t.Context()))
	check(t, c.Look(t.Context()))
	w.kept(t)
	w.ordered(t)
	report := w.whole(t)
	if report.Files != 2 || report.Purgeable.Count > 0 || report.Orphans.Count > 1 {
		t.Errorf("%+v", report)
	}
}

// TestCrashesOnPostgres kills compactors at calls spread over their work, on the ledger that is used in earnest.
func TestCrashesOnPostgres(t *testing.T) {
	w := newWorld()
	w.ledger, w.bucket = pgtest.New(t).Catalog.Ledger(), membucket.New()
	w.small(t)
	killed := 0
	for i := range 24 {
		l := &life{end: 2 + 2*i, after: i%2 == 0}
		_ = w.compactor(t, func(c *compact.Config) { atOnce(c); l.mortal(c) }).Look(t.Context())
		if l.dead {
			killed++
		}
	}
	if killed < 8 {
		t.Fatalf("%d compactors killed: the test is void", killed)
	}
	w.kept(t)
	w.recovers(t)
}

// TestRivals has compactors merge and purge at the same time while archivers go on. Nobody may lose a row; where nobody was
// beaten the run is void.
func TestRivals(t *testing.T) {
	w := newWorld()
	rng := rand.New(rand.NewPCG(3, 3))
	beaten := int64(0)
	for round := range 5 {
		for p := range int32(2) {
			tp := partitionOf(topic, p)
			recs := randomLog(rng, 30)
			for i := range recs { // the same hours again and again: what is merged is merged again
				recs[i].Offset += int64(round) * 100
			}
			w.archive(t, tp, 7, 4, recs...)
		}
		more := partitionOf(topic, 2) // this one goes on meanwhile
		var work sync.WaitGroup
		compactors := make([]*compact.Compactor, 3)
		for i := range compactors {
			compactors[i] = w.compactor(t, atOnce)
		}
		for _, c := range compactors {
			work.Go(func() {
				// A rival may have replaced, and purged, what this one is reading.
				if err := c.Look(t.Context()); err != nil && !strings.Contains(err.Error(), "not found") && !errors.Is(err, ledger.ErrPurged) {
					t.Error(err)
				}
			})
		}
		work.Go(func() {
			recs := randomLog(rand.New(rand.NewPCG(uint64(round), 1)), 20)
			for i := range recs {
				recs[i].Offset += int64(round) * 100
			}
			w.archive(t, more, 5, 4, recs...)
		})
		work.Wait()
		for _, c := range compactors {
			beaten += c.Stats().Beaten + c.Stats().Failures
		}
	}
	if beaten == 0 {
		t.Error("no compactor met another one: the run is void")
	}
	c := w.compactor(t, atOnce)
	check(t, c.Look(t.Context()))
	w.kept(t)
	w.ordered(t)
	w.whole(t)
	t.Logf("beaten %d times", beaten)
}
