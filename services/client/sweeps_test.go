package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/services/client"
)

// searching is a search that the world can serve.
func searching() client.SweepRequest {
	return client.SweepRequest{
		Request: wanted(),
		Search: client.Search{
			Metric: "auc", Goal: client.Maximize, Algorithm: client.Halving, Seed: 1, Trials: 3, Parallel: 2, MaxSeconds: 60,
			Parameters: map[string]client.Parameter{
				"num_leaves": client.Integers(8, 256).Log(), "rate": client.Floats(0.01, 0.3), "boosting": client.Choice("gbdt", nil, map[string]any{"a": 1.0}),
			},
			Rungs: &client.Rungs{First: 1, Last: 81},
		},
	}
}

// try runs the n-th trial of a sweep to its end.
func (w *world) try(id client.SweepID, n int) (registry.Run, error) {
	ctx := context.Background()
	s, err := registry.ParseSweepID(string(id))
	if err != nil {
		return registry.Run{}, err
	}
	sweep, err := w.reg.Sweep(ctx, s)
	if err != nil {
		return registry.Run{}, err
	}
	run, _, err := w.reg.RequestTrial(ctx, sweep, n)
	if err != nil {
		return run, err
	}
	return run, errors.Join(w.begin(run.ID, 1), w.complete(run.ID))
}

func TestSweep(t *testing.T) {
	w, ctx := start(t), t.Context()
	c := w.client()
	w.wire.next(step{"POST", "/v1/sweeps", lose}, step{"POST", "/v1/sweeps", refuse})
	asked, err := c.StartSweep(ctx, searching())
	if err != nil || asked.State != client.Running || asked.Model != "flight-delay" || w.wire.left() != 0 {
		t.Fatalf("start: %+v, %v", asked, err)
	}
	drawn := searching().Search.Parameters
	linear := drawn["rate"]
	linear.Scale = "linear" // as the server says it
	drawn["rate"] = linear
	if got, want := asJSON(asked.Search.Parameters), asJSON(drawn); got != want || asked.Search.Rungs.Reduction != 3 {
		t.Errorf("parameters %s, want %s; rungs %+v", got, want, asked.Search.Rungs)
	}
	run, err := w.try(asked.ID, 1)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Sweep(ctx, asked.ID)
	if err != nil || len(s.Trials) != 1 || s.BestTrial() != nil || len(s.History) != 1 {
		t.Fatalf("look at: %+v, %v", s, err)
	}
	trial := s.Trials[0]
	if trial.Number != 1 || trial.State != client.Complete || *trial.Value != 0.5 || *trial.Step != 1 || trial.Package.IsZero() || len(trial.Params) != 3 {
		t.Errorf("trial %+v", trial)
	}
	if got, err := c.Run(ctx, trial.Run); err != nil || got.Sweep != asked.ID || got.Trial != 1 {
		t.Errorf("run of the trial: %+v, %v", got, err)
	}
	if got := collect(t, c, client.RunFilter{Sweep: asked.ID}); len(got) != 1 || got[0].ID != trial.Run {
		t.Errorf("runs of the sweep: %+v", got)
	}
	var request client.TrainRequest
	if err := request.UnmarshalJSON(s.Request); err != nil || request.Owner != "tests" {
		t.Errorf("request %+v, %v", request, err)
	}

	id, err := registry.ParseSweepID(string(asked.ID))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.reg.CompleteSweep(ctx, id, run.ID, "1 of 3 trials"); err != nil {
		t.Fatal(err)
	}
	w.wire.next(step{"GET", string(asked.ID), refuse})
	s, err = c.WaitSweep(ctx, asked.ID)
	if best := s.BestTrial(); err != nil || s.State != client.Complete || s.Reason != "1 of 3 trials" || best == nil || best.Run != trial.Run {
		t.Errorf("wait: %+v, %v", s, err)
	}
	if _, err := c.CancelSweep(ctx, asked.ID); !errors.Is(err, client.ErrConflict) {
		t.Errorf("cancel of one that is complete: %v", err)
	}
}

