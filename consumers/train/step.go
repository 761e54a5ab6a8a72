package train

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// step moves one run that has a slot.
func (m *Machine) step(ctx context.Context, a attemptOf, j *job) error {
	ctx = j.within(ctx)
	at, run := a.id(), a.run
	if a.fresh {
		return m.submit(ctx, a, j)
	}
	st, err := j.backend.Status(ctx, run.ID, run.Attempt)
	switch {
	case errors.Is(err, ErrNoJob) && run.State == registry.RunQueued:
		return m.submit(ctx, a, j)
	case errors.Is(err, ErrNoJob):
		return m.ended(ctx, a, lost())
	case err != nil:
		return fmt.Errorf("status of run %s: %w", run.ID, err)
	}
	j.why = ""
	switch st.Phase {
	case PhasePending:
		j.why = st.Reason
	case PhaseRunning:
		if run.State == registry.RunQueued {
			if _, err := m.cfg.Runs.StartRun(ctx, run.ID, run.Attempt, m.logArtifact(at)); err != nil {
				return ignoreMoved(err)
			}
		}
		m.tryLog(ctx, at, j)
	case PhaseSucceeded, PhaseFailed:
		// Before the run moves on: whoever comes after a crash does not look for an attempt that is not the newest.
		m.tryLog(ctx, at, j)
		return m.ended(ctx, a, unreported(st))
	}
	return nil
}

// submit hands an attempt to the backend, after the pause that a retry deserves.
func (m *Machine) submit(ctx context.Context, a attemptOf, j *job) error {
	run := a.run
	if n := run.Attempt - 1; n > 0 && time.Since(run.Updated) < m.cfg.RetryDelay<<min(n-1, 6) {
		return nil
	}
	spec, err := m.build(ctx, a)
	if errors.Is(err, registry.ErrNotFound) || errors.Is(err, bucket.ErrNotFound) || errors.Is(err, manifest.ErrInvalid) {
		return m.ended(ctx, a, invalid(err))
	}
	if err != nil {
		return fmt.Errorf("build job: %w", err)
	}
	if err := a.class.Backend.Submit(ctx, spec); errors.Is(err, manifest.ErrInvalid) {
		return m.ended(ctx, a, invalid(err))
	} else if err != nil {
		j.why = "waits for its backend: the job could not be handed over, the log of the role train says why"
		return fmt.Errorf("submit job: %w", err)
	}
	j.why = ""
	m.cfg.Log.InfoContext(ctx, "job submitted", "run_id", run.ID, "attempt", run.Attempt, "model", run.Model,
		"compute_class", a.class.Name)
	return nil
}

// ended judges an attempt that is over, unless it has reported meanwhile or somebody else has moved the run.
func (m *Machine) ended(ctx context.Context, a attemptOf, e ending) error {
	at := a.id()
	run, err := m.cfg.Runs.Run(ctx, at.Run)
	if err != nil {
		return fmt.Errorf("run %s: %w", at.Run, err)
	}
	if run.State.Final() || run.Attempt != at.N {
		return nil
	}
	m.cfg.Log.InfoContext(ctx, "attempt ended without a report", "run_id", run.ID, "attempt", run.Attempt, "reason", e.message)
	next := ""
	if e.kind == ExceptionOutOfMemory {
		larger, ok := m.classes.larger(a.class)
		e.retryable, next = ok, larger.Name
		if !ok {
			e.message += "; there is no compute class with more memory than " + a.class.Name
		}
	}
	if m.mayRetry(run, e) {
		_, err := m.cfg.Runs.RetryRun(ctx, run.ID, run.Attempt, next, e.kind+": "+e.message)
		return ignoreMoved(err)
	}
	_, err = m.cfg.Runs.FailRun(ctx, run.ID, run.Attempt, e.exception(m.lastStep(ctx, at)), m.logArtifact(at))
	return ignoreMoved(err)
}

// ignoreMoved makes a lost race a success: who won it has moved the run, and the next look sees where to.
func ignoreMoved(err error) error {
	if errors.Is(err, registry.ErrRunMoved) {
		return nil
	}
	return err
}
