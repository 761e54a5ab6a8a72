package simulation_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "seed of the only day; 0 takes two that never change")
	seedsFlag = flag.Int("seeds", 0, "how many days with new seeds, or with the seeds from -seed on")
	daysFlag  = flag.Int("days", 1, "how many days each seed lives")
)

// fixedSeeds are in every run: one of each group protocol.
func fixedSeeds() []uint64 { return []uint64{1, 2} }

func seeds() []uint64 {
	switch {
	case *seedsFlag > 0:
		first := *seedFlag
		if first == 0 {
			first = fresh()
		}
		out := make([]uint64, *seedsFlag)
		for i := range out {
			out[i] = first + uint64(i)
		}
		return out
	case *seedFlag > 0:
		return []uint64{*seedFlag}
	}
	return fixedSeeds()
}

func fresh() uint64 { return 1 + rand.Uint64N(1_000_000_000) }

// TestDay lives a day of the archive with all of its faults.
func TestDay(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // a day allocates much and keeps little
	for _, seed := range seeds() {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			// A deadlock of the bubble ends the program: the seed has to be known before.
			fmt.Fprintf(os.Stderr, "simulation of seed %d\n", seed)
			liveDay(t, seed, *daysFlag)
		})
	}
}

func liveDay(t *testing.T, seed uint64, days int) {
	t.Helper()
	began := time.Now()
	var w *world
	dropPools()
	synctest.Test(t, func(t *testing.T) {
		w = newWorld(t, seed)
		w.live(days * dayBlocks)
	})
	dropPools()
	w.t = t
	repeat := fmt.Sprintf("go test ./consumers/archive/simulation -run TestDay -seed=%d", seed)
	if days > 1 {
		repeat += fmt.Sprint(" -days=", days)
	}
	t.Logf("%s: %d archivers, protocol %s: %d records, %d flushes, %d files judged, %+v, at most %d bytes in memory, %s",
		repeat, len(w.archivers), w.protocol, w.referee.records, w.referee.flushes, w.referee.files, w.stats, w.peak, time.Since(began).Round(time.Millisecond))
	if len(w.breaches) > 0 {
		t.Errorf("seed %d breaks promises:\n%s\nlast words:\n%s\nto repeat: %s", seed,
			strings.Join(w.breaches, "\n"), strings.Join(w.said.lines, "\n"), repeat)
		return
	}
	if missed := w.tally.missed(); len(missed) > 0 {
		t.Errorf("seed %d is void, it did not meet %q:\n%s\nto repeat: %s", seed, missed, w.tally.String(), repeat)
		return
	}
	t.Logf("met:\n%s", w.tally.String())
}

// dropPools empties every sync.Pool: what one bubble pooled, such as the decoders of Parquet files, must not come to life in
// another one. A pool forgets at the second collection.
func dropPools() {
	runtime.GC()
	runtime.GC()
}
