package registrytest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
)

// CreateRun implements registry.Runs.
func (m *Memory) CreateRun(_ context.Context, r registry.Run, evs ...events.Event) (registry.Run, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if id, ok := m.keys[r.Key]; ok {
		return cloneRun(m.runs[id], false), false, nil
	}
	if _, ok := m.runs[r.ID]; ok {
		return registry.Run{}, false, fmt.Errorf("create run %s: the id belongs to another key", r.ID)
	}
	r = cloneRun(&r, false)
	r.History = []registry.Transition{{State: r.State, Attempt: r.Attempt, ComputeClass: r.ComputeClass, At: r.Created}}
	r.Updated = r.Created
	m.runs[r.ID], m.keys[r.Key] = &r, r.ID
	m.emit(evs)
	return cloneRun(&r, false), true, nil
}

// ChangeRun implements registry.Runs.
func (m *Memory) ChangeRun(_ context.Context, c registry.RunChange, evs ...events.Event) (registry.Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.runs[c.ID]
	if !ok {
		return registry.Run{}, fmt.Errorf("run %s: %w", c.ID, registry.ErrNotFound)
	}
	if r.Attempt != c.FromAttempt || !slices.Contains(c.From, r.State) || c.Executor != "" && r.Executor != "" && r.Executor != c.Executor {
		return cloneRun(r, false), fmt.Errorf("run %s is %s at attempt %d: %w", r.ID, r.State, r.Attempt, registry.ErrRunMoved)
	}
	if c.Attempt != r.Attempt {
		r.Executor = ""
	}
	r.Executor = cmp.Or(c.Executor, r.Executor)
	r.ComputeClass = cmp.Or(c.ComputeClass, r.ComputeClass)
	r.State, r.Attempt, r.Updated = c.To, c.Attempt, c.At
	if !c.Package.IsZero() {
		r.Package = c.Package
	}
	if c.Exception != nil {
		e := *c.Exception
		r.Exception = &e
	}
	if len(c.Artifacts) > 0 && r.Artifacts == nil {
		r.Artifacts = map[string]string{}
	}
	maps.Copy(r.Artifacts, c.Artifacts)
	r.History = append(r.History, registry.Transition{
		State: c.To, Attempt: c.Attempt, Reason: c.Reason, ComputeClass: r.ComputeClass, At: c.At,
	})
	m.emit(evs)
	return cloneRun(r, false), nil
}

// Run implements registry.Runs.
func (m *Memory) Run(_ context.Context, id registry.RunID) (registry.Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.runs[id]
	if !ok {
		return registry.Run{}, fmt.Errorf("run %s: %w", id, registry.ErrNotFound)
	}
	return cloneRun(r, true), nil
}

// ListRuns implements registry.Runs.
func (m *Memory) ListRuns(_ context.Context, f registry.RunFilter) ([]registry.Run, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []registry.Run
	for _, r := range m.runs {
		if selects(f, r) {
			out = append(out, cloneRun(r, false))
		}
	}
	return page(out, f.Limit, func(a, b registry.Run) int {
		if f.Oldest {
			a, b = b, a
		}
		return newer(a.Cursor(), b.Cursor())
	}), nil
}

// newer orders a before b in a list.
func newer(a, b registry.RunCursor) int {
	return cmp.Or(b.Created.Compare(a.Created), bytes.Compare(b.ID[:], a.ID[:]))
}

func selects(f registry.RunFilter, r *registry.Run) bool {
	var says struct {
		Project, Owner, Trainer string
		Train                   struct {
			Workflow string `json:"workflow_name"`
		}
	}
	_ = json.Unmarshal(r.Request, &says) // what it does not say is empty
	is := func(want, have string) bool { return want == "" || want == have }
	return is(string(f.Model), string(r.Model)) && is(f.Project, says.Project) && is(f.Owner, says.Owner) && is(f.Trainer, says.Trainer) &&
		(len(f.States) == 0 || slices.Contains(f.States, r.State)) &&
		(len(f.Workflows) == 0 || slices.Contains(f.Workflows, says.Train.Workflow)) &&
		(f.Sweep.IsZero() || r.Sweep == f.Sweep) &&
		(f.Dataset.IsZero() || r.Dataset == f.Dataset) && (f.Package.IsZero() || r.Package == f.Package) &&
		(f.Since.IsZero() || !r.Created.Before(f.Since)) && (f.Until.IsZero() || r.Created.Before(f.Until)) &&
		(f.After.IsZero() || newer(f.After, r.Cursor()) < 0)
}

func cloneRun(r *registry.Run, history bool) registry.Run {
	out := *r
	out.Request = slices.Clone(r.Request)
	out.Artifacts = maps.Clone(r.Artifacts)
	out.History = nil
	if history {
		out.History = slices.Clone(r.History)
	}
	if r.Exception != nil {
		e := *r.Exception
		out.Exception = &e
	}
	return out
}