func TestSweepsOfOneKeyAreOne(t *testing.T) {
	w, ctx := start(t), t.Context()
	c := w.client()
	named := searching()
	named.Key = "nightly"
	one, err := c.StartSweep(ctx, named)
	two, err2 := c.StartSweep(ctx, named)
	three, err3 := c.StartSweep(ctx, searching())
	if err = errors.Join(err, err2, err3); err != nil || one.ID != two.ID || three.ID == one.ID {
		t.Errorf("%s, %s and %s, %v", one.ID, two.ID, three.ID, err)
	}
}

func TestSweepsGoesThroughPages(t *testing.T) {
	w, ctx := start(t), t.Context()
	c := w.client()
	var ids []client.SweepID
	for range 3 {
		s, err := c.StartSweep(ctx, searching())
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, s.ID)
	}
	cancelled, err := c.CancelSweep(ctx, ids[0])
	if err != nil || cancelled.State != client.Cancelled {
		t.Fatalf("cancel: %+v, %v", cancelled, err)
	}
	if _, err := c.CancelSweep(ctx, ids[0]); err != nil {
		t.Errorf("cancel again: %v", err)
	}
	list := func(f client.SweepFilter) string {
		var found []string
		for s, err := range c.Sweeps(ctx, f) {
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, string(s.ID))
		}
		return strings.Join(found, " ")
	}
	w.wire.next(step{"GET", "/v1/sweeps", refuse})
	if got, want := list(client.SweepFilter{Model: "flight-delay", Page: 2}), string(ids[2]+" "+ids[1]+" "+ids[0]); got != want || len(w.wire.requests("GET", "/v1/sweeps")) != 3 {
		t.Errorf("%s, want %s", got, want)
	}
	if got := list(client.SweepFilter{States: []client.State{client.Cancelled, client.Failed}}); got != string(ids[0]) {
		t.Errorf("by state: %s", got)
	}
	for range c.Sweeps(ctx, client.SweepFilter{Page: 1}) {
		break // no more pages than are looked at
	}
	if n := len(w.wire.requests("GET", "/v1/sweeps")); n != 5 {
		t.Errorf("%d requests, want 5", n)
	}
	for _, err := range c.Sweeps(ctx, client.SweepFilter{Model: "No Name"}) {
		if !errors.Is(err, client.ErrInvalid) {
			t.Errorf("a filter that is wrong: %v", err)
		}
	}
}

func TestEndsOfSweeps(t *testing.T) {
	w, ctx := start(t), t.Context()
	c := w.client()
	s, err := c.StartSweep(ctx, searching())
	if err != nil {
		t.Fatal(err)
	}
	id, err := registry.ParseSweepID(string(s.ID))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.reg.FailSweep(ctx, id, "no trial is complete"); err != nil {
		t.Fatal(err)
	}
	var ended *client.SweepError
	if _, err := c.WaitSweep(ctx, s.ID); !errors.As(err, &ended) || !strings.HasSuffix(err.Error(), "is failed: no trial is complete") {
		t.Errorf("wait for one that failed: %v", err)
	}
	if _, err := c.Sweep(ctx, "9081e64f-b2c0-455e-bcaa-c1c211fa124b"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("a sweep that is not there: %v", err)
	}
	bad := searching()
	bad.Search.Goal, bad.Request.Train.Label = "most", "lat"
	var p *client.Problem
	if _, err := c.StartSweep(ctx, bad); !errors.As(err, &p) || !errors.Is(err, client.ErrInvalid) || len(p.Errors) != 2 {
		t.Errorf("two faults: %v", err)
	}
	under, cancel := context.WithCancel(ctx)
	going, err := c.StartSweep(ctx, searching())
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := c.WaitSweep(under, going.ID); !errors.Is(err, context.Canceled) {
		t.Errorf("a wait that was given up: %v", err)
	}
}
