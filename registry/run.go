package registry

import (
	"encoding/json"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// RunState is where a run stands. Complete, Failed and Cancelled are final.
type RunState string

// The states of a run, in Railyard's words.
const (
	RunRequested RunState = "requested"
	RunQueued    RunState = "queued"
	RunRunning   RunState = "running"
	RunComplete  RunState = "complete"
	RunFailed    RunState = "failed"
	RunCancelled RunState = "cancelled"
)

// Final reports whether no transition leaves s.
func (s RunState) Final() bool { return s == RunComplete || s == RunFailed || s == RunCancelled }

// Run is one training run: what was asked, where it stands and what it left.
type Run struct {
	ID RunID `json:"id"`
	// Key is the digest of {model, workflow and code, parameters, dataset}; runs are unique by it.
	Key     cas.Digest `json:"run_key"`
	Model   ModelName  `json:"model"`
	Dataset cas.Digest `json:"dataset"` // zero where the request names paths
	// Workflow is the digest of the workflow's spec, code included: what Railyard called git_commit.
	Workflow cas.Digest `json:"workflow"`
	// RetryOf is the run that this one repeats, zero for none.
	RetryOf RunID `json:"retry_of,omitzero"`
	// Sweep is the sweep of which the run is trial number Trial, from 1; zero for a run of its own.
	Sweep SweepID `json:"sweep,omitzero"`
	Trial int     `json:"trial,omitempty"`
	// Request is the Railyard request as it came, unknown members included.
	Request json.RawMessage `json:"request"`
	// Cause is the traceparent of what asked for the run, for linking.
	Cause   string   `json:"cause,omitempty"`
	State   RunState `json:"state"`
	Attempt int      `json:"attempt"` // from 1, once queued
	// ComputeClass is what the attempt runs on, once queued; a later attempt may have another.
	ComputeClass string `json:"compute_class,omitempty"`
	// Executor is the process that may report on the attempt, once one has begun it.
	Executor  string            `json:"executor,omitempty"`
	Package   cas.Digest        `json:"package"`
	Exception *events.Exception `json:"exception"`
	// Artifacts are bucket keys by name: scores.tsv, labels.tsv, holdout.jsonl, metrics.json, environment.lock, logs.
	Artifacts map[string]string `json:"artifacts"`
	Created   time.Time         `json:"created_at"`
	Updated   time.Time         `json:"updated_at"`
	// History is every transition, oldest first; filled by Catalog.Run, not by Catalog.Runs.
	History []Transition `json:"history,omitempty"`
}

// Transition is one step of a run's history.
type Transition struct {
	State   RunState `json:"job_state"`
	Attempt int      `json:"attempt"`
	Reason  string   `json:"reason,omitempty"`
	// ComputeClass is the run's from then on.
	ComputeClass string    `json:"compute_class,omitempty"`
	At           time.Time `json:"created_at"`
}

// RunChange moves a run by compare-and-swap: it applies only while the run is in one of From and at FromAttempt.
type RunChange struct {
	ID          RunID
	From        []RunState
	FromAttempt int
	To          RunState
	Attempt     int // the attempt from now on; another one has no executor yet
	Reason      string
	// ComputeClass is the run's from now on; "" leaves it.
	ComputeClass string
	// Executor takes the attempt: the change applies only while nobody else has. "" leaves it.
	Executor  string
	Package   cas.Digest        // only with RunComplete
	Exception *events.Exception // only with RunFailed
	Artifacts map[string]string // merged into the run's
	At        time.Time
}

// RunFilter selects runs, newest first. What is empty selects nothing out.
type RunFilter struct {
	Model     ModelName
	Dataset   cas.Digest // only the ones trained on it
	Package   cas.Digest // only the ones that left it
	Project   string     // as the request says, like the next two
	Owner     string
	Trainer   string
	Sweep     SweepID  // only its trials
	Workflows []string // only the ones whose request names the workflow in one of these ways
	States    []RunState
	Since     time.Time // created then or later
	Until     time.Time // created before
	After     RunCursor // only the ones behind it
	Limit     int       // 0: 100
	Oldest    bool      // oldest first; After then has no meaning
}
