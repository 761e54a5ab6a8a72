package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// testRivalOwners lets owners claim the same partitions from each other at random, commit, repeat what they committed and
// go on after they lost, and then walks the history: from 0, each offset once, nothing that was refused.
func testRivalOwners(t *testing.T, l ledger.Ledger) {
	const owners, steps = 6, 40
	parts := []ledger.Partition{part("events.a", 0), part("events.a", 1)}
	var mu sync.Mutex
	accepted := map[string]int64{} // key: seq
	var fenced int
	var wg sync.WaitGroup
	claims := make([]map[ledger.Partition]ledger.Claim, owners)
	for o := range claims { // all but the last owner begin as zombies
		claims[o] = map[ledger.Partition]ledger.Claim{}
		for _, p := range parts {
			claims[o][p] = mustClaim(t, l, p, "owner")
		}
	}
	for o, held := range claims {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(7, uint64(o)))
			var last ledger.Flush
			for range steps {
				p := parts[rng.IntN(len(parts))]
				c := held[p]
				if rng.IntN(6) == 0 {
					var err error
					if c, err = l.Claim(t.Context(), p, fmt.Sprint("owner ", o)); err != nil {
						t.Errorf("Claim: %v", err)
						return
					}
				}
				if rng.IntN(5) == 0 && last.End > 0 {
					if got, err := l.Commit(t.Context(), last, nil); err != nil || got.Seq != last.Seq {
						t.Errorf("repeat of flush %d = %d, %v", last.Seq, got.Seq, err)
					}
				}
				f, err := l.Commit(t.Context(), flush(c, c.Next, c.Next+1+rng.Int64N(20)), nil)
				mu.Lock()
				switch {
				case err == nil:
					accepted[f.Files[0].Key] = f.Seq
					c.Next, last = f.End, f
				case errors.Is(err, ledger.ErrFenced):
					fenced++ // a zombie may go on with its stale claim
				default:
					t.Errorf("Commit: %v", err)
				}
				mu.Unlock()
				held[p] = c
			}
		})
	}
	wg.Wait()
	if fenced == 0 || len(accepted) == 0 {
		t.Errorf("%d commits fenced, %d accepted: the owners did not meet", fenced, len(accepted))
	}
	seqs := map[int64]bool{}
	for _, p := range parts {
		next, before := int64(0), int64(0)
		for _, f := range allFlushes(t, l, p) {
			if f.Start != next || f.Seq <= before {
				t.Fatalf("flush [%d, %d) with seq %d after offset %d and seq %d: gap, overlap or disorder", f.Start, f.End, f.Seq, next, before)
			}
			if accepted[f.Files[0].Key] != f.Seq {
				t.Fatalf("file %s is in the ledger at seq %d, its owner was told %d", f.Files[0].Key, f.Seq, accepted[f.Files[0].Key])
			}
			next, before, seqs[f.Seq] = f.End, f.Seq, true
		}
	}
	if len(seqs) != len(accepted) {
		t.Errorf("%d flushes in the ledger, %d were accepted", len(seqs), len(accepted))
	}
}

// testSeqIsSnapshot reads "files up to the greatest seq that I see" while others commit, and again at the end: the answer
// must not change, or a dataset could not be built twice from the same inputs.
func testSeqIsSnapshot(t *testing.T, l ledger.Ledger) {
	const writers, commits = 6, 25
	ctx, stop := context.WithCancel(t.Context())
	var wg, reader sync.WaitGroup
	seen := map[int64]int{} // seq: files up to it
	reader.Go(func() {
		for ctx.Err() == nil {
			files, err := l.Files(t.Context(), ledger.FileQuery{})
			if err != nil {
				t.Errorf("Files: %v", err)
				return
			}
			head := int64(0)
			for _, f := range files {
				head = max(head, f.Seq)
			}
			seen[head] = len(files)
		}
	})
	for w := range writers {
		wg.Go(func() {
			c, err := l.Claim(t.Context(), part("events.a", int32(w)), "me")
			for i := int64(0); i < commits && err == nil; i++ {
				_, err = l.Commit(t.Context(), flush(c, i, i+1), nil)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	stop()
	reader.Wait()
	for seq, n := range seen {
		if seq == 0 {
			continue // 0 restricts nothing
		}
		files, err := l.Files(t.Context(), ledger.FileQuery{UpToSeq: seq})
		if err != nil {
			t.Fatal(err)
		}
		if len(files) != n {
			t.Errorf("up to seq %d there were %d files, now there are %d", seq, n, len(files))
		}
	}
}
