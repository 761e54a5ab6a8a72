package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

// SweepID names a hyperparameter search: a UUID.
type SweepID string

// SweepRequest asks for a hyperparameter search: many runs of one request, the best one's package published.
type SweepRequest struct {
	// Request is what each trial trains, with what Search draws laid over its CustomParams. Its Key is not looked at.
	Request TrainRequest `json:"request"`
	Search  Search       `json:"search"`
	// Key is the idempotency key: the same one gives the same sweep, whatever the rest says by then. "" makes one for this
	// call.
	Key string `json:"-"`
}

// Sweep is a hyperparameter search: what was asked, where it stands and what its trials reached.
type Sweep struct {
	ID       SweepID    `json:"id"`
	Model    string     `json:"model"`
	Dataset  cas.Digest `json:"dataset"`  // of all trials; zero where the request names paths
	Workflow cas.Digest `json:"workflow"` // of all trials
	// Request is what the trials' parameters are laid over: a TrainRequest reads it.
	Request json.RawMessage `json:"request"`
	Search  Search          `json:"search"`
	State   State           `json:"state"`  // Running, Complete, Failed or Cancelled
	Reason  string          `json:"reason"` // how it came to its end, in words
	Best    RunID           `json:"best"`   // "" until complete
	Created time.Time       `json:"created_at"`
	Updated time.Time       `json:"updated_at"`
	// History is every transition, oldest first; the sweeps of a list have none.
	History []SweepTransition `json:"history"`
	// Trials are those that were asked for so far, by number; only Sweep and WaitSweep fill it.
	Trials []Trial `json:"trials"`
}

// SweepTransition is one step of a sweep's history.
type SweepTransition struct {
	State  State     `json:"state"`
	Reason string    `json:"reason"`
	At     time.Time `json:"created_at"`
}

// Trial is one run of a sweep: what it was told, and what it reached.
type Trial struct {
	Number int                        `json:"trial"` // from 1
	Run    RunID                      `json:"run"`
	State  State                      `json:"state"`  // of the run
	Params map[string]json.RawMessage `json:"params"` // that the search drew
	// Value is the newest one of the search's metric, and Step where it was measured; nil where there is none.
	Value   *float64   `json:"value"`
	Step    *int64     `json:"step"`
	Package cas.Digest `json:"package"` // zero until complete
	Reason  string     `json:"reason"`  // why it was stopped, or failed
}

// BestTrial returns the trial whose package is published, nil where there is none yet.
func (s Sweep) BestTrial() *Trial {
	for i := range s.Trials {
		if s.Best != "" && s.Trials[i].Run == s.Best {
			return &s.Trials[i]
		}
	}
	return nil
}

// StartSweep asks for a hyperparameter search.
func (c *Client) StartSweep(ctx context.Context, r SweepRequest) (Sweep, error) {
	var s Sweep
	if err := c.call(ctx, post("/v1/sweeps", r, r.Key), &s); err != nil {
		return Sweep{}, fmt.Errorf("start a sweep of %s: %w", r.Request.ModelName, err)
	}
	return s, nil
}

// Sweep returns a sweep with its history and its trials.
func (c *Client) Sweep(ctx context.Context, id SweepID) (Sweep, error) {
	return c.sweep(ctx, "look at", get(sweepPath(id)), id)
}

// CancelSweep ends a sweep, and soon after its trials. One that is cancelled already is a success; one that ended otherwise
// is ErrConflict.
func (c *Client) CancelSweep(ctx context.Context, id SweepID) (Sweep, error) {
	return c.sweep(ctx, "cancel", post(sweepPath(id)+":cancel", nil, ""), id)
}

func (c *Client) sweep(ctx context.Context, verb string, r request, id SweepID) (Sweep, error) {
	var s Sweep
	if err := c.call(ctx, r, &s); err != nil {
		return Sweep{}, fmt.Errorf("%s sweep %s: %w", verb, id, err)
	}
	return s, nil
}

func sweepPath(id SweepID) string { return "/v1/sweeps/" + url.PathEscape(string(id)) }
