package train

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/signalbox-ml/signalbox/registry"
)

// maxActive bounds how many runs one look goes over.
const maxActive = 10_000

// look brings every run one step further. Errors are logged: the next look tries again.
func (m *Machine) look(ctx context.Context) {
	active, err := m.cfg.Runs.Runs(ctx, registry.RunFilter{
		States: []registry.RunState{registry.RunRequested, registry.RunQueued, registry.RunRunning}, Limit: maxActive,
	})
	if err != nil {
		m.cfg.Log.WarnContext(ctx, "runs not listed", "error", err)
		return
	}
	m.finishOthers(ctx, active)
	var g errgroup.Group
	for _, run := range m.admit(ctx, active) {
		j := m.follow(ctx, run)
		g.Go(func() error {
			if err := m.step(ctx, run, j); err != nil && ctx.Err() == nil {
				m.cfg.Log.WarnContext(ctx, "run not moved", "run_id", run.ID, "attempt", run.Attempt, "error", err)
			}
			return nil
		})
	}
	_ = g.Wait() // the steps log what they could not do
}

// admit picks the runs that have a slot: those that run keep theirs, then the ones that wait longest.
func (m *Machine) admit(ctx context.Context, active []registry.Run) []registry.Run {
	slices.SortStableFunc(active, func(a, b registry.Run) int {
		if ra, rb := a.State == registry.RunRunning, b.State == registry.RunRunning; ra != rb {
			if ra {
				return -1
			}
			return 1
		}
		return a.Created.Compare(b.Created)
	})
	var out []registry.Run
	for _, run := range active {
		if len(out) >= m.cfg.MaxParallel && run.State != registry.RunRunning {
			break
		}
		if run.State == registry.RunRequested {
			queued, err := m.cfg.Runs.QueueRun(ctx, run.ID)
			if err != nil {
				if !errors.Is(err, registry.ErrRunMoved) { // somebody cancelled it
					m.cfg.Log.WarnContext(ctx, "run not queued", "run_id", run.ID, "error", err)
				}
				continue
			}
			run = queued
		}
		out = append(out, run)
	}
	return out
}

// finishOthers ends what was followed and is not active at that attempt any more.
func (m *Machine) finishOthers(ctx context.Context, active []registry.Run) {
	alive := map[attempt]bool{}
	for _, run := range active {
		alive[attempt{run.ID, run.Attempt}] = true
	}
	for at, j := range m.jobs {
		if alive[at] {
			continue
		}
		if err := m.finish(ctx, at, j); err != nil {
			m.cfg.Log.WarnContext(ctx, "attempt not cleaned up", "run_id", at.run, "attempt", at.n, "error", err)
			continue
		}
		delete(m.jobs, at)
	}
}

// finish keeps the log of an attempt that is over and makes the backend forget it.
func (m *Machine) finish(ctx context.Context, at attempt, j *job) error {
	if err := m.copyLog(ctx, at, &j.tail); err != nil {
		return err
	}
	if err := m.keepLog(ctx, at); err != nil {
		return err
	}
	if err := m.cfg.Backend.Cancel(ctx, at.run, at.n); err != nil {
		return err
	}
	m.end(ctx, j, at)
	return nil
}

// adopt finishes attempts that ended while nobody looked.
func (m *Machine) adopt(ctx context.Context) error {
	recent, err := m.cfg.Runs.Runs(ctx, registry.RunFilter{
		States: []registry.RunState{registry.RunComplete, registry.RunFailed, registry.RunCancelled},
	})
	if err != nil {
		return err
	}
	var errs []error
	for _, run := range recent {
		at := attempt{run.ID, run.Attempt}
		if run.Attempt == 0 {
			continue // it never had a job
		}
		if kept, err := m.hasLog(ctx, at); err != nil || kept {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, m.finish(ctx, at, &job{}))
	}
	return errors.Join(errs...)
}

// leave copies what the jobs have written so far.
func (m *Machine) leave(ctx context.Context) {
	for at, j := range m.jobs {
		if err := m.copyLog(ctx, at, &j.tail); err != nil {
			m.cfg.Log.WarnContext(ctx, "log not copied", "run_id", at.run, "attempt", at.n, "error", err)
		}
		j.span.End()
	}
}
