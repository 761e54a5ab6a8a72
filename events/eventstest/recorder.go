// Package eventstest has what tests of publishers and handlers share: a Publisher that remembers, and the suite that
// every Handler must pass because delivery is at least once and out of order across keys.
package eventstest

import (
	"context"
	"slices"
	"sync"

	"github.com/signalbox-ml/signalbox/events"
)

// Recorder is a Publisher that keeps what it is given. The zero value works.
type Recorder struct {
	// Fail decides, if set, whether a publish fails; a failed one leaves nothing behind.
	Fail func(evs []events.Event) error

	mu  sync.Mutex
	evs []events.Event
}

// Publish keeps copies of evs.
func (r *Recorder) Publish(_ context.Context, evs ...events.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Fail != nil {
		if err := r.Fail(evs); err != nil {
			return err
		}
	}
	for _, ev := range evs {
		r.evs = append(r.evs, ev.Clone())
	}
	return nil
}

// Events returns what was published, in order.
func (r *Recorder) Events() []events.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.evs)
}

// OfType returns the published events of one type, in order.
func (r *Recorder) OfType(typ string) []events.Event {
	return slices.DeleteFunc(r.Events(), func(ev events.Event) bool { return ev.Type() != typ })
}

// Reset forgets everything.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.evs = nil
}
