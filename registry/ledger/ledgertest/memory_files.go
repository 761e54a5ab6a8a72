package ledgertest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// stored is a file with the steps that replaced it and removed its object; 0 for none.
type stored struct {
	ledger.LedgerFile
	removed, purged int64
}

// live reports whether f was live once seq was the newest step; 0 is now.
func (f *stored) live(seq int64) bool {
	if seq == 0 {
		return f.removed == 0
	}
	return f.Seq <= seq && (f.removed == 0 || f.removed > seq)
}

// Files implements ledger.Ledger.
func (m *Memory) Files(_ context.Context, q ledger.FileQuery) ([]ledger.LedgerFile, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []ledger.LedgerFile
	for _, f := range m.files {
		if !f.live(q.UpToSeq) || q.Topic != "" && f.Topic != q.Topic || q.Type != "" && f.Type != q.Type ||
			!q.From.IsZero() && f.MaxSeen.Before(q.From) || !q.To.IsZero() && !f.MinSeen.Before(q.To) {
			continue
		}
		if f.purged != 0 {
			return nil, fmt.Errorf("%s at step %d: %w", f.Key, q.UpToSeq, ledger.ErrPurged)
		}
		out = append(out, f.LedgerFile)
	}
	slices.SortFunc(out, func(a, b ledger.LedgerFile) int { return cmp.Compare(a.Key, b.Key) })
	return out, nil
}

// Swap implements ledger.Ledger.
func (m *Memory) Swap(_ context.Context, s ledger.Swap) (ledger.Swap, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	err := s.Validate()
	before := m.swapsOf(s.TopicID)
	switch next := int64(len(before) + 1); {
	case err != nil:
	case s.N < next:
		if old := before[s.N-1]; slices.Equal(old.Remove, s.Remove) && slices.EqualFunc(old.Add, s.Add, same) {
			return old, nil
		}
		err = ledger.ErrSwapped
	case s.N > next:
		err = ledger.ErrSwapped
	default:
		err = m.swap(&s)
	}
	if err != nil {
		return ledger.Swap{}, fmt.Errorf("swap %d of %s: %w", s.N, s.Topic, err)
	}
	return s, nil
}

func same(a, b ledger.File) bool { return a.Key == b.Key && a.Digest == b.Digest }

func (m *Memory) swap(s *ledger.Swap) error {
	if m.names[s.TopicID] == "" {
		return fmt.Errorf("topic %s has no partition", s.TopicID)
	}
	for _, r := range s.Remove {
		f := m.files[r.Key]
		if f == nil || f.TopicID != s.TopicID || f.Digest != r.Digest || f.Rows != r.Rows || f.purged != 0 ||
			(f.removed != 0) != (s.Kind == ledger.SwapPurge) {
			return fmt.Errorf("%s: %w", r.Key, ledger.ErrSwapped)
		}
	}
	for _, f := range s.Add {
		if m.files[f.Key] != nil {
			return fmt.Errorf("file %s is in the ledger already", f.Key)
		}
	}
	m.head++
	s.Seq, s.Topic = m.head, m.names[s.TopicID]
	if s.Committed.IsZero() {
		s.Committed = time.Now().UTC().Truncate(time.Microsecond)
	}
	for _, r := range s.Remove {
		if s.Kind == ledger.SwapPurge {
			m.files[r.Key].purged = s.Seq
		} else {
			m.files[r.Key].removed = s.Seq
		}
	}
	for _, f := range s.Add {
		p := ledger.Partition{TopicID: s.TopicID, Topic: s.Topic, Partition: f.Of()}
		m.files[f.Key] = &stored{LedgerFile: ledger.LedgerFile{File: f, Partition: p, Seq: s.Seq}}
	}
	m.swaps = append(m.swaps, *s)
	return nil
}

func (m *Memory) swapsOf(topicID uuid.UUID) []ledger.Swap {
	var out []ledger.Swap
	for _, s := range m.swaps {
		if s.TopicID == topicID {
			out = append(out, s)
		}
	}
	return out
}

// Swaps implements ledger.Ledger.
func (m *Memory) Swaps(_ context.Context, topicID uuid.UUID, from int64, limit int) ([]ledger.Swap, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := m.swapsOf(topicID)
	out = out[min(int64(len(out)), max(0, from-1)):]
	return out[:min(len(out), cmp.Or(limit, 100))], nil
}
