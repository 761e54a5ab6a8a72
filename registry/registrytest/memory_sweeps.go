package registrytest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
)

// CreateSweep implements registry.Sweeps.
func (m *Memory) CreateSweep(_ context.Context, s registry.Sweep, evs ...events.Event) (registry.Sweep, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if have, ok := m.sweeps[s.ID]; ok {
		out, err := cloneSweep(have, false)
		return out, false, err
	}
	s, err := cloneSweep(&s, false)
	if err != nil {
		return registry.Sweep{}, false, err
	}
	s.Updated = s.Created
	s.History = []registry.SweepTransition{{State: s.State, Reason: s.Reason, At: s.Created}}
	m.sweeps[s.ID] = &s
	m.emit(evs)
	out, err := cloneSweep(&s, false)
	return out, true, err
}

// ChangeSweep implements registry.Sweeps.
func (m *Memory) ChangeSweep(_ context.Context, c registry.SweepChange, evs ...events.Event) (registry.Sweep, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.sweeps[c.ID]
	if !ok {
		return registry.Sweep{}, fmt.Errorf("sweep %s: %w", c.ID, registry.ErrNotFound)
	}
	if s.State != registry.SweepRunning {
		out, err := cloneSweep(s, false)
		if err != nil {
			return out, err
		}
		return out, fmt.Errorf("sweep %s is %s: %w", s.ID, s.State, registry.ErrSweepMoved)
	}
	s.State, s.Best, s.Reason, s.Updated = c.To, c.Best, c.Reason, c.At
	s.History = append(s.History, registry.SweepTransition{State: c.To, Reason: c.Reason, At: c.At})
	m.emit(evs)
	return cloneSweep(s, false)
}

// Sweep implements registry.Sweeps.
func (m *Memory) Sweep(_ context.Context, id registry.SweepID) (registry.Sweep, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.sweeps[id]
	if !ok {
		return registry.Sweep{}, fmt.Errorf("sweep %s: %w", id, registry.ErrNotFound)
	}
	return cloneSweep(s, true)
}

// ListSweeps implements registry.Sweeps.
func (m *Memory) ListSweeps(_ context.Context, f registry.SweepFilter) ([]registry.Sweep, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []registry.Sweep
	for _, s := range m.sweeps {
		if (f.Model == "" || s.Model == f.Model) && (len(f.States) == 0 || slices.Contains(f.States, s.State)) &&
			(f.After.IsZero() || newer(f.After, s.Cursor()) < 0) {
			copied, err := cloneSweep(s, false)
			if err != nil {
				return nil, err
			}
			out = append(out, copied)
		}
	}
	return page(out, f.Limit, func(a, b registry.Sweep) int { return newer(a.Cursor(), b.Cursor()) }), nil
}

// cloneSweep shares nothing with s: its search goes through JSON, as in a database.
func cloneSweep(s *registry.Sweep, history bool) (registry.Sweep, error) {
	out := *s
	out.Request, out.Search, out.History = slices.Clone(s.Request), registry.Search{}, nil
	if history {
		out.History = slices.Clone(s.History)
	}
	b, err := json.Marshal(s.Search)
	if err != nil {
		return registry.Sweep{}, err
	}
	return out, json.Unmarshal(b, &out.Search)
}
