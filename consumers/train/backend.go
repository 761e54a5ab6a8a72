package train

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
)

// ErrNoJob reports an attempt that the backend does not know, or no longer knows.
var ErrNoJob = errors.New("no such job")

// Job is one attempt of a run, as a backend must execute it. Its identity is Run and Attempt.
type Job struct {
	Run     registry.RunID
	Attempt int
	// Spec is the job document that the Python runner reads: request, inputs, where to publish, and with what token.
	Spec []byte
	// Files are put beside the document, by relative name: the workflow's sources.
	Files map[string]string
	// ComputeClass picks resources: CPU, GPU, HIGH_MEMORY or any name that the operator configured.
	ComputeClass string
	Deadline     time.Duration // 0: none
}

// Phase is where a job stands.
type Phase string

// The phases of a job.
const (
	PhasePending   Phase = "pending"
	PhaseRunning   Phase = "running"
	PhaseSucceeded Phase = "succeeded"
	PhaseFailed    Phase = "failed"
)

// Status is what a backend knows of a job.
type Status struct {
	Phase    Phase
	ExitCode int
	Reason   string // in words: "killed by signal 9", or ReasonDeadline
}

// ReasonDeadline is the Reason of a job that took longer than its Deadline.
const ReasonDeadline = "deadline exceeded"

// Backend executes jobs. Submit is idempotent by run and attempt: it succeeds where the job exists already.
type Backend interface {
	Submit(ctx context.Context, j Job) error
	// Status reports a job: ErrNoJob where it was never submitted or is gone without a result.
	Status(ctx context.Context, run registry.RunID, attempt int) (Status, error)
	// Cancel stops a job and forgets it; one that does not exist is no error.
	Cancel(ctx context.Context, run registry.RunID, attempt int) error
	// Log opens the job's output from byte offset on. It ends where the output ends at the moment.
	Log(ctx context.Context, run registry.RunID, attempt int, offset int64) (io.ReadCloser, error)
}
