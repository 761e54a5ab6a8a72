package archive

import (
	"context"
	"hash/maphash"

	"github.com/signalbox-ml/signalbox/consumers/archive/mirror"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// tally is a set of files as a sum: two sets are the same if their tallies are. So sets of any size can be compared that
// come in different orders.
type tally struct {
	files, rows int64
	sum         uint64
}

func (t *tally) add(seed maphash.Seed, f ledger.FileRef) {
	t.files, t.rows, t.sum = t.files+1, t.rows+f.Rows, t.sum+maphash.Comparable(seed, f)
}

func refOf(f ledger.File) ledger.FileRef {
	return ledger.FileRef{Key: f.Key, Digest: f.Digest, Rows: f.Rows}
}

// swapTally is what a swap says, and what has to come to the same when all files have been seen.
type swapTally struct {
	of             ledger.Partition
	n              int64
	kind           string
	removes, adds  tally
	removed, added tally
}

// partition walks the flushes of a partition up to where it was when the walk began.
func (v *verification) partition(ctx context.Context, s ledger.PartitionState) error {
	next, chain := int64(0), cas.Digest{}
	for next < s.Next {
		flushes, err := v.Ledger.Flushes(ctx, s.Partition, next, page)
		if err != nil {
			return err
		}
		for _, f := range flushes {
			if f.Start >= s.Next {
				break // committed since the partition was read: the archive goes on while it is verified
			}
			if f.Start != next {
				v.faultOf(s.Partition, "offsets from %d to %d: flush %d starts elsewhere than the one before ends", next, f.Start, f.Seq)
			}
			if f.Previous != chain {
				v.faultOf(s.Partition, "flush %d continues manifest %q, the one before has %q", f.Seq, f.Previous, chain)
			}
			body, err := mirror.EncodeFlush(f)
			if err != nil {
				return err
			}
			v.flush(f)
			if err := v.manifest(ctx, pending{f.Partition, f.Manifest, body}, f.End == s.Next); err != nil {
				return err
			}
			next, chain = f.End, cas.Sum(body)
		}
		if len(flushes) == 0 || flushes[len(flushes)-1].Start >= s.Next {
			break
		}
	}
	if next != s.Next {
		v.faultOf(s.Partition, "flushes end at %d, the partition at %d", next, s.Next)
	}
	return nil
}

func (v *verification) flush(f ledger.Flush) {
	v.report.Flushes++
	v.head = max(v.head, f.Seq)
	rows := int64(0)
	for _, file := range f.Files {
		rows += file.Rows
		v.flushed.add(v.seed, refOf(file))
	}
	if f.Reason == ledger.ReasonLost {
		v.report.Lost += f.End - f.Start
	}
	if rows != f.Records {
		v.faultOf(f.Partition, "flush %d has %d records, its files %d rows", f.Seq, f.Records, rows)
	}
	if want := mirror.FlushKey(f.TopicID, f.Partition.Partition, f.Start); f.Manifest != want {
		v.faultOf(f.Partition, "flush %d has its manifest at %q, want %s", f.Seq, f.Manifest, want)
	}
}

// topicSwaps walks the swaps of p's topic. It reads a page ahead: only the very last manifest may be on its way.
func (v *verification) topicSwaps(ctx context.Context, p ledger.Partition) error {
	p.Partition = ledger.Several
	next, chain := int64(1), cas.Digest{}
	swaps, err := v.Ledger.Swaps(ctx, p.TopicID, next, page)
	for err == nil && len(swaps) > 0 {
		var more []ledger.Swap
		if more, err = v.Ledger.Swaps(ctx, p.TopicID, swaps[len(swaps)-1].N+1, page); err != nil {
			return err
		}
		for i, s := range swaps {
			if s.N != next {
				v.faultOf(p, "swap %d follows swap %d: those between are missing", s.N, next-1)
			}
			if s.Previous != chain {
				v.faultOf(p, "swap %d continues manifest %q, the one before has %q", s.N, s.Previous, chain)
			}
			body, err := mirror.EncodeSwap(s)
			if err != nil {
				return err
			}
			v.swap(p, s)
			newest := i == len(swaps)-1 && len(more) == 0
			if err := v.manifest(ctx, pending{p, s.Manifest, body}, newest); err != nil {
				return err
			}
			next, chain = s.N+1, cas.Sum(body)
		}
		swaps = more
	}
	return err
}

func (v *verification) swap(p ledger.Partition, s ledger.Swap) {
	v.report.Swaps++
	if err := s.Validate(); err != nil {
		v.faultOf(p, "swap %d: %v", s.N, err)
	}
	if want := mirror.SwapKey(s.TopicID, s.N); s.Manifest != want {
		v.faultOf(p, "swap %d has its manifest at %q, want %s", s.N, s.Manifest, want)
	}
	t := &swapTally{of: p, n: s.N, kind: s.Kind}
	for _, r := range s.Remove {
		t.removes.add(v.seed, r)
	}
	for _, f := range s.Add {
		t.adds.add(v.seed, refOf(f))
	}
	v.swaps[s.Seq] = t
}

// settle compares the two sides of each tally once every file has been seen.
func (v *verification) settle(flushed tally) {
	if flushed != v.flushed {
		v.fault("flushes have %d files with %d rows, the list of files has %d with %d rows from flushes: they are not the same files",
			v.flushed.files, v.flushed.rows, flushed.files, flushed.rows)
	}
	for seq, t := range v.swaps {
		if t.removed != t.removes {
			v.faultOf(t.of, "swap %d (step %d) removes %d files with %d rows, the list of files has %d with %d rows that it removed",
				t.n, seq, t.removes.files, t.removes.rows, t.removed.files, t.removed.rows)
		}
		if t.added != t.adds {
			v.faultOf(t.of, "swap %d (step %d) adds %d files with %d rows, the list of files has %d with %d rows that it added",
				t.n, seq, t.adds.files, t.adds.rows, t.added.files, t.added.rows)
		}
	}
}
