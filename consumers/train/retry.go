package train

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
)

// Types of the exceptions that the machine gives to runs whose job could not speak for itself.
const (
	ExceptionLost    = "JobLost"    // the backend no longer knows the job
	ExceptionFailed  = "JobFailed"  // the job ended without a report
	ExceptionInvalid = "JobInvalid" // there is no job to start
	// ExceptionOutOfMemory is a job that reached the memory limit of its class. The next attempt has a larger one.
	ExceptionOutOfMemory = "OutOfMemory"
)

// maxLost bounds the attempts of a run whose jobs keep vanishing: it may be the run that takes its host down.
const maxLost = 20

// ending is an attempt's end that the job did not report.
type ending struct {
	kind, message string
	retryable     bool
}

// lost is a job that is gone: its host, or the process that held it, has been restarted.
func lost() ending {
	return ending{kind: ExceptionLost, message: "the job is gone without a result", retryable: true}
}

// unreported is a process that ended on its own or by force. Running out of time is the one end that another attempt
// would only repeat.
func unreported(st Status) ending {
	message := cmp.Or(st.Reason, fmt.Sprintf("exit status %d", st.ExitCode))
	switch st.Cause {
	case CauseDisrupted:
		return ending{kind: ExceptionLost, message: message, retryable: true}
	case CauseOutOfMemory:
		return ending{kind: ExceptionOutOfMemory, message: message, retryable: true}
	}
	return ending{
		kind: ExceptionFailed, message: "the job ended without a report: " + message, retryable: st.Cause != CauseDeadline,
	}
}

// invalid is a run that no job can be built for.
func invalid(err error) ending { return ending{kind: ExceptionInvalid, message: err.Error()} }

// mayRetry reports whether another attempt is due. Attempts that were lost with their host are not the run's fault.
func (m *Machine) mayRetry(run registry.Run, e ending) bool {
	if !e.retryable || run.Attempt >= maxLost {
		return false
	}
	if e.kind == ExceptionLost {
		return true
	}
	spent, last := 1, 1
	for _, t := range run.History {
		if t.State == registry.RunQueued && t.Attempt > last { // the first transition of an attempt says why it was needed
			last = t.Attempt
			if !strings.HasPrefix(t.Reason, ExceptionLost) {
				spent++
			}
		}
	}
	return spent < m.cfg.MaxAttempts
}

func (e ending) exception(step string) events.Exception {
	return events.Exception{Type: e.kind, Message: e.message, Step: step, Retryable: e.retryable}
}

// lastStep is the step that an attempt was in, by the figures of those that it reported.
func (m *Machine) lastStep(ctx context.Context, at Attempt) string {
	done := map[string]bool{}
	prefix := registry.AttemptPrefix(at.Run, at.N) + StepDir + "/"
	for attrs, err := range m.cfg.Bucket.List(ctx, prefix) {
		if err != nil {
			return "unknown"
		}
		done[strings.TrimPrefix(attrs.Key, prefix)] = true
	}
	for _, step := range Steps() {
		if !done[step] {
			return step
		}
	}
	return "report"
}
