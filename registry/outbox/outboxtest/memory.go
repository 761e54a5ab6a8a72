// Package outboxtest holds the suite that every outbox.Source passes, and Memory, the source of tests.
package outboxtest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/outbox"
)

// errCrashed ends a Claim of Memory whose process died.
var errCrashed = errors.New("crashed before commit")

// Memory is an outbox.Source in memory that can crash.
type Memory struct {
	turn sync.Mutex // held by the relay whose turn it is

	mu      sync.Mutex
	events  []events.Event
	crashed bool
	changed chan struct{} // closed and replaced at every Add
	deaf    error
}

var (
	_ outbox.Source = (*Memory)(nil)
	_ outbox.Waker  = (*Memory)(nil)
)

// NewMemory returns an empty source.
func NewMemory() *Memory { return &Memory{changed: make(chan struct{})} }

// Add appends events, as a mutation does.
func (m *Memory) Add(evs ...events.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, evs...)
	close(m.changed)
	m.changed = make(chan struct{})
}

// Len returns how many events wait.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.events)
}

// Crash makes the Claim that is going on fail after its events were published.
func (m *Memory) Crash() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.crashed = true
}

// Deafen makes Wake fail with err, or work again with nil.
func (m *Memory) Deafen(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.deaf = err
	close(m.changed)
	m.changed = make(chan struct{})
}

// Claim implements outbox.Source.
func (m *Memory) Claim(ctx context.Context, n int, publish func(evs []events.Event) error) (int, error) {
	if !m.turn.TryLock() {
		return 0, nil
	}
	defer m.turn.Unlock()
	m.mu.Lock()
	evs := slices.Clone(m.events[:min(n, len(m.events))])
	m.mu.Unlock()
	if len(evs) == 0 || ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if err := publish(evs); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.crashed {
		m.crashed = false
		return 0, errCrashed
	}
	m.events = slices.Clone(m.events[len(evs):])
	return len(evs), nil
}

// Wake implements outbox.Waker.
func (m *Memory) Wake(ctx context.Context, wake func()) error {
	for {
		m.mu.Lock()
		changed, deaf := m.changed, m.deaf
		m.mu.Unlock()
		if deaf != nil {
			return deaf
		}
		wake()
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}
