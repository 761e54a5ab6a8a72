package tune

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/signalbox-ml/signalbox/registry"
)

// readers is how many trials are read at once.
const readers = 8

// trial is what is known of one.
type trial struct {
	run     registry.Run
	points  []registry.Point // of the sweep's metric
	seconds float64          // that it has been running, all attempts
}

// series is what was read of the figures of a trial's attempt.
type series struct {
	attempt int
	read    registry.Series
}

// value is what the trial is judged by in the end.
func (t trial) value() (float64, bool) {
	if len(t.points) == 0 {
		return 0, false
	}
	return t.points[len(t.points)-1].Value, true
}

// trials reads the trials of a sweep, by number.
func (w *Worker) trials(ctx context.Context, s registry.Sweep, seen map[registry.RunID]bool) ([]trial, error) {
	list, err := w.cfg.Runs.Runs(ctx, registry.RunFilter{Sweep: s.ID, Limit: registry.MaxTrials})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b registry.Run) int { return cmp.Compare(a.Trial, b.Trial) })
	out := make([]trial, len(list))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for i, run := range list {
		seen[run.ID] = true
		if t, ok := w.known[run.ID]; ok {
			out[i] = t
			continue
		}
		have := w.series[run.ID]
		if have == nil || have.attempt != run.Attempt {
			have = &series{attempt: run.Attempt}
			w.series[run.ID] = have
		}
		g.Go(func() (err error) {
			out[i], err = w.read(gctx, s.Search, run, &have.read)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, t := range out {
		if t.run.State.Final() {
			w.known[t.run.ID] = t
			delete(w.series, t.run.ID)
		}
	}
	return out, nil
}

func (w *Worker) read(ctx context.Context, search registry.Search, run registry.Run, have *registry.Series) (trial, error) {
	t := trial{run: run}
	if run.Attempt == 0 {
		return t, nil // it has not begun
	}
	if search.MaxSeconds > 0 {
		whole, err := w.cfg.Runs.Run(ctx, run.ID)
		if err != nil {
			return t, err
		}
		// The list's state goes with what is read behind it: a run that ended in between is looked at again.
		t.seconds = ran(whole.History, time.Now())
	}
	if search.Algorithm == registry.AlgorithmASHA || run.State == registry.RunComplete {
		var err error
		if t.points, err = registry.ReadMetric(ctx, w.cfg.Bucket, run, search.Metric, have); err != nil {
			return t, err
		}
	}
	return t, nil
}

// ran is how many seconds a run was in the state running.
func ran(history []registry.Transition, now time.Time) float64 {
	var total time.Duration
	for i, h := range history {
		if h.State != registry.RunRunning {
			continue
		}
		until := now
		if i+1 < len(history) {
			until = history[i+1].At
		}
		total += max(until.Sub(h.At), 0)
	}
	return total.Seconds()
}

func seconds(trials []trial) float64 {
	total := 0.0
	for _, t := range trials {
		total += t.seconds
	}
	return total
}

// bestOf is the best complete trial that has a value; of equal ones the first.
func bestOf(search registry.Search, trials []trial) (best trial, found bool) {
	for _, t := range trials {
		v, ok := t.value()
		if !ok || t.run.State != registry.RunComplete {
			continue
		}
		if have, _ := best.value(); !found || search.Better(v, have) {
			best, found = t, true
		}
	}
	return best, found
}

func count(trials []trial, state registry.RunState) int {
	n := 0
	for _, t := range trials {
		if t.run.State == state {
			n++
		}
	}
	return n
}

// summary says how a sweep came to its end.
func summary(search registry.Search, trials []trial, spent bool) string {
	text := fmt.Sprintf("%d of %d trials: %d complete, %d failed, %d cancelled", len(trials), search.Trials,
		count(trials, registry.RunComplete), count(trials, registry.RunFailed), count(trials, registry.RunCancelled))
	if spent {
		text += "; " + budgetReason(search)
	}
	return text
}

func failure(search registry.Search, trials []trial, spent bool) string {
	if n := count(trials, registry.RunComplete); n > 0 {
		return fmt.Sprintf("no complete trial says what %s it reached; %s", search.Metric, summary(search, trials, spent))
	}
	return "no trial is complete; " + summary(search, trials, spent)
}

func budgetReason(search registry.Search) string {
	return fmt.Sprintf("the sweep's budget of %g s is spent", search.MaxSeconds)
}
