package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/events"
)

// ErrSweepMoved reports a sweep that has ended, or has ended otherwise.
var ErrSweepMoved = errors.New("sweep has ended")

// Sweeps keeps hyperparameter searches. Their trials are runs.
type Sweeps interface {
	// CreateSweep inserts a sweep, or returns the one that has its id (then created is false). Its first transition enters
	// the history with it.
	CreateSweep(ctx context.Context, s Sweep, evs ...events.Event) (sweep Sweep, created bool, err error)
	// ChangeSweep ends a sweep and appends to its history: ErrSweepMoved with the sweep as it stands if it is not running,
	// ErrNotFound if there is none.
	ChangeSweep(ctx context.Context, c SweepChange, evs ...events.Event) (Sweep, error)
	// Sweep returns a sweep with its history.
	Sweep(ctx context.Context, id SweepID) (Sweep, error)
	// ListSweeps returns sweeps without history, newest first.
	ListSweeps(ctx context.Context, f SweepFilter) ([]Sweep, error)
}

// SweepRequest asks for a sweep. The same nonce gives the same one, whatever the rest says by then.
type SweepRequest struct {
	Request json.RawMessage // a training request, as in RunRequest
	Search  json.RawMessage // see ParseSearch
	Nonce   string
}

func sweepNonceID(nonce string) SweepID {
	return SweepID(uuid.NewSHA1(runSpace, []byte("sweep nonce\n"+nonce)))
}

// SweepByNonce returns the sweep that was asked for with a nonce, with its history: ErrNotFound if there was none.
func (r *Registry) SweepByNonce(ctx context.Context, nonce string) (Sweep, error) {
	return r.catalog.Sweep(ctx, sweepNonceID(nonce))
}

// StartSweep creates the sweep that q asks for, or returns the one that is there already (then created is false).
func (r *Registry) StartSweep(ctx context.Context, q SweepRequest) (s Sweep, created bool, err error) {
	if s, err := r.SweepByNonce(ctx, q.Nonce); err == nil || !errors.Is(err, ErrNotFound) {
		return s, false, err
	}
	search, faults := ParseSearch(q.Search)
	faults = under("/search", faults)
	a, err := r.understand(ctx, q.Request)
	if errors.Is(err, ErrInvalid) {
		faults = errors.Join(under("/request", err), faults)
	} else if err != nil {
		return Sweep{}, false, fmt.Errorf("start sweep: %w", err)
	}
	if faults == nil {
		if _, err := overlay(a.request, search.Draw(1)); err != nil {
			faults = invalid("/request/train/custom_params", "%v", err)
		}
	}
	if faults != nil {
		return Sweep{}, false, fmt.Errorf("start sweep: %w", faults)
	}
	if err := r.keepWorkflow(ctx, a.workflow); err != nil {
		return Sweep{}, false, fmt.Errorf("start sweep: %w", err)
	}
	at := now()
	s = Sweep{
		ID: sweepNonceID(q.Nonce), Model: a.model, Dataset: a.dataset, Workflow: a.workflow.Digest, Request: a.request, Search: search,
		Cause: events.Traceparent(ctx), State: SweepRunning, Created: at, Updated: at,
	}
	ev, err := r.sweepEvent(ctx, events.TypeSweepStarted, s, nil)
	if err != nil {
		return Sweep{}, false, fmt.Errorf("start sweep: %w", err)
	}
	s, created, err = r.catalog.CreateSweep(ctx, s, ev)
	if err != nil {
		return Sweep{}, false, fmt.Errorf("start sweep: %w", err)
	}
	return s, created, nil
}

// RequestTrial creates the run of a sweep's n-th trial, from 1, or returns the one that is there already. It depends on
// nothing but the sweep: what is declared by now changes no trial.
func (r *Registry) RequestTrial(ctx context.Context, s Sweep, n int) (run Run, created bool, err error) {
	nonce := "sweep\n" + s.ID.String() + "\n" + strconv.Itoa(n)
	if run, err := r.catalog.Run(ctx, nonceID(nonce)); err == nil || !errors.Is(err, ErrNotFound) {
		return run, false, err
	}
	request, err := overlay(s.Request, s.Search.Draw(n))
	if err != nil {
		return Run{}, false, fmt.Errorf("trial %d of sweep %s: %w", n, s.ID, err)
	}
	a := asked{model: s.Model, workflow: Spec{Digest: s.Workflow}, dataset: s.Dataset, request: request, content: map[string]any{}}
	dec := json.NewDecoder(bytes.NewReader(request))
	dec.UseNumber()
	if err := dec.Decode(&a.content); err != nil {
		return Run{}, false, fmt.Errorf("trial %d of sweep %s: %w", n, s.ID, err)
	}
	a.withoutWho()
	key, err := a.key(nonce)
	if err != nil {
		return Run{}, false, fmt.Errorf("trial %d of sweep %s: %w", n, s.ID, err)
	}
	at := now()
	run = Run{
		ID: nonceID(nonce), Key: key, Model: a.model, Dataset: a.dataset, Workflow: s.Workflow, Sweep: s.ID, Trial: n, Request: request,
		Cause: s.Cause, State: RunRequested, Created: at, Updated: at,
	}
	ev, err := r.runEvent(ctx, events.TypeRunRequested, run, run.ID.String())
	if err != nil {
		return Run{}, false, fmt.Errorf("trial %d of sweep %s: %w", n, s.ID, err)
	}
	if run, created, err = r.catalog.CreateRun(ctx, run, ev); err != nil {
		return Run{}, false, fmt.Errorf("trial %d of sweep %s: %w", n, s.ID, err)
	}
	return run, created, nil
}

