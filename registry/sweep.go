package registry

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

// SweepID identifies a hyperparameter search.
type SweepID uuid.UUID

// ParseSweepID reads the canonical text of a UUID.
func ParseSweepID(s string) (SweepID, error) {
	u, err := uuid.Parse(s)
	if err != nil || u.String() != s {
		return SweepID{}, fmt.Errorf("sweep id %.100q: want a UUID such as 5d0b1b67-6f5c-5f0e-8a43-0e1c5a1f6b77: %w", s, ErrBadName)
	}
	return SweepID(u), nil
}

// String returns the canonical text of the UUID.
func (id SweepID) String() string { return uuid.UUID(id).String() }

// MarshalText implements encoding.TextMarshaler.
func (id SweepID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *SweepID) UnmarshalText(b []byte) error {
	v, err := ParseSweepID(string(b))
	if err != nil {
		return err
	}
	*id = v
	return nil
}

// IsZero reports whether id names no sweep.
func (id SweepID) IsZero() bool { return id == SweepID{} }

// SweepState is where a sweep stands. All but running are final.
type SweepState string

// The states of a sweep.
const (
	SweepRunning   SweepState = "running"
	SweepComplete  SweepState = "complete"
	SweepFailed    SweepState = "failed"
	SweepCancelled SweepState = "cancelled"
)

// Sweep is a search over the custom_params of one training request: every trial is a run.
type Sweep struct {
	ID    SweepID   `json:"id"`
	Model ModelName `json:"model"`
	// Dataset and Workflow are the same for all trials, whatever is declared meanwhile; Dataset is zero where the request
	// names paths.
	Dataset  cas.Digest `json:"dataset"`
	Workflow cas.Digest `json:"workflow"`
	// Request is the training request that every trial's parameters are laid over.
	Request json.RawMessage `json:"request"`
	Search  Search          `json:"search"`
	// Cause is the traceparent of what asked for the sweep.
	Cause   string     `json:"cause,omitempty"`
	State   SweepState `json:"state"`
	Reason  string     `json:"reason,omitempty"`
	Best    RunID      `json:"best,omitzero"` // once complete
	Created time.Time  `json:"created_at"`
	Updated time.Time  `json:"updated_at"`
	// History is every transition, oldest first; filled by Catalog.Sweep only.
	History []SweepTransition `json:"history,omitempty"`
}

// Cursor is the place behind s in a list. Lists of sweeps and of runs have the same order, and so the same cursors.
func (s Sweep) Cursor() RunCursor { return RunCursor{Created: s.Created, ID: RunID(s.ID)} }

// SweepTransition is one step of a sweep's history.
type SweepTransition struct {
	State  SweepState `json:"state"`
	Reason string     `json:"reason,omitempty"`
	At     time.Time  `json:"created_at"`
}

// Trial is one trial of a sweep: its run, what that was told, and what it reached.
type Trial struct {
	Number int                        `json:"trial"` // from 1
	Run    RunID                      `json:"run"`
	State  RunState                   `json:"state"`
	Params map[string]json.RawMessage `json:"params"`
	// Value is the newest one of the sweep's metric, and Step where it was measured; nil before there is one.
	Value   *float64   `json:"value,omitempty"`
	Step    *int64     `json:"step,omitempty"`
	Package cas.Digest `json:"package"`
	// Reason is why the trial was stopped, or failed.
	Reason string `json:"reason,omitempty"`
}

// SweepReport is a sweep with the trials that were asked for so far, by number.
type SweepReport struct {
	Sweep
	Trials []Trial `json:"trials"`
}

// SweepChange ends a sweep by compare-and-swap: it applies only while the sweep is running.
type SweepChange struct {
	ID     SweepID
	To     SweepState
	Best   RunID // only with SweepComplete
	Reason string
	At     time.Time
}

// SweepFilter selects sweeps, newest first. What is empty selects nothing out.
type SweepFilter struct {
	Model  ModelName
	States []SweepState
	After  RunCursor // only the ones behind it
	Limit  int       // 0: 100
}
