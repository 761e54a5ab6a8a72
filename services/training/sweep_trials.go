package training

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// trialReaders is how many trials are read at once.
const trialReaders = 8

// getSweep answers with a sweep and its trials, by number.
func (s *Server) getSweep(w http.ResponseWriter, r *http.Request) error {
	id, err := parseSweep(r.PathValue("id"))
	if err != nil {
		return err
	}
	sweep, err := s.cfg.Runs.Sweep(r.Context(), id)
	if err != nil {
		return err
	}
	runs, err := s.cfg.Runs.Runs(r.Context(), registry.RunFilter{Sweep: id, Limit: registry.MaxTrials})
	if err != nil {
		return err
	}
	slices.SortFunc(runs, func(a, b registry.Run) int { return cmp.Compare(a.Trial, b.Trial) })
	out := registry.SweepReport{Sweep: sweep, Trials: make([]registry.Trial, len(runs))}
	g, ctx := errgroup.WithContext(r.Context())
	g.SetLimit(trialReaders)
	for i, run := range runs {
		g.Go(func() (err error) {
			out.Trials[i], err = s.trial(ctx, sweep.Search, run)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return httpapi.JSON(w, http.StatusOK, out)
}

func (s *Server) trial(ctx context.Context, search registry.Search, run registry.Run) (registry.Trial, error) {
	t := registry.Trial{Number: run.Trial, Run: run.ID, State: run.State, Package: run.Package}
	var err error
	if t.Params, err = search.Params(run.Request); err != nil {
		return t, err
	}
	if run.State == registry.RunCancelled {
		if run, err = s.cfg.Runs.Run(ctx, run.ID); err != nil { // with its history
			return t, err
		}
	}
	t.Reason = reasonOf(run)
	points, err := registry.ReadMetric(ctx, s.cfg.Bucket, run, search.Metric, nil)
	if n := len(points); n > 0 {
		t.Value, t.Step = &points[n-1].Value, points[n-1].Step
	}
	return t, err
}
