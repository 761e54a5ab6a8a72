package train

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/signalbox-ml/signalbox/registry"
)

// maxActive bounds the runs with a job that one look goes over, maxWaiting those without one. However many wait, a look
// costs the same; among the oldest priority decides.
const (
	maxActive  = 10_000
	maxWaiting = 1_000
)

// look begins the next step of every run that has none under way. Errors are logged: the next look tries again.
func (m *Machine) look(ctx context.Context) {
	active, all, err := m.list(ctx)
	if err != nil {
		m.cfg.Log.WarnContext(ctx, "runs not listed", "error", err)
		return
	}
	m.readNotes(active, all)
	m.finishOthers(ctx, active)
	for _, a := range m.admit(ctx, active) {
		j := m.follow(ctx, a)
		if !j.idle() {
			continue
		}
		if j.why != "" && a.run.State == registry.RunQueued {
			m.note(a.run, j.why)
		}
		j.do(func() {
			if err := m.step(ctx, a, j); err != nil && ctx.Err() == nil {
				m.cfg.Log.WarnContext(ctx, "run not moved", "run_id", a.run.ID, "attempt", a.run.Attempt, "error", err)
			}
		})
	}
	m.writeNotes(ctx)
	m.sweep(ctx)
}

// fullFor is how long nobody looks at those who wait while every slot is taken.
const fullFor = 5 * time.Second

// list returns the runs that have a job, and those that wait for one if there may be a slot: then these are all, but for
// what is beyond the bounds.
func (m *Machine) list(ctx context.Context) (active []registry.Run, all bool, err error) {
	active, err = m.cfg.Runs.Runs(ctx, registry.RunFilter{
		States: []registry.RunState{registry.RunQueued, registry.RunRunning}, Limit: maxActive,
	})
	if err != nil {
		return nil, false, err
	}
	// Jobs that a queue outside holds back take no slot, so where there are such classes the count says nothing.
	queued := slices.ContainsFunc(m.classes, func(c Class) bool { return c.Queued })
	if !queued && len(active) >= m.cfg.MaxParallel && time.Since(m.listed) < fullFor {
		return active, false, nil
	}
	m.listed = time.Now()
	waiting, err := m.cfg.Runs.Runs(ctx, registry.RunFilter{States: []registry.RunState{registry.RunRequested}, Limit: maxWaiting, Oldest: true})
	return append(active, waiting...), true, err
}

// finishOthers ends what was followed and is not active at that attempt any more.
func (m *Machine) finishOthers(ctx context.Context, active []registry.Run) {
	alive := map[Attempt]bool{}
	for _, run := range active {
		alive[Attempt{run.ID, run.Attempt}] = true
	}
	for at, j := range m.jobs {
		switch {
		case alive[at] || !j.idle():
		case j.over:
			delete(m.jobs, at)
		default:
			j.do(func() {
				err := m.finish(ctx, at, j)
				if j.over = err == nil; !j.over && !errors.Is(err, ErrEnding) { // the next look tries again
					m.cfg.Log.WarnContext(ctx, "attempt not cleaned up", "run_id", at.Run, "attempt", at.N, "error", err)
				}
			})
		}
	}
}

// finish keeps the log of an attempt that is over and makes the backend forget it.
func (m *Machine) finish(ctx context.Context, at Attempt, j *job) error {
	leaves := m.leaves(ctx, at, j) // before the copy, which then has everything
	j.tail = tail{}                // the job may have sent the rest itself
	if err := m.copyLog(ctx, at, j); errors.Is(err, errUnread) && time.Since(j.leaving) > unreadWithin {
		m.cfg.Log.WarnContext(ctx, "log not complete", "run_id", at.Run, "attempt", at.N, "error", err)
	} else if err != nil {
		return err
	}
	if leaves {
		return ErrEnding
	}
	if j.backend != nil {
		if err := j.backend.Cancel(ctx, at.Run, at.N); err != nil {
			return err
		}
	}
	if err := m.keepLog(ctx, at); err != nil {
		return err
	}
	m.end(ctx, j, at)
	return nil
}

// unreadWithin is how long an attempt that is over keeps its job because nobody hands out the log: its node may be silent
// for good.
const unreadWithin = time.Minute

// leaveWithin is what a job that has reported its end may take to send the rest of its log and to go.
const leaveWithin = 20 * time.Second

// leaves reports that a job is about to end by itself. One that was cancelled, or has another attempt behind it, is not
// waited for.
func (m *Machine) leaves(ctx context.Context, at Attempt, j *job) bool {
	if j.leaving.IsZero() {
		j.leaving = time.Now()
	}
	if j.backend == nil || time.Since(j.leaving) > leaveWithin {
		return false
	}
	run, err := m.cfg.Runs.Run(ctx, at.Run)
	if err != nil || run.Attempt != at.N || run.State == registry.RunCancelled {
		return false
	}
	st, err := j.backend.Status(ctx, at.Run, at.N)
	return err == nil && st.Phase == PhaseRunning
}

// adopt takes up attempts that ended while nobody looked.
func (m *Machine) adopt(ctx context.Context) error {
	recent, err := m.cfg.Runs.Runs(ctx, registry.RunFilter{
		States: []registry.RunState{registry.RunComplete, registry.RunFailed, registry.RunCancelled},
	})
	if err != nil {
		return err
	}
	var errs []error
	for _, run := range recent {
		at := Attempt{run.ID, run.Attempt}
		if run.Attempt == 0 {
			continue // it never had a job
		}
		if kept, err := m.hasLog(ctx, at); err != nil || kept {
			errs = append(errs, err)
			continue
		}
		var j job
		if class, ok := m.classes.find(run.ComputeClass); ok {
			j.backend = class.Backend
		}
		m.jobs[at] = &j // the first look finishes it
	}
	return errors.Join(errs...)
}

// leave copies what the jobs have written so far, and waits for what is under way.
func (m *Machine) leave(ctx context.Context) {
	var g errgroup.Group
	for at, j := range m.jobs {
		g.Go(func() error {
			j.wait()
			m.tryLog(ctx, at, j)
			if j.span != nil {
				j.span.End()
			}
			return nil
		})
	}
	_ = g.Wait() // what could not be copied is logged
	m.notes.wait()
	m.sweeper.wait()
}
