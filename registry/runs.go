package registry

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// QueueRun takes a requested run for its first attempt, on a compute class. A run that is there already is a success.
func (r *Registry) QueueRun(ctx context.Context, id RunID, class string) (Run, error) {
	return r.change(ctx, RunChange{ID: id, From: []RunState{RunRequested}, To: RunQueued, Attempt: 1, ComputeClass: class}, "")
}

// StartRun notes that an attempt runs, and where it leaves what. Fenced: ErrRunMoved for any other attempt than the
// run's.
func (r *Registry) StartRun(ctx context.Context, id RunID, attempt int, artifacts map[string]string) (Run, error) {
	return r.change(ctx, RunChange{
		ID: id, From: []RunState{RunQueued}, FromAttempt: attempt, To: RunRunning, Attempt: attempt, Artifacts: artifacts,
	}, events.TypeRunStarted)
}

// RetryRun gives an attempt up and queues the next one, on a compute class ("": the same). Fenced: ErrRunMoved for any
// other attempt than the run's.
func (r *Registry) RetryRun(ctx context.Context, id RunID, attempt int, class, reason string) (Run, error) {
	return r.change(ctx, RunChange{
		ID: id, From: []RunState{RunQueued, RunRunning}, FromAttempt: attempt, To: RunQueued, Attempt: attempt + 1, Reason: reason,
		ComputeClass: class,
	}, "")
}

// CompleteRun ends a run with its package, which must be published. Fenced: one attempt gets through once, and a repeat
// of that same call is a success. The package is announced, but for a trial's: CompleteSweep does so for the best one.
func (r *Registry) CompleteRun(ctx context.Context, id RunID, attempt int, pkg cas.Digest, artifacts map[string]string) (Run, error) {
	p, err := r.catalog.Package(ctx, pkg)
	if errors.Is(err, ErrNotFound) {
		return Run{}, fmt.Errorf("complete run %s: %w", id, invalid("/package", "%s is not published: put its manifest first", pkg))
	} else if err != nil {
		return Run{}, fmt.Errorf("complete run %s: %w", id, err)
	}
	run, err := r.catalog.Run(ctx, id)
	if err != nil {
		return Run{}, fmt.Errorf("complete run %s: %w", id, err)
	}
	if run.Attempt == attempt && !run.State.Final() {
		// Stated before the run ends, because afterwards nobody might come back to do it. Should somebody fence the attempt
		// meanwhile, it stays true that it made the package.
		if err := r.attestProvenance(ctx, run, attempt, p); err != nil {
			return Run{}, fmt.Errorf("complete run %s: %w", id, err)
		}
	}
	var evs []events.Event
	if run.Sweep.IsZero() { // of the trials of a sweep only the best one is announced, at the sweep's end
		published, err := r.published(ctx, run, p)
		if err != nil {
			return Run{}, fmt.Errorf("complete run %s: %w", id, err)
		}
		evs = append(evs, published)
	}
	return r.change(ctx, RunChange{
		// A short attempt may end before anybody saw it start.
		ID: id, From: []RunState{RunQueued, RunRunning}, FromAttempt: attempt, To: RunComplete, Attempt: attempt, Package: pkg,
		Artifacts: artifacts,
	}, events.TypeRunSucceeded, evs...)
}

// published is the event by which others learn of the package that a run left.
func (r *Registry) published(ctx context.Context, run Run, p Package) (events.Event, error) {
	return r.event(ctx, events.TypePackagePublished, p.ID.String(), run.ID.String()+"/published", now(), events.PackagePublished{
		Package: p.ID.String(), Model: string(run.Model), RunID: run.ID.String(), Dataset: text(run.Dataset), Format: p.Format, Size: p.Size,
	})
}

// FailRun ends a run for good. Attempt is 0 for one that was never queued. Fenced: ErrRunMoved for any other attempt
// than the run's.
func (r *Registry) FailRun(ctx context.Context, id RunID, attempt int, e events.Exception, artifacts map[string]string) (Run, error) {
	return r.change(ctx, RunChange{
		ID: id, From: []RunState{RunRequested, RunQueued, RunRunning}, FromAttempt: attempt, To: RunFailed, Attempt: attempt,
		Reason: e.Type, Exception: &e, Artifacts: artifacts,
	}, events.TypeRunFailed)
}

// CancelRun ends a run at whichever attempt it is. One that ended in another way is ErrRunMoved.
func (r *Registry) CancelRun(ctx context.Context, id RunID, reason string) (Run, error) {
	for {
		run, err := r.catalog.Run(ctx, id)
		if err != nil {
			return Run{}, fmt.Errorf("cancel run %s: %w", id, err)
		}
		out, err := r.change(ctx, RunChange{
			ID: id, From: []RunState{RunRequested, RunQueued, RunRunning}, FromAttempt: run.Attempt, To: RunCancelled,
			Attempt: run.Attempt, Reason: reason,
		}, events.TypeRunCancelled)
		// An attempt that ended meanwhile is no reason to give up; attempts are bounded, so this ends.
		if !errors.Is(err, ErrRunMoved) || out.State.Final() {
			return out, err
		}
	}
}

// change moves a run and writes the event of its type, if any, behind the others.
func (r *Registry) change(ctx context.Context, c RunChange, typ string, evs ...events.Event) (Run, error) {
	c.At = now()
	run, err := r.catalog.Run(ctx, c.ID)
	if err != nil {
		return Run{}, fmt.Errorf("run %s: %w", c.ID, err)
	}
	if err := checkArtifacts(c); err != nil {
		return run, fmt.Errorf("run %s to %s: %w", c.ID, c.To, err)
	}
	if typ != "" {
		after := run
		after.State, after.Attempt, after.Package, after.Exception, after.Updated = c.To, c.Attempt, c.Package, c.Exception, c.At
		ev, err := r.runEvent(ctx, typ, after, c.ID.String()+"/"+string(c.To)+"/"+strconv.Itoa(c.Attempt))
		if err != nil {
			return run, fmt.Errorf("run %s to %s: %w", c.ID, c.To, err)
		}
		evs = append(evs, ev)
	}
	out, err := r.catalog.ChangeRun(ctx, c, evs...)
	if errors.Is(err, ErrRunMoved) && out.State == c.To && out.Attempt == c.Attempt && out.Package == c.Package &&
		(c.Executor == "" || out.Executor == c.Executor) {
		return out, nil // this very change was made before: its answer was lost
	}
	if err != nil {
		return out, fmt.Errorf("run %s to %s: %w", c.ID, c.To, err)
	}
	return out, nil
}

func (r *Registry) runEvent(ctx context.Context, typ string, run Run, id string) (events.Event, error) {
	data := events.RunChanged{
		RunID: run.ID.String(), RunKey: run.Key.String(), Model: string(run.Model), Dataset: text(run.Dataset),
		Attempt: run.Attempt, State: string(run.State), Package: text(run.Package), Exception: run.Exception,
	}
	return r.event(ctx, typ, run.ID.String(), id, run.Updated, data)
}

// text is a digest in an event, where the zero digest is left out.
func text(d cas.Digest) string {
	if d.IsZero() {
		return ""
	}
	return d.String()
}
