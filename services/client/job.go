package client

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

// JobTime is a time as Railyard writes it: 2019-03-22 18:00:04 +0000.
type JobTime struct{ time.Time }

const jobTime = `"2006-01-02 15:04:05 -0700"`

// UnmarshalJSON reads Railyard's form.
func (t *JobTime) UnmarshalJSON(b []byte) error {
	at, err := time.Parse(jobTime, string(b))
	t.Time = at
	return err
}

// MarshalJSON writes Railyard's form.
func (t JobTime) MarshalJSON() ([]byte, error) { return []byte(t.UTC().Format(jobTime)), nil }

// JobTransition is the newest state of a job, and since when it holds.
type JobTransition struct {
	At    JobTime `json:"created_at"`
	State State   `json:"job_state"`
}

// JobStatus is Railyard's answer to where a run stands.
type JobStatus struct {
	ID         RunID         `json:"job_id"`
	State      State         `json:"job_state"`
	Transition JobTransition `json:"transition"`
	Attempt    int           `json:"attempt"`
	// Reason says why the job waits, why the attempt before was given up, or how the run ended; "" for nothing to say.
	Reason       string `json:"reason"`
	ComputeClass string `json:"compute_class"`
}

// JobResult is Railyard's answer to what a run left.
type JobResult struct {
	Status struct {
		ID         RunID         `json:"job_id"`
		LogFile    string        `json:"log_file"` // s3:// address; "" before the first attempt
		Transition JobTransition `json:"transition"`
		Workflow   cas.Digest    `json:"git_commit"` // of the workflow, code included
	} `json:"status"`
	// Result is nil until the run is complete.
	Result *struct {
		Scores  string     `json:"evaluation_holdout_data_path"`  // s3:// address; "" where the run left none
		Labels  string     `json:"evaluation_holdout_label_path"` // s3:// address; "" where the run left none
		Package cas.Digest `json:"diorama_id"`
	} `json:"result"`
	// Exception is nil unless the run failed.
	Exception *Exception `json:"exceptionInfo"`
}

// Status says in few words where a run stands.
func (c *Client) Status(ctx context.Context, id RunID) (JobStatus, error) {
	var s JobStatus
	if err := c.call(ctx, get("/job/"+url.PathEscape(string(id))+"/status"), &s); err != nil {
		return s, fmt.Errorf("status of run %s: %w", id, err)
	}
	return s, nil
}

// Result says what a run left, in Railyard's words.
func (c *Client) Result(ctx context.Context, id RunID) (JobResult, error) {
	var r JobResult
	if err := c.call(ctx, get("/job/"+url.PathEscape(string(id))+"/result"), &r); err != nil {
		return r, fmt.Errorf("result of run %s: %w", id, err)
	}
	return r, nil
}

// RunError reports a run that ended without a package.
type RunError struct {
	Run    Run
	Reason string // of its last transition
}

// Error says how the run ended, and of what.
func (e *RunError) Error() string {
	s := fmt.Sprintf("run %s is %s", e.Run.ID, e.Run.State)
	if x := e.Run.Exception; x != nil {
		first, _, _ := strings.Cut(x.Message, "\n")
		s += strings.TrimSuffix(": "+x.Type+": "+first, ": ")
		if x.Step != "" {
			s += " (step " + x.Step + ")"
		}
	} else if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s
}

// Wait looks at a run until it has ended. A run that is not complete then is a *RunError.
func (c *Client) Wait(ctx context.Context, id RunID) (Run, error) {
	for {
		var run Run
		err := c.callWithin(ctx, c.patiently(), get(runPath(id)), &run)
		switch {
		case err != nil:
			return Run{ID: id}, fmt.Errorf("wait for run %s: %w", id, err)
		case run.State == Complete:
			return run, nil
		case run.State.Final():
			e := &RunError{Run: run}
			if n := len(run.History); n > 0 {
				e.Reason = run.History[n-1].Reason
			}
			return run, e
		}
		if err := pause(ctx, c.cfg.Poll); err != nil {
			return run, fmt.Errorf("wait for run %s, which is %s: %w", id, run.State, err)
		}
	}
}
