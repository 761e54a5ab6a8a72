// Package ledgertest holds the suite that every ledger.Ledger passes, and Memory, the ledger of tests.
package ledgertest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// Memory is a ledger.Ledger in memory: one lock, so every call is a transaction.
type Memory struct {
	mu         sync.Mutex
	topics     map[string]uuid.UUID // the newest of each name
	names      map[uuid.UUID]string
	partitions map[place]*ledger.PartitionState
	head       int64
	flushes    []ledger.Flush // by seq
	swaps      []ledger.Swap  // by seq
	files      map[string]*stored
	outbox     []events.Event
}

type place struct {
	topic     uuid.UUID
	partition int32
}

var _ ledger.Ledger = (*Memory)(nil)

// NewMemory returns an empty ledger.
func NewMemory() *Memory {
	return &Memory{
		topics:     map[string]uuid.UUID{},
		names:      map[uuid.UUID]string{},
		partitions: map[place]*ledger.PartitionState{},
		files:      map[string]*stored{},
	}
}

func placeOf(p ledger.Partition) place { return place{p.TopicID, p.Partition} }

// Claim implements ledger.Ledger.
func (m *Memory) Claim(_ context.Context, p ledger.Partition, owner string) (ledger.Claim, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.names[p.TopicID]; !ok {
		m.names[p.TopicID], m.topics[p.Topic] = p.Topic, p.TopicID
	}
	s, ok := m.partitions[placeOf(p)]
	if !ok {
		s = &ledger.PartitionState{Partition: p}
		s.Topic = m.names[p.TopicID]
		m.partitions[placeOf(p)] = s
	}
	s.Epoch++
	s.Owner, s.Updated = owner, time.Now().UTC()
	return ledger.Claim{Partition: p, Epoch: s.Epoch, Next: s.Next}, nil
}

// Commit implements ledger.Ledger.
func (m *Memory) Commit(_ context.Context, f ledger.Flush, seal func(seq int64) ([]events.Event, error)) (ledger.Flush, error) {
	if err := f.Validate(); err != nil {
		return ledger.Flush{}, fmt.Errorf("commit %s/%d: %w", f.Topic, f.Partition.Partition, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.partitions[placeOf(f.Partition)]
	if !ok || s.Epoch != f.Epoch || s.Next != f.Start {
		for _, old := range m.flushes {
			if placeOf(old.Partition) == placeOf(f.Partition) && old.Start == f.Start && old.End == f.End && old.Epoch == f.Epoch {
				return cloneFlush(old), nil
			}
		}
		return ledger.Flush{}, fmt.Errorf("commit %s/%d [%d, %d): %w", f.Topic, f.Partition.Partition, f.Start, f.End, ledger.ErrFenced)
	}
	for _, file := range f.Files {
		if m.files[file.Key] != nil {
			return ledger.Flush{}, fmt.Errorf("commit %s/%d: file %s is in the ledger already", f.Topic, f.Partition.Partition, file.Key)
		}
	}
	f = cloneFlush(f)
	f.Topic, f.Next, f.Seq = s.Topic, f.Start, m.head+1
	if f.Committed.IsZero() {
		f.Committed = time.Now().UTC()
	}
	if seal != nil {
		evs, err := seal(f.Seq)
		if err != nil {
			return ledger.Flush{}, fmt.Errorf("commit %s/%d: seal: %w", f.Topic, f.Partition.Partition, err)
		}
		m.outbox = append(m.outbox, evs...)
	}
	m.flushes, m.head = append(m.flushes, f), f.Seq
	for _, file := range f.Files {
		m.files[file.Key] = &stored{LedgerFile: ledger.LedgerFile{File: file, Partition: f.Partition, Seq: f.Seq}}
	}
	s.Next = f.End
	advance(s, f.ArchivedThrough, f.EventTime, f.CaughtUp)
	return cloneFlush(f), nil
}

// Observe implements ledger.Ledger.
func (m *Memory) Observe(_ context.Context, c ledger.Claim, archivedThrough, eventTime time.Time, caughtUp bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.partitions[placeOf(c.Partition)]
	if !ok || s.Epoch != c.Epoch {
		return fmt.Errorf("observe %s/%d: %w", c.Topic, c.Partition.Partition, ledger.ErrFenced)
	}
	advance(s, archivedThrough, eventTime, caughtUp)
	return nil
}

func advance(s *ledger.PartitionState, archivedThrough, eventTime time.Time, caughtUp bool) {
	if archivedThrough.After(s.ArchivedThrough) {
		s.ArchivedThrough = archivedThrough
	}
	if eventTime.After(s.EventTime) {
		s.EventTime = eventTime
	}
	s.CaughtUp, s.Updated = caughtUp, time.Now().UTC()
}

// History implements ledger.Ledger.
func (m *Memory) History(context.Context) ([]ledger.PartitionState, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []ledger.PartitionState
	for _, s := range m.partitions {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b ledger.PartitionState) int {
		return cmp.Or(bytes.Compare(a.TopicID[:], b.TopicID[:]), cmp.Compare(a.Partition.Partition, b.Partition.Partition))
	})
	return out, nil
}

// Partitions implements ledger.Ledger.
func (m *Memory) Partitions(_ context.Context, topic string) ([]ledger.PartitionState, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []ledger.PartitionState
	for _, s := range m.partitions {
		if (topic == "" || s.Topic == topic) && m.topics[s.Topic] == s.TopicID {
			out = append(out, *s)
		}
	}
	slices.SortFunc(out, func(a, b ledger.PartitionState) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition.Partition, b.Partition.Partition))
	})
	return out, nil
}

// Flushes implements ledger.Ledger.
func (m *Memory) Flushes(_ context.Context, p ledger.Partition, from int64, limit int) ([]ledger.Flush, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []ledger.Flush
	for _, f := range m.flushes {
		if placeOf(f.Partition) == placeOf(p) && f.End > from {
			out = append(out, cloneFlush(f))
		}
	}
	slices.SortFunc(out, func(a, b ledger.Flush) int { return cmp.Compare(a.Start, b.Start) })
	return out[:min(len(out), cmp.Or(limit, 100))], nil
}

// PendingEvents returns every event that a commit wrote, oldest first: nothing relays them.
func (m *Memory) PendingEvents(context.Context) ([]events.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.outbox), nil
}

func cloneFlush(f ledger.Flush) ledger.Flush {
	f.Files = slices.Clone(f.Files)
	return f
}
