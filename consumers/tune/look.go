package tune

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
)

const (
	// maxSweeps bounds how many sweeps are looked after at once; the others wait.
	maxSweeps = 1000
	// maxActive bounds how many runs one look goes over in its search for trials that nobody wants.
	maxActive = 10_000
)

// look brings every sweep one step further. Errors are logged: the next look tries again.
func (w *Worker) look(ctx context.Context) {
	running, err := w.cfg.Sweeps.Sweeps(ctx, registry.SweepFilter{States: []registry.SweepState{registry.SweepRunning}, Limit: maxSweeps})
	if err != nil {
		w.cfg.Log.WarnContext(ctx, "sweeps not listed", "error", err)
		return
	}
	seen := map[registry.RunID]bool{}
	for _, s := range running {
		if err := w.step(ctx, s, seen); err != nil && ctx.Err() == nil {
			w.cfg.Log.WarnContext(ctx, "sweep not moved", "sweep_id", s.ID, "error", err)
		}
	}
	unseen := func(id registry.RunID) bool { return !seen[id] }
	maps.DeleteFunc(w.known, func(id registry.RunID, _ trial) bool { return unseen(id) })
	maps.DeleteFunc(w.series, func(id registry.RunID, _ *series) bool { return unseen(id) })
	if !w.mayBeLeft(running) {
		return
	}
	if err := w.cancelLeft(ctx, running); err != nil && ctx.Err() == nil {
		w.cfg.Log.WarnContext(ctx, "trials of ended sweeps not cancelled", "error", err)
	}
}

// step moves one sweep. It adds the trials that it has read to seen.
func (w *Worker) step(ctx context.Context, s registry.Sweep, seen map[registry.RunID]bool) error {
	trials, err := w.trials(ctx, s, seen)
	if err != nil {
		return err
	}
	spent := s.Search.MaxSeconds > 0 && seconds(trials) >= s.Search.MaxSeconds
	active := 0
	for _, t := range trials {
		var reason string
		switch {
		case t.run.State.Final():
			continue
		case spent:
			reason = budgetReason(s.Search)
		default:
			reason = stop(s.Search, t, trials)
		}
		if reason == "" {
			active++
			continue
		}
		if err := w.cancel(ctx, t.run.ID, reason); err != nil {
			return err
		}
	}
	asked := map[int]bool{}
	for _, t := range trials {
		asked[t.run.Trial] = true
	}
	for n := 1; n <= s.Search.Trials && active < s.Search.Parallel && !spent; n++ {
		if asked[n] {
			continue
		}
		if _, _, err := w.cfg.Sweeps.RequestTrial(ctx, s, n); err != nil {
			return err
		}
		asked[n] = true
		active++
	}
	if active == 0 {
		return w.end(ctx, s, spent, seen)
	}
	return nil
}

// end ends a sweep none of whose trials is active. They are read once more: what this look has cancelled may have
// completed at the same moment.
func (w *Worker) end(ctx context.Context, s registry.Sweep, spent bool, seen map[registry.RunID]bool) error {
	trials, err := w.trials(ctx, s, seen)
	if err != nil {
		return err
	}
	for _, t := range trials {
		if !t.run.State.Final() {
			return nil
		}
	}
	best, ok := bestOf(s.Search, trials)
	if ok {
		_, err = w.cfg.Sweeps.CompleteSweep(ctx, s.ID, best.run.ID, summary(s.Search, trials, spent))
	} else {
		_, err = w.cfg.Sweeps.FailSweep(ctx, s.ID, failure(s.Search, trials, spent))
	}
	if errors.Is(err, registry.ErrSweepMoved) {
		return nil // somebody cancelled it
	}
	return err
}

// cancel ends a trial; one that has ended meanwhile is none of our business.
func (w *Worker) cancel(ctx context.Context, id registry.RunID, reason string) error {
	_, err := w.cfg.Runs.CancelRun(ctx, id, reason)
	if errors.Is(err, registry.ErrRunMoved) {
		return nil
	}
	return err
}

// leftEvery is how often trials of ended sweeps are looked for although no sweep has ended: a look may come for every event of
// every run.
const leftEvery = 5 * time.Second

// mayBeLeft reports that it is time to look for trials of ended sweeps: others run than in the last look, or it was long ago.
func (w *Worker) mayBeLeft(running []registry.Sweep) bool {
	var ids []registry.SweepID
	for _, s := range running {
		ids = append(ids, s.ID)
	}
	same := slices.Equal(ids, w.before)
	w.before = ids
	if same && time.Since(w.searched) < leftEvery {
		return false
	}
	w.searched = time.Now()
	return true
}

// cancelLeft cancels active trials of sweeps that are over.
func (w *Worker) cancelLeft(ctx context.Context, running []registry.Sweep) error {
	states := map[registry.SweepID]registry.SweepState{{}: registry.SweepRunning} // the zero id: runs of their own
	for _, s := range running {
		states[s.ID] = registry.SweepRunning
	}
	active, err := w.cfg.Runs.Runs(ctx, registry.RunFilter{
		States: []registry.RunState{registry.RunRequested, registry.RunQueued, registry.RunRunning}, Limit: maxActive,
	})
	if err != nil {
		return err
	}
	var errs []error
	for _, run := range active {
		state, ok := states[run.Sweep]
		if !ok { // it may have started since the list was made, or be behind its end
			s, err := w.cfg.Sweeps.Sweep(ctx, run.Sweep)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			state, states[run.Sweep] = s.State, s.State
		}
		if state != registry.SweepRunning {
			errs = append(errs, w.cancel(ctx, run.ID, "the sweep is "+string(state)))
		}
	}
	return errors.Join(errs...)
}
