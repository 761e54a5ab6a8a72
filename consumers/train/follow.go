package train

import (
	"time"

	"go.opentelemetry.io/otel/trace"
)

// job is what the machine remembers of an attempt that it follows. All of it can be found again.
type job struct {
	background
	backend Backend // nil: its class is no longer configured
	span    trace.Span
	begun   time.Time // when this process first saw it

	// These belong to what is done in the background while there is such a thing.
	why     string // what it waits for, by the backend's last word
	tail    tail
	leaving time.Time // since when it is over
	over    bool      // nothing is left to do for it
}

// background does what may take long while looks go on: the next job does not wait for a log that comes from a node that
// does not answer. It does one thing at a time.
type background struct {
	under chan struct{} // closed when what was begun is done; nil: nothing was begun
}

// do begins f. Nothing else may be under way.
func (b *background) do(f func()) {
	under := make(chan struct{})
	b.under = under
	go func() {
		defer close(under)
		f()
	}()
}

// idle reports that nothing is under way.
func (b *background) idle() bool {
	select {
	case <-b.under:
		b.under = nil
	default:
	}
	return b.under == nil
}

// wait returns once nothing is under way any more.
func (b *background) wait() {
	if b.under != nil {
		<-b.under
	}
}
