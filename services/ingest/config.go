package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
)

// Bounds that producers know: they are part of the contract.
const (
	maxEvent = 1 << 20 // bytes of one event: its JSON, or its attributes and data
	maxBody  = 8 << 20 // bytes of a batch, unpacked
	maxBatch = 1000    // events of a batch
)

// publisher appends events to a topic and answers for each in order: a *kafka.Producer.
type publisher interface {
	Append(ctx context.Context, topic string, evs []events.Event) []events.Outcome
}

// specs lists what is declared: a registry.Catalog.
type specs interface {
	ListSpecs(ctx context.Context, kind string) ([]registry.Spec, error)
}

// Config of a Server.
type Config struct {
	// Publisher is the log; required; a *kafka.Producer.
	Publisher publisher
	// Specs says which types there are; required; a registry.Catalog.
	Specs specs
	// Refresh is the time between two looks at the declared streams; 0 means 1 s.
	Refresh time.Duration
	// LookGap is the least time between two looks that events of unknown types cause, and LookTimeout bounds each look; 0
	// means 100 ms and 2 s.
	LookGap, LookTimeout time.Duration
	// ReadTimeout bounds how long a body may take to arrive; 0 means 10 s.
	ReadTimeout time.Duration
	// PublishTimeout bounds the wait for the log; 0 means 10 s. It is to be longer than the Publisher's own bound, which
	// knows more of what became of an event.
	PublishTimeout time.Duration
	// MaxBytes and MaxEvents bound what is under way at once, in bytes of unpacked bodies (in memory a body takes up to
	// four times its size) and in events; 0 means 32 MiB and 10,000: half of what a Publisher buffers.
	MaxBytes  int64
	MaxEvents int64
	// Log tells what the operator should know. nil discards.
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Refresh = cmp.Or(c.Refresh, time.Second)
	c.LookGap = cmp.Or(c.LookGap, 100*time.Millisecond)
	c.LookTimeout = cmp.Or(c.LookTimeout, 2*time.Second)
	c.ReadTimeout = cmp.Or(c.ReadTimeout, 10*time.Second)
	c.PublishTimeout = cmp.Or(c.PublishTimeout, 10*time.Second)
	c.MaxBytes = cmp.Or(c.MaxBytes, 32<<20)
	c.MaxEvents = cmp.Or(c.MaxEvents, 10_000)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	if c.Publisher == nil || c.Specs == nil {
		errs = append(errs, errors.New("publisher or specs is missing"))
	}
	for _, d := range []struct {
		name string
		d    time.Duration
	}{
		{"refresh", c.Refresh}, {"look gap", c.LookGap}, {"look timeout", c.LookTimeout}, {"read timeout", c.ReadTimeout},
		{"publish timeout", c.PublishTimeout},
	} {
		if d.d < 0 {
			errs = append(errs, fmt.Errorf("%s %s is negative", d.name, d.d))
		}
	}
	if c.MaxBytes <= maxBody || c.MaxEvents < maxBatch {
		errs = append(errs, fmt.Errorf("max bytes %d or max events %d is too small for one batch", c.MaxBytes, c.MaxEvents))
	}
	return errors.Join(errs...)
}
