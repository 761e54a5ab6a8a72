// Package outbox moves events from the outbox, where mutations left them in their own transactions, to the log.
//
// An event is deleted in a transaction that stays open while the event is published. A crash between the two publishes it
// again; nothing loses it. There is no cursor, so a mutation that commits late is not passed by. Relays take turns, so the
// events of one key reach the log in the order in which they happened: a compacted topic keeps the newest.
//
// An event that the log never takes stops the ones behind it, with an error in the log of the relay at every try. To pass
// it by would lose it in silence.
package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/signalbox-ml/signalbox/events"
)

// Source is where events wait. outboxtest has the suite that every source passes.
type Source interface {
	// Claim hands the n oldest events to publish, in order, and removes them if it returns nil. It returns how many it
	// removed: 0 where there are none, or where another relay is at it. An error leaves open whether they are removed.
	Claim(ctx context.Context, n int, publish func(evs []events.Event) error) (int, error)
}

// Waker is the optional power of a Source to say at once that there may be events.
type Waker interface {
	// Wake calls wake whenever there may be events, from when it can first tell, until ctx ends (nil) or it cannot tell
	// any more.
	Wake(ctx context.Context, wake func()) error
}

// Config says what a relay connects.
type Config struct {
	Source    Source           // required
	Publisher events.Publisher // required
	// Batch is how many events are published at once. 0 means 100.
	Batch int
	// Poll is how long an event waits at most whose wake-up is lost. 0 means 250 ms.
	Poll time.Duration
	// MaxBackoff is the longest pause after an error; the first is Poll. 0 means 5 s.
	MaxBackoff time.Duration
	// Drain bounds the work after Run's context has ended. 0 means 10 s.
	Drain time.Duration
	// Log receives errors. nil discards.
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Batch == 0 {
		c.Batch = 100
	}
	if c.Poll == 0 {
		c.Poll = 250 * time.Millisecond
	}
	if c.MaxBackoff == 0 {
		c.MaxBackoff = 5 * time.Second
	}
	if c.Drain == 0 {
		c.Drain = 10 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	if c.Source == nil {
		errs = append(errs, errors.New("source is missing"))
	}
	if c.Publisher == nil {
		errs = append(errs, errors.New("publisher is missing"))
	}
	if c.Batch < 0 || c.Poll < 0 || c.MaxBackoff < 0 || c.Drain < 0 {
		errs = append(errs, fmt.Errorf("batch %d, poll %v, max backoff %v, drain %v: none may be negative", c.Batch, c.Poll, c.MaxBackoff, c.Drain))
	}
	return errors.Join(errs...)
}
