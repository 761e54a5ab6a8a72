package ledgertest

import (
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// testInventory: files of every time, page by page, with what became of them.
func testInventory(t *testing.T, l ledger.Ledger) {
	c := mustClaim(t, l, part("events.a", 0), "me")
	one, two := mustCommit(t, l, flush(c, 0, 10), nil), mustCommit(t, l, flush(c, 10, 20), nil)
	s := mustSwap(t, l, compacted(1, c.Partition, one.Files[0], two.Files[0]))
	purge := mustSwap(t, l, ledger.Swap{
		TopicID: c.TopicID, Topic: c.Topic, N: 2, Kind: ledger.SwapPurge, Remove: s.Remove[:1], Manifest: "m", Committed: at(1),
	})
	state := func(f ledger.File, seq, removed, purged int64) ledger.FileState {
		return ledger.FileState{LedgerFile: ledger.LedgerFile{File: f, Partition: c.Partition, Seq: seq}, Removed: removed, Purged: purged}
	}
	want := []ledger.FileState{
		state(one.Files[0], one.Seq, s.Seq, purge.Seq), state(two.Files[0], two.Seq, s.Seq, 0), state(s.Add[0], s.Seq, 0, 0),
	}
	slices.SortFunc(want, func(a, b ledger.FileState) int { return strings.Compare(a.Key, b.Key) })
	equal(t, "inventory", inventory(t, l), want)
}

func inventory(t *testing.T, l ledger.Ledger) (all []ledger.FileState) {
	t.Helper()
	for after := ""; ; {
		got, err := l.Inventory(t.Context(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			return all
		}
		all, after = append(all, got...), got[len(got)-1].Key
	}
}

// history is what a ledger had, in the order in which manifests stand in a bucket: the later topic of the name first.
func history(t *testing.T) (from *Memory, steps []ledger.Step) {
	t.Helper()
	from = NewMemory()
	late := part("events.a", 0)
	late.TopicID = uuid.UUID{1}
	old := mustClaim(t, from, part("events.a", 0), "me")
	mustClaim(t, from, old.Partition, "me again")
	old = mustClaim(t, from, old.Partition, "me again")
	one, two := mustCommit(t, from, flush(old, 0, 10), nil), mustCommit(t, from, flush(old, 10, 20), nil)
	lost := flush(old, 20, 25)
	lost.Files, lost.Records, lost.Reason = nil, 0, ledger.ReasonLost
	lost = mustCommit(t, from, lost, nil)
	now := mustClaim(t, from, late, "me")
	again := flush(now, 0, 7)
	again.CaughtUp, again.Previous = true, lost.Previous
	again = mustCommit(t, from, again, nil)
	s := mustSwap(t, from, compacted(1, old.Partition, one.Files[0], two.Files[0]))
	p := mustSwap(t, from, ledger.Swap{
		TopicID: old.TopicID, Topic: old.Topic, N: 2, Kind: ledger.SwapPurge, Remove: s.Remove, Manifest: "purge", Committed: at(3),
	})
	return from, []ledger.Step{{Flush: &again}, {Flush: &one}, {Flush: &two}, {Flush: &lost}, {Swap: &s}, {Swap: &p}, {Claim: &ledger.Claim{Partition: old.Partition, Epoch: 9}}}
}

func sequence(steps []ledger.Step, err error) iter.Seq2[ledger.Step, error] {
	return func(yield func(ledger.Step, error) bool) {
		for _, s := range steps {
			if !yield(s, nil) {
				return
			}
		}
		if err != nil {
			yield(ledger.Step{}, err)
		}
	}
}

// testRestore: everything comes back but who held which claim, and the ledger goes on from there.
func testRestore(t *testing.T, l ledger.Ledger) {
	from, steps := history(t)
	if err := l.Restore(t.Context(), sequence(steps, nil)); err != nil {
		t.Fatal(err)
	}
	equal(t, "inventory", inventory(t, l), inventory(t, from))
	states := func(l ledger.Ledger) []ledger.PartitionState {
		all, err := l.History(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i := range all {
			all[i].Owner, all[i].Updated, all[i].Epoch = "", time.Time{}, 0
		}
		return all
	}
	equal(t, "partitions", states(l), states(from))
	for _, p := range states(from) {
		equal(t, "flushes", allFlushes(t, l, p.Partition), allFlushes(t, from, p.Partition))
		got, err := l.Swaps(t.Context(), p.TopicID, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := from.Swaps(t.Context(), p.TopicID, 0, 0)
		equal(t, "swaps", append([]ledger.Swap{}, got...), append([]ledger.Swap{}, want...))
	}
	if s := state(t, l, "events.a"); s.TopicID != steps[0].Flush.TopicID {
		t.Errorf("the current topic is %s, want the one that began last", s.TopicID)
	}
	wantOutbox(t, l)
	c := mustClaim(t, l, steps[1].Flush.Partition, "me")
	equal(t, "claim", c, ledger.Claim{Partition: steps[1].Flush.Partition, Epoch: 10, Next: 25})
	if f := mustCommit(t, l, flush(c, 25, 30), nil); f.Seq <= steps[5].Swap.Seq+2 {
		t.Errorf("goes on in place %d, which steps after %d may have had", f.Seq, steps[5].Swap.Seq)
	}
	if err := l.Restore(t.Context(), sequence(steps, nil)); !errors.Is(err, ledger.ErrNotEmpty) {
		t.Errorf("restored again: %v", err)
	}
}

// testRestoreRefused: a history that contradicts itself leaves nothing.
func testRestoreRefused(t *testing.T, l ledger.Ledger) {
	_, steps := history(t)
	one, two, s, p := *steps[1].Flush, *steps[2].Flush, *steps[4].Swap, *steps[5].Swap
	sameSeq, sameFile, early, swapSeq := two, two, s, s
	sameSeq.Seq, sameFile.Files, early.Seq, swapSeq.Seq = one.Seq, one.Files, one.Seq-1, two.Seq
	broken := errors.New("broken")
	for name, tc := range map[string]struct {
		steps []ledger.Step
		err   error
		want  error
	}{
		"an error":                  {steps, broken, broken},
		"two flushes in a place":    {[]ledger.Step{{Flush: &one}, {Flush: &sameSeq}}, nil, ledger.ErrTorn},
		"a file twice":              {[]ledger.Step{{Flush: &one}, {Flush: &sameFile}}, nil, ledger.ErrTorn},
		"files that never were":     {[]ledger.Step{{Flush: &one}, {Swap: &s}}, nil, ledger.ErrTorn},
		"a purge of live files":     {[]ledger.Step{{Flush: &one}, {Flush: &two}, {Swap: &p}}, nil, ledger.ErrTorn},
		"a swap before its time":    {[]ledger.Step{{Flush: &one}, {Flush: &two}, {Swap: &early}}, nil, ledger.ErrTorn},
		"a swap in a flush's place": {[]ledger.Step{{Flush: &one}, {Flush: &two}, {Swap: &swapSeq}}, nil, ledger.ErrTorn},
	} {
		if err := l.Restore(t.Context(), sequence(tc.steps, tc.err)); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	if all := inventory(t, l); len(all) > 0 {
		t.Errorf("a refused history left %+v", all)
	}
	if err := l.Restore(t.Context(), sequence(steps, nil)); err != nil {
		t.Errorf("after refusals: %v", err)
	}
}
