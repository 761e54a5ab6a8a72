package ledgertest

import (
	"errors"
	"slices"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// compacted merges files of a topic into one.
func compacted(n int64, p ledger.Partition, files ...ledger.File) ledger.Swap {
	s := ledger.Swap{TopicID: p.TopicID, Topic: p.Topic, N: n, Kind: ledger.SwapCompact, Manifest: "manifests/swap", Committed: at(n)}
	sum := ledger.File{Key: "archive/compacted-" + files[0].Key, Type: files[0].Type, Hour: files[0].Hour, Start: files[0].Start}
	for _, f := range files {
		s.Remove = append(s.Remove, ledger.FileRef{Key: f.Key, Digest: f.Digest, Rows: f.Rows})
		sum.Spans = append(sum.Spans, ledger.Span{Partition: p.Partition, Start: f.Start, End: f.End})
		sum.Rows, sum.Bytes, sum.End = sum.Rows+f.Rows, sum.Bytes+f.Bytes, f.End
		sum.MinTime, sum.MaxTime, sum.MinSeen, sum.MaxSeen = f.MinTime, f.MaxTime, f.MinSeen, f.MaxSeen
	}
	sum.Digest = cas.Sum([]byte(sum.Key))
	s.Add = []ledger.File{sum}
	return s
}

func mustSwap(t *testing.T, l ledger.Ledger, s ledger.Swap) ledger.Swap {
	t.Helper()
	got, err := l.Swap(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	want := s
	want.Seq = got.Seq
	equal(t, "swap", got, want)
	return got
}

// keysAt returns the keys of the files that were live at a step.
func keysAt(t *testing.T, l ledger.Ledger, seq int64) []string {
	t.Helper()
	files, err := l.Files(t.Context(), ledger.FileQuery{UpToSeq: seq})
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, f := range files {
		keys = append(keys, f.Key)
	}
	return keys
}

// testSwap: what is live changes in one step, the moments before stay, and flushes keep their own files.
func testSwap(t *testing.T, l ledger.Ledger) {
	c := mustClaim(t, l, part("events.a", 2), "me")
	one := mustCommit(t, l, flush(c, 0, 10), nil)
	two := mustCommit(t, l, flush(c, 10, 20), nil)
	swap := compacted(1, c.Partition, one.Files[0], two.Files[0])
	swap.Add[0].Rows, swap.Duplicates = 17, 3
	swap.Previous = cas.Sum([]byte("before"))
	done := mustSwap(t, l, swap)
	three := mustCommit(t, l, flush(c, 20, 30), nil)
	if !(two.Seq < done.Seq && done.Seq < three.Seq) {
		t.Errorf("steps %d, %d, %d are not in one order", two.Seq, done.Seq, three.Seq)
	}

	before := []string{one.Files[0].Key, two.Files[0].Key}
	slices.Sort(before)
	equal(t, "before the swap", keysAt(t, l, two.Seq), before)
	equal(t, "at the swap", keysAt(t, l, done.Seq), []string{swap.Add[0].Key})
	equal(t, "now", keysAt(t, l, 0), []string{swap.Add[0].Key, three.Files[0].Key})
	files, err := l.Files(t.Context(), ledger.FileQuery{UpToSeq: done.Seq})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "file", files, []ledger.LedgerFile{{File: swap.Add[0], Partition: c.Partition, Seq: done.Seq}})
	equal(t, "flushes", allFlushes(t, l, c.Partition), []ledger.Flush{one, two, three})

	got, err := l.Swaps(t.Context(), c.TopicID, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "swaps", got, []ledger.Swap{done})
	if got, err := l.Swaps(t.Context(), c.TopicID, 2, 0); err != nil || len(got) != 0 {
		t.Errorf("swaps from 2 on = %+v, %v", got, err)
	}
	again, err := l.Swap(t.Context(), swap)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the same again", again, done)
}

// testSwapRefused: a refused swap leaves nothing.
func testSwapRefused(t *testing.T, l ledger.Ledger) {
	a, b := mustClaim(t, l, part("events.a", 0), "me"), mustClaim(t, l, part("events.b", 0), "me")
	one := mustCommit(t, l, flush(a, 0, 10), nil).Files[0]
	two := mustCommit(t, l, flush(a, 10, 20), nil).Files[0]
	other := mustCommit(t, l, flush(b, 0, 10), nil).Files[0]
	mustSwap(t, l, compacted(1, a.Partition, one))
	changed := two
	changed.Digest = cas.Sum([]byte("other bytes"))
	purge := compacted(2, a.Partition, two)
	purge.Kind, purge.Add = ledger.SwapPurge, nil
	for name, s := range map[string]ledger.Swap{
		"a file that was replaced": compacted(2, a.Partition, one),
		"the place of another":     compacted(1, a.Partition, two),
		"a place too far":          compacted(3, a.Partition, two),
		"a file of another topic":  compacted(2, a.Partition, other),
		"a file that has changed":  compacted(2, a.Partition, changed),
		"a purge of a live file":   purge,
	} {
		if _, err := l.Swap(t.Context(), s); !errors.Is(err, ledger.ErrSwapped) {
			t.Errorf("%s: %v, want ErrSwapped", name, err)
		}
	}
	lossy := compacted(2, a.Partition, two)
	lossy.Add[0].Rows--
	if _, err := l.Swap(t.Context(), lossy); err == nil || errors.Is(err, ledger.ErrSwapped) {
		t.Errorf("a row fewer without a duplicate: %v", err)
	}
	mustSwap(t, l, compacted(2, a.Partition, two))
}

// testPurge: once objects are removed, moments that need them are gone, and no others.
func testPurge(t *testing.T, l ledger.Ledger) {
	c := mustClaim(t, l, part("events.a", 0), "me")
	f := mustCommit(t, l, flush(c, 0, 10), nil)
	s := mustSwap(t, l, compacted(1, c.Partition, f.Files[0]))
	purge := ledger.Swap{TopicID: c.TopicID, Topic: c.Topic, N: 2, Kind: ledger.SwapPurge, Remove: s.Remove, Manifest: "m", Committed: at(1)}
	done := mustSwap(t, l, purge)
	if _, err := l.Files(t.Context(), ledger.FileQuery{UpToSeq: f.Seq}); !errors.Is(err, ledger.ErrPurged) {
		t.Errorf("the moment before: %v, want ErrPurged", err)
	}
	equal(t, "after the swap", keysAt(t, l, s.Seq), []string{s.Add[0].Key})
	equal(t, "now", keysAt(t, l, 0), []string{s.Add[0].Key})
	equal(t, "flushes", allFlushes(t, l, c.Partition), []ledger.Flush{f})
	got, err := l.Swaps(t.Context(), c.TopicID, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "swaps", got, []ledger.Swap{s, done})
	purge.N = 3
	if _, err := l.Swap(t.Context(), purge); !errors.Is(err, ledger.ErrSwapped) {
		t.Errorf("purged twice: %v", err)
	}
}
