package ledgertest

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// Inventory implements ledger.Ledger.
func (m *Memory) Inventory(_ context.Context, after string, limit int) ([]ledger.FileState, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []ledger.FileState
	for _, f := range m.files {
		if f.Key > after {
			out = append(out, ledger.FileState{LedgerFile: f.LedgerFile, Removed: f.removed, Purged: f.purged})
		}
	}
	slices.SortFunc(out, func(a, b ledger.FileState) int { return cmp.Compare(a.Key, b.Key) })
	return out[:min(len(out), cmp.Or(limit, 100))], nil
}

// Restore implements ledger.Ledger.
func (m *Memory) Restore(_ context.Context, steps iter.Seq2[ledger.Step, error]) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.head > 0 || len(m.names) > 0 {
		return fmt.Errorf("restore ledger: %w", ledger.ErrNotEmpty)
	}
	n := NewMemory()
	r := restoring{Memory: n, places: map[int64]bool{}, first: map[uuid.UUID]int64{}}
	for step, err := range steps {
		if err == nil {
			err = r.step(step)
		}
		if err != nil {
			return fmt.Errorf("restore ledger: %w", err)
		}
	}
	for id, first := range r.first {
		if now, ok := n.topics[n.names[id]]; !ok || first > r.first[now] {
			n.topics[n.names[id]] = id
		}
	}
	m.topics, m.names, m.partitions, m.flushes, m.swaps, m.files = n.topics, n.names, n.partitions, n.flushes, n.swaps, n.files
	m.head = r.greatest + int64(len(n.partitions)+len(n.names))
	return nil
}

// restoring fills a ledger that nobody else sees.
type restoring struct {
	*Memory
	places   map[int64]bool
	greatest int64
	first    map[uuid.UUID]int64 // place of each topic's first flush
}

func (r *restoring) step(s ledger.Step) error {
	switch {
	case s.Flush != nil:
		return r.flush(cloneFlush(*s.Flush))
	case s.Swap != nil:
		seq := s.Swap.Seq
		if err := r.place(s.Swap.Manifest, seq); err != nil {
			return err
		}
		r.head = seq - 1
		swap := *s.Swap
		for _, f := range swap.Remove {
			if there := r.files[f.Key]; there != nil && there.Seq >= seq {
				return fmt.Errorf("%s is replaced before it was written: %w", f.Key, ledger.ErrTorn)
			}
		}
		if err := r.swap(&swap); err != nil {
			return fmt.Errorf("%s removes files that were not as it says: %w: %w", swap.Manifest, ledger.ErrTorn, err)
		}
	case s.Claim != nil:
		r.claim(*s.Claim)
	}
	return nil
}

func (r *restoring) claim(c ledger.Claim) *ledger.PartitionState {
	r.names[c.TopicID] = c.Topic
	s, ok := r.partitions[placeOf(c.Partition)]
	if !ok {
		s = &ledger.PartitionState{Partition: c.Partition, Owner: "restored"}
		r.partitions[placeOf(c.Partition)] = s
	}
	s.Epoch = max(s.Epoch, c.Epoch)
	return s
}

func (r *restoring) flush(f ledger.Flush) error {
	if err := r.place(f.Manifest, f.Seq); err != nil {
		return err
	}
	s := r.claim(f.Claim)
	for _, file := range f.Files {
		if r.files[file.Key] != nil {
			return fmt.Errorf("%s: file %s is in another step: %w", f.Manifest, file.Key, ledger.ErrTorn)
		}
		r.files[file.Key] = &stored{LedgerFile: ledger.LedgerFile{File: file, Partition: f.Partition, Seq: f.Seq}}
	}
	if before, ok := r.first[f.TopicID]; !ok || f.Seq < before {
		r.first[f.TopicID] = f.Seq
	}
	s.Next = f.End
	advance(s, f.ArchivedThrough, f.EventTime, f.CaughtUp)
	r.flushes = append(r.flushes, f)
	return nil
}

func (r *restoring) place(manifest string, seq int64) error {
	if r.places[seq] {
		return fmt.Errorf("%s: two steps in place %d: %w", manifest, seq, ledger.ErrTorn)
	}
	r.places[seq], r.greatest = true, max(r.greatest, seq)
	return nil
}
