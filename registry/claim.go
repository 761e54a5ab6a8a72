package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/signalbox-ml/signalbox/events"
)

// maxExecutor bounds the name of an executor, in bytes.
const maxExecutor = 128

// ClaimRun gives an attempt to the first executor that asks: a cluster may start the same job twice, and only one of the
// two may leave anything. ErrRunMoved for any other executor, and for any other attempt than the run's. The same one again
// is a success.
func (r *Registry) ClaimRun(ctx context.Context, id RunID, attempt int, executor string) (Run, error) {
	if executor == "" || len(executor) > maxExecutor {
		return Run{}, fmt.Errorf("claim run %s: %w", id, invalid("/executor", "want 1 to %d bytes", maxExecutor))
	}
	for {
		run, err := r.catalog.Run(ctx, id)
		if err != nil {
			return Run{}, fmt.Errorf("claim run %s: %w", id, err)
		}
		taken := run.Executor != "" && run.Executor != executor
		if run.Attempt != attempt || run.State != RunQueued && run.State != RunRunning || taken {
			return run, fmt.Errorf("claim run %s: it is %s at attempt %d: %w", id, run.State, run.Attempt, ErrRunMoved)
		}
		if run.State == RunRunning && run.Executor == executor {
			return run, nil
		}
		c := RunChange{
			ID: id, From: []RunState{run.State}, FromAttempt: attempt, To: RunRunning, Attempt: attempt, Executor: executor,
			Reason:    "executed by " + executor,
			Artifacts: map[string]string{ArtifactLogs: ArtifactKey(id, attempt, ArtifactLogs)},
		}
		typ := ""
		if run.State == RunQueued {
			typ = events.TypeRunStarted
		}
		// Who follows the job may see it run at the same moment: then the next round finds it running.
		run, err = r.change(ctx, c, typ)
		if !errors.Is(err, ErrRunMoved) || run.State.Final() {
			return run, err
		}
	}
}

// NoteRun adds to the history of a run that waits why it does. ErrRunMoved where it waits no more.
func (r *Registry) NoteRun(ctx context.Context, id RunID, attempt int, reason string) (Run, error) {
	state := RunQueued
	if attempt == 0 {
		state = RunRequested
	}
	return r.change(ctx, RunChange{
		ID: id, From: []RunState{state}, FromAttempt: attempt, To: state, Attempt: attempt, Reason: reason,
	}, "")
}
