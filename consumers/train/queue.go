package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
)

// Project is what the runs of one project may take.
type Project struct {
	MaxParallel int // jobs at once; 0: no limit of its own
	Priority    int // added to that of each of its runs
}

// waiting is a requested run and what decides about its turn.
type waiting struct {
	run      registry.Run
	ask      request
	class    Class
	priority float64
}

// slots counts what is taken.
type slots struct {
	cfg      *Config
	all      int
	classes  map[string]int
	projects map[string]int
}

func (s *slots) take(c Class, project string) {
	s.projects[project]++
	if c.Queued {
		return
	}
	s.all++
	s.classes[c.Name]++
}

// full says why a run must wait, in words that stay the same while it does; "" where it need not.
func (s *slots) full(c Class, project string) string {
	if c.Queued {
		return ""
	}
	limit := s.cfg.project(project).MaxParallel
	switch {
	case s.all >= s.cfg.MaxParallel:
		return fmt.Sprintf("waits for a free slot: %d jobs may run at once", s.cfg.MaxParallel)
	case c.MaxParallel > 0 && s.classes[c.Name] >= c.MaxParallel:
		return fmt.Sprintf("waits for a free slot of compute class %s: %d jobs may run at once", c.Name, c.MaxParallel)
	case limit > 0 && s.projects[project] >= limit:
		return fmt.Sprintf("waits for its turn: project %s may run %d jobs at once", cmp.Or(project, "(none)"), limit)
	}
	return ""
}

// admit returns the runs that have a job, or get one now: those that have one keep it, then the others by priority. A
// run's priority grows while it waits, so that none waits for ever.
func (m *Machine) admit(ctx context.Context, active []registry.Run) []attemptOf {
	var out []attemptOf
	var queue []waiting
	taken := slots{cfg: &m.cfg, classes: map[string]int{}, projects: map[string]int{}}
	for _, run := range active {
		ask, err := readRequest(run.Request)
		class, ok := m.classes.of(run, ask.class())
		if err != nil || !ok {
			m.giveUp(ctx, run, ask, err)
			continue
		}
		if run.State == registry.RunRequested {
			queue = append(queue, waiting{run, ask, class, m.priority(run, ask)})
			continue
		}
		taken.take(class, ask.Project)
		out = append(out, attemptOf{run: run, class: class})
	}
	slices.SortStableFunc(queue, func(a, b waiting) int {
		return cmp.Or(-cmp.Compare(a.priority, b.priority), a.run.Created.Compare(b.run.Created))
	})
	for _, w := range queue {
		if why := taken.full(w.class, w.ask.Project); why != "" {
			m.note(w.run, why)
			continue
		}
		run, err := m.cfg.Runs.QueueRun(ctx, w.run.ID, w.class.Name)
		if err != nil {
			if !errors.Is(err, registry.ErrRunMoved) { // somebody cancelled it
				m.cfg.Log.WarnContext(ctx, "run not queued", "run_id", w.run.ID, "error", err)
			}
			continue
		}
		taken.take(w.class, w.ask.Project)
		out = append(out, attemptOf{run: run, class: w.class, fresh: true})
	}
	return out
}

// priority is what a run has by request and project, and one more for each Config.Aging that it has waited.
func (m *Machine) priority(run registry.Run, ask request) float64 {
	own := float64(ask.Priority + m.cfg.project(ask.Project).Priority)
	return own + float64(time.Since(run.Created))/float64(m.cfg.Aging)
}

func (c *Config) project(name string) Project {
	if p, ok := c.Projects[name]; ok {
		return p
	}
	return c.EachProject
}

// giveUp ends a run whose request cannot be read or names a class that is no longer offered.
func (m *Machine) giveUp(ctx context.Context, run registry.Run, ask request, err error) {
	if err == nil {
		err = fmt.Errorf("there is no compute class %q: ask for another, or have it configured", cmp.Or(run.ComputeClass, ask.class()))
	}
	if err := m.ended(ctx, attemptOf{run: run}, invalid(err)); err != nil {
		m.cfg.Log.WarnContext(ctx, "run not moved", "run_id", run.ID, "error", err)
	}
}
