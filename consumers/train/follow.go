package train

import (
	"time"

	"go.opentelemetry.io/otel/trace"
)

// job is what the machine remembers of an attempt that it follows. All of it can be found again.
type job struct {
	backend Backend // nil: its class is no longer configured
	span    trace.Span
	begun   time.Time     // when this process first saw it
	why     string        // what it waits for, by the backend's last word
	under   chan struct{} // closed when what was begun aside is done; nil: nothing was begun

	// These belong to what is done aside while there is such a thing.
	tail    tail
	leaving time.Time // since when it is over
	over    bool      // nothing is left to do for it
}

// aside does what may take long, such as a log that comes from a node that does not answer, while looks go on. The job
// must be idle.
func (j *job) aside(f func()) {
	under := make(chan struct{})
	j.under = under
	go func() {
		defer close(under)
		f()
	}()
}

// idle reports that nothing is done aside.
func (j *job) idle() bool {
	select {
	case <-j.under:
		j.under = nil
	default:
	}
	return j.under == nil
}

// wait returns once nothing is done aside any more.
func (j *job) wait() {
	if j.under != nil {
		<-j.under
	}
}
