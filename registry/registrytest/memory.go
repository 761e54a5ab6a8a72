package registrytest

import (
	"context"
	"slices"
	"sync"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// Memory is a registry.Catalog in memory: one lock around maps, so every call is a transaction.
type Memory struct {
	mu       sync.Mutex
	runs     map[registry.RunID]*registry.Run
	keys     map[cas.Digest]registry.RunID
	blobs    map[cas.Digest]*registry.Blob
	packages map[cas.Digest]registry.Package
	attested []registry.Attestation
	datasets map[cas.Digest]registry.Dataset
	tags     map[registry.Tag][]registry.TagState
	ops      map[tagOp]registry.TagState
	specs    map[specKey][]registry.Spec // every generation
	sweeps   map[registry.SweepID]*registry.Sweep
	outbox   []events.Event
}

type tagOp struct {
	tag registry.Tag
	op  string
}

type specKey struct{ kind, name string }

var _ registry.Catalog = (*Memory)(nil)

// NewMemory returns an empty catalog.
func NewMemory() *Memory {
	return &Memory{
		runs:     map[registry.RunID]*registry.Run{},
		keys:     map[cas.Digest]registry.RunID{},
		blobs:    map[cas.Digest]*registry.Blob{},
		packages: map[cas.Digest]registry.Package{},
		datasets: map[cas.Digest]registry.Dataset{},
		tags:     map[registry.Tag][]registry.TagState{},
		ops:      map[tagOp]registry.TagState{},
		specs:    map[specKey][]registry.Spec{},
		sweeps:   map[registry.SweepID]*registry.Sweep{},
	}
}

// PendingEvents returns every event that a mutation wrote, oldest first: nothing relays them.
func (m *Memory) PendingEvents(context.Context) ([]events.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return cloneEvents(m.outbox), nil
}

// emit needs the lock.
func (m *Memory) emit(evs []events.Event) { m.outbox = append(m.outbox, cloneEvents(evs)...) }

func cloneEvents(evs []events.Event) []events.Event {
	out := make([]events.Event, len(evs))
	for i, ev := range evs {
		out[i] = ev.Clone()
	}
	return out
}

// page sorts newest first and cuts to limit, 100 where it is 0.
func page[T any](all []T, limit int, newer func(a, b T) int) []T {
	slices.SortStableFunc(all, newer)
	if limit == 0 {
		limit = 100
	}
	return all[:min(limit, len(all))]
}
