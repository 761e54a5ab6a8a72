package raybackend

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/consumers/train/raybackend/internal/verdict"
	"github.com/signalbox-ml/signalbox/registry"
)

// late is how long after its deadline and grace a job is given up that does not end: one that never got its resources
// cannot be stopped before it has them.
const late = 15 * time.Second

// Status implements train.Backend. It stops a job whose deadline is over.
func (b *Backend) Status(ctx context.Context, run registry.RunID, attempt int) (train.Status, error) {
	d, now, err := b.find(ctx, run, attempt)
	if err != nil {
		return train.Status{}, fmt.Errorf("job %s/%d: %w", run, attempt, err)
	}
	if !d.ended() && d.overdue(now) {
		if err := b.client.stop(ctx, d.ID); err != nil {
			return train.Status{}, fmt.Errorf("job %s/%d: stop at its deadline: %w", run, attempt, err)
		}
		if d.age(now) > d.deadline()+b.cfg.Grace+late {
			return deadlineExceeded(), nil
		}
	}
	return d.state(now), nil
}

// deadline of a job; 0: none.
func (d details) deadline() time.Duration {
	v, err := time.ParseDuration(d.Metadata[metaDeadline])
	if err != nil {
		return 0
	}
	return v
}

func (d details) overdue(now time.Time) bool {
	deadline := d.deadline()
	return deadline > 0 && d.age(now) >= deadline
}

func deadlineExceeded() train.Status {
	return train.Status{Phase: train.PhaseFailed, ExitCode: 137, Reason: "deadline exceeded", Cause: train.CauseDeadline}
}

// state is the status of a job as the machine reads it.
func (d details) state(now time.Time) train.Status {
	switch d.Status {
	case statusPending:
		return train.Status{Phase: train.PhasePending, Reason: cmp.Or(d.Message, "waits at Ray")}
	case statusRunning:
		return train.Status{Phase: train.PhaseRunning}
	case statusSucceeded:
		return train.Status{Phase: train.PhaseSucceeded}
	case statusStopped:
		if d.overdue(now) {
			return deadlineExceeded()
		}
		return train.Status{Phase: train.PhaseFailed, ExitCode: 143, Reason: "somebody stopped the job at Ray", Cause: train.CauseDisrupted}
	case statusFailed:
		return verdict.Failure{Type: d.ErrorType, Message: d.Message, ExitCode: d.ExitCode, Ran: d.Node != ""}.Status()
	}
	return train.Status{Phase: train.PhasePending, Reason: "Ray says " + d.Status}
}
