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
func (m *Machine) step(ctx context.Context, run registry.Run, j *job) error {
	ctx = j.within(ctx)
	at := attempt{run.ID, run.Attempt}
	st, err := m.cfg.Backend.Status(ctx, run.ID, run.Attempt)
	switch {
	case errors.Is(err, ErrNoJob) && run.State == registry.RunQueued:
		return m.submit(ctx, run)
	case errors.Is(err, ErrNoJob):
		return m.ended(ctx, at, lost())
	case err != nil:
		return fmt.Errorf("status of run %s: %w", run.ID, err)
	}
	// A log that cannot be copied now must not keep the run from moving.
	if err := m.copyLog(ctx, at, &j.tail); err != nil {
		m.cfg.Log.WarnContext(ctx, "log not copied", "run_id", run.ID, "attempt", run.Attempt, "error", err)
	}
	switch st.Phase {
	case PhaseRunning:
		if run.State == registry.RunQueued {
			_, err := m.cfg.Runs.StartRun(ctx, run.ID, run.Attempt, m.logArtifact(at))
			return ignoreMoved(err)
		}
	case PhaseSucceeded, PhaseFailed:
		return m.ended(ctx, at, unreported(st))
	}
	return nil
}

// submit hands an attempt to the backend, after the pause that a retry deserves.
func (m *Machine) submit(ctx context.Context, run registry.Run) error {
	if n := run.Attempt - 1; n > 0 && time.Since(run.Updated) < m.cfg.RetryDelay<<min(n-1, 6) {
		return nil
	}
	spec, err := m.build(ctx, run)
	if errors.Is(err, registry.ErrNotFound) || errors.Is(err, bucket.ErrNotFound) || errors.Is(err, manifest.ErrInvalid) {
		return m.ended(ctx, attempt{run.ID, run.Attempt}, invalid(err))
	}
	if err != nil {
		return fmt.Errorf("build job: %w", err)
	}
	if err := m.cfg.Backend.Submit(ctx, spec); err != nil {
		return fmt.Errorf("submit job: %w", err)
	}
	m.cfg.Log.InfoContext(ctx, "job submitted", "run_id", run.ID, "attempt", run.Attempt, "model", run.Model)
	return nil
}

// ended judges an attempt that is over, unless it has reported meanwhile or somebody else has moved the run.
func (m *Machine) ended(ctx context.Context, at attempt, e ending) error {
	run, err := m.cfg.Runs.Run(ctx, at.run)
	if err != nil {
		return fmt.Errorf("run %s: %w", at.run, err)
	}
	if run.State.Final() || run.Attempt != at.n {
		return nil
	}
	m.cfg.Log.InfoContext(ctx, "attempt ended without a report", "run_id", run.ID, "attempt", run.Attempt, "reason", e.message)
	if m.mayRetry(run, e) {
		_, err := m.cfg.Runs.RetryRun(ctx, run.ID, run.Attempt, e.kind+": "+e.message)
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
