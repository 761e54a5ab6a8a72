package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

// RunID names a training run: a UUID, which Railyard calls a job id.
type RunID string

// State is where a run stands. Nothing follows Complete, Failed and Cancelled.
type State string

// The states of a run.
const (
	Requested State = "requested"
	Queued    State = "queued"
	Running   State = "running"
	Complete  State = "complete"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Final reports whether a run in state s has ended.
func (s State) Final() bool { return s == Complete || s == Failed || s == Cancelled }

// Run is one training run: what was asked, where it stands and what it left.
type Run struct {
	ID       RunID      `json:"id"`
	Key      cas.Digest `json:"run_key"` // of model, workflow, parameters and dataset; runs are unique by it
	Model    string     `json:"model"`
	Dataset  cas.Digest `json:"dataset"`  // zero where the request names paths
	Workflow cas.Digest `json:"workflow"` // of the workflow's spec, code included
	// RetryOf is the run that this one repeats, "" for none.
	RetryOf RunID `json:"retry_of"`
	// Sweep is the sweep of which the run is trial number Trial, from 1; "" and 0 for a run of its own.
	Sweep SweepID `json:"sweep"`
	Trial int     `json:"trial"`
	// Request is what was asked for: a TrainRequest reads it.
	Request json.RawMessage `json:"request"`
	State   State           `json:"state"`
	Attempt int             `json:"attempt"` // from 1, once queued
	// ComputeClass is what the attempt runs on, once queued.
	ComputeClass string     `json:"compute_class"`
	Package      cas.Digest `json:"package"`   // zero until complete
	Exception    *Exception `json:"exception"` // nil unless failed
	// Artifacts are keys of Signalbox's bucket by name, such as scores.tsv.
	Artifacts map[string]string `json:"artifacts"`
	Created   time.Time         `json:"created_at"`
	Updated   time.Time         `json:"updated_at"`
	// History is every transition, oldest first; the runs of a list have none.
	History []Transition `json:"history"`
}

// Exception is why an attempt failed.
type Exception struct {
	Type      string `json:"type"` // the exception's class, or a word such as DeadlineExceeded
	Message   string `json:"message"`
	Step      string `json:"step"`      // that failed; "" where it was none
	Retryable bool   `json:"retryable"` // that another attempt may get through
}

// Transition is one step of a run's history.
type Transition struct {
	State        State     `json:"job_state"`
	Attempt      int       `json:"attempt"`
	Reason       string    `json:"reason"`
	ComputeClass string    `json:"compute_class"`
	At           time.Time `json:"created_at"`
}

// Train asks for a training run. A run that was asked for and cannot be looked at comes with its ID alone, and an error.
func (c *Client) Train(ctx context.Context, r TrainRequest) (Run, error) {
	var id RunID
	if err := c.call(ctx, post("/train", r, r.Key), &id); err != nil {
		return Run{}, fmt.Errorf("train %s: %w", r.ModelName, err)
	}
	run, err := c.Run(ctx, id)
	run.ID = id
	return run, err
}

// Run returns a run with its history.
func (c *Client) Run(ctx context.Context, id RunID) (Run, error) {
	return c.run(ctx, "look at", get(runPath(id)), id)
}

// Cancel ends a run. One that is cancelled already is a success; one that ended otherwise is ErrConflict.
func (c *Client) Cancel(ctx context.Context, id RunID) (Run, error) {
	return c.run(ctx, "cancel", post(runPath(id)+":cancel", nil, ""), id)
}

// Retry runs a run that failed or was cancelled again, as a new run. The same key gives the same one; "" makes a key for
// this call. Of a run that is complete, or not over yet, it is ErrConflict.
func (c *Client) Retry(ctx context.Context, id RunID, key string) (Run, error) {
	return c.run(ctx, "retry", post(runPath(id)+":retry", nil, key), id)
}

func (c *Client) run(ctx context.Context, verb string, r request, id RunID) (Run, error) {
	var run Run
	if err := c.call(ctx, r, &run); err != nil {
		return Run{}, fmt.Errorf("%s run %s: %w", verb, id, err)
	}
	return run, nil
}

func runPath(id RunID) string { return "/v1/runs/" + url.PathEscape(string(id)) }
