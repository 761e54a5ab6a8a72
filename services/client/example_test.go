package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/signalbox-ml/signalbox/services/client"
)

// connect is a client of a Signalbox in memory, on which runs go on whenever somebody looks.
func connect() (*client.Client, func()) {
	w, err := newWorld()
	if err != nil {
		log.Print(err)
	}
	w.trains()
	return w.client(), func() {
		if err := w.Close(); err != nil {
			log.Print(err)
		}
	}
}

// Ask for a model, wait until it is trained, and predict with it.
func Example() {
	c, done := connect() // client.New(client.Config{URL: ..., PredictURL: ..., Token: ...})
	defer done()
	ctx := context.Background()

	run, err := c.Train(ctx, client.TrainRequest{
		ModelName: "flight-delay",
		Data: client.Data{
			Features:   []client.Source{{Dataset: "flights@latest"}},
			DateColumn: "event_time",
			Filters:    []client.Filter{{Feature: "delay", Predicate: client.GtEq, Value: client.Number(-60)}},
			Holdout:    client.ByDate(client.DateRange{Last: "7d"}),
		},
		Train: client.Train{WorkflowName: "delay", ClassifierFeatures: []string{"delay"}, Label: "late"},
	})
	if err != nil {
		log.Print(err)
		return
	}
	run, err = c.Wait(ctx, run.ID)
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println(run.State, "at attempt", run.Attempt)

	// The tag is moved after the run has ended: wait for its first generation.
	p, err := c.Predict(ctx, client.PredictRequest{Model: "flight-delay", Rows: []client.Row{{"delay": 20}}, MinGeneration: 1})
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Printf("%.3f by generation %d\n", p.Predictions[0]["late"], p.Generation)
	// Output:
	// complete at attempt 1
	// 0.731 by generation 1
}

// Publish events. What does not fit its schema is told of one by one.
func ExampleClient_Emit() {
	c, done := connect()
	defer done()
	results, err := c.Emit(context.Background(),
		client.Event{ID: "UA1545", Source: "/airports/ewr", Type: "flight.departed", Subject: "N14228", Data: map[string]any{"delay": 2}},
		client.Event{ID: "UA1546", Source: "/airports/ewr", Type: "flight.departed", Subject: "N14229", Data: map[string]any{"delay": "two"}},
	)
	fmt.Println(results[0].Position)
	var failed *client.EmitError
	if errors.As(err, &failed) {
		fmt.Println(failed.Failed[0].ID, failed.Failed[0].Code, failed.Failed[0].Errors[0].Pointer)
	}
	// Output:
	// events.flights/0/0
	// UA1546 schema_violation /delay
}

// Everything that is wrong with a request is told of at once.
func ExampleProblem() {
	c, done := connect()
	defer done()
	_, err := c.Train(context.Background(), client.TrainRequest{
		ModelName: "flight-delay", Data: client.Data{Features: []client.Source{{Dataset: "flights@latest"}}},
		Train: client.Train{WorkflowName: "delay", ClassifierFeatures: []string{"delya"}, Label: "lat"},
	})
	var p *client.Problem
	if errors.As(err, &p) && errors.Is(err, client.ErrInvalid) {
		for _, f := range p.Errors {
			fmt.Println(f.Pointer)
		}
	}
	// Unordered output:
	// /train/classifier_features/0
	// /train/label
}

// Go through the runs of a model.
func ExampleClient_Runs() {
	c, done := connect()
	defer done()
	for run, err := range c.Runs(context.Background(), client.RunFilter{Model: "flight-delay", States: []client.State{client.Failed}}) {
		if err != nil {
			log.Print(err)
			return
		}
		fmt.Println(run.ID, run.Exception.Message)
	}
	// Output:
}

// Search for hyperparameters. The best trial's package is published, the others' are not.
func ExampleClient_StartSweep() {
	c, done := connect()
	defer done()
	sweep, err := c.StartSweep(context.Background(), client.SweepRequest{
		Request: client.TrainRequest{
			ModelName: "flight-delay", Data: client.Data{Features: []client.Source{{Dataset: "flights@latest"}}},
			Train: client.Train{WorkflowName: "delay", ClassifierFeatures: []string{"delay"}, Label: "late"},
		},
		Search: client.Search{
			Metric: "auc", Goal: client.Maximize, Trials: 20, Parallel: 4,
			Parameters: map[string]client.Parameter{"num_leaves": client.Integers(8, 256).Log(), "boosting": client.Choice("gbdt", "dart")},
		},
	})
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println(sweep.State, "with", sweep.Search.Trials, "trials")
	// sweep, err = c.WaitSweep(ctx, sweep.ID), and sweep.BestTrial() says what was best
	// Output:
	// running with 20 trials
}