// CompleteSweep ends a sweep with its best trial, a complete run, and says that this one's package is published: from here
// on it goes the way of any other. A repeat of the same call is a success, and says nothing twice.
func (r *Registry) CompleteSweep(ctx context.Context, id SweepID, best RunID, reason string) (Sweep, error) {
	run, err := r.catalog.Run(ctx, best)
	if err != nil {
		return Sweep{}, fmt.Errorf("complete sweep %s: %w", id, err)
	}
	if run.Sweep != id || run.State != RunComplete {
		return Sweep{}, fmt.Errorf("complete sweep %s: %w", id, invalid("/best", "run %s is no complete trial of it", best))
	}
	p, err := r.catalog.Package(ctx, run.Package)
	if err != nil {
		return Sweep{}, fmt.Errorf("complete sweep %s: %w", id, err)
	}
	published, err := r.published(ctx, run, p)
	if err != nil {
		return Sweep{}, fmt.Errorf("complete sweep %s: %w", id, err)
	}
	return r.endSweep(ctx, SweepChange{ID: id, To: SweepComplete, Best: best, Reason: reason}, &run, published)
}

// FailSweep ends a sweep without a best trial.
func (r *Registry) FailSweep(ctx context.Context, id SweepID, reason string) (Sweep, error) {
	return r.endSweep(ctx, SweepChange{ID: id, To: SweepFailed, Reason: reason}, nil)
}

// CancelSweep ends a sweep; its trials are cancelled soon after, by whoever looks after sweeps. One that ended in another
// way is ErrSweepMoved.
func (r *Registry) CancelSweep(ctx context.Context, id SweepID, reason string) (Sweep, error) {
	return r.endSweep(ctx, SweepChange{ID: id, To: SweepCancelled, Reason: reason}, nil)
}

func (r *Registry) endSweep(ctx context.Context, c SweepChange, best *Run, evs ...events.Event) (Sweep, error) {
	c.At = now()
	s, err := r.catalog.Sweep(ctx, c.ID)
	if err != nil {
		return Sweep{}, fmt.Errorf("sweep %s: %w", c.ID, err)
	}
	after := s
	after.State, after.Reason, after.Best, after.Updated = c.To, c.Reason, c.Best, c.At
	ev, err := r.sweepEvent(ctx, events.TypeSweepEnded, after, best)
	if err != nil {
		return Sweep{}, fmt.Errorf("sweep %s to %s: %w", c.ID, c.To, err)
	}
	out, err := r.catalog.ChangeSweep(ctx, c, append(evs, ev)...)
	if errors.Is(err, ErrSweepMoved) && out.State == c.To && out.Best == c.Best {
		return out, nil // this very change was made before: its answer was lost
	}
	if err != nil {
		return out, fmt.Errorf("sweep %s to %s: %w", c.ID, c.To, err)
	}
	return out, nil
}

// Sweep returns a sweep with its history.
func (r *Registry) Sweep(ctx context.Context, id SweepID) (Sweep, error) {
	return r.catalog.Sweep(ctx, id)
}

// Sweeps returns sweeps without history, newest first.
func (r *Registry) Sweeps(ctx context.Context, f SweepFilter) ([]Sweep, error) {
	return r.catalog.ListSweeps(ctx, f)
}

func (r *Registry) sweepEvent(ctx context.Context, typ string, s Sweep, best *Run) (events.Event, error) {
	data := events.SweepChanged{
		SweepID: s.ID.String(), Model: string(s.Model), Dataset: text(s.Dataset), State: string(s.State), Reason: s.Reason,
	}
	if best != nil {
		data.Best, data.Package = best.ID.String(), text(best.Package)
	}
	return r.event(ctx, typ, s.ID.String(), s.ID.String()+"/"+string(s.State), s.Updated, data)
}
