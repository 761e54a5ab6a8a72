package train

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
)

var (
	// ErrNoJob reports an attempt that the backend does not know, or no longer knows.
	ErrNoJob = errors.New("no such job")
	// ErrEnding reports a job that was cancelled and has not ended yet: cancel it again, later.
	ErrEnding = errors.New("job is ending")
)

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
	// Workers is how many processes execute the job together, each with a rank from 0; 0 and 1 mean one. Backends that take
	// more are Spreaders.
	Workers  int
	Deadline time.Duration // 0: none
	// Model, Project and Owner are whose job it is, for people who look at the backend; Owner and Project may be empty.
	Model, Project, Owner string
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
	// Reason is in words: why a failed job failed ("killed by signal 9"), or what a pending one waits for.
	Reason string
	Cause  Cause
}

// Cause is why a job failed, as far as it decides about another attempt.
type Cause string

// The causes. A job that ended on its own has none.
const (
	CauseDeadline    Cause = "deadline"      // it took longer than its Deadline
	CauseOutOfMemory Cause = "out of memory" // it reached the memory limit of its class
	CauseDisrupted   Cause = "disrupted"     // its host was lost or needed for something else
)

// Backend executes jobs. Submit is idempotent by run and attempt: it succeeds where the job exists already.
type Backend interface {
	Submit(ctx context.Context, j Job) error
	// Status reports a job: ErrNoJob where it was never submitted or is gone without a result.
	Status(ctx context.Context, run registry.RunID, attempt int) (Status, error)
	// Cancel stops a job and forgets it; one that does not exist is no error. ErrEnding: it was told to stop, and still runs.
	Cancel(ctx context.Context, run registry.RunID, attempt int) error
	// Log opens the job's output from byte offset on. It ends where the output ends at the moment. A backend whose jobs send
	// their log themselves has nothing while they run.
	Log(ctx context.Context, run registry.RunID, attempt int, offset int64) (io.ReadCloser, error)
}

// Spreader is a Backend whose jobs may have several workers. Each worker is told its rank by EnvRank, and the address that
// the others reach it at by EnvAddress. The job runs once all of them do, fails with the first of them that does, which ends
// the others, and has succeeded once all have. Its Log is that of rank 0, or of all.
type Spreader interface {
	// MaxWorkers is how many workers a job may have at most.
	MaxWorkers() int
}

// The environment of a worker. A job with one worker has neither.
const (
	EnvRank    = "SIGNALBOX_RANK"
	EnvAddress = "SIGNALBOX_ADDRESS"
)

// Lister is a Backend that can say which jobs it has, so that those that nobody wants any more can be found.
type Lister interface {
	Jobs(ctx context.Context) ([]Attempt, error)
}

// Attempt identifies one execution of a run.
type Attempt struct {
	Run registry.RunID
	N   int // from 1
}
