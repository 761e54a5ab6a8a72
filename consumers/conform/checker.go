package conform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/streams"
)

// specs has what is declared, and what was: a registry.Catalog.
type specs interface {
	ListSpecs(ctx context.Context, kind string) ([]registry.Spec, error)
	SpecHistory(ctx context.Context, kind, name string) ([]registry.Spec, error)
}

// Config of a Checker.
type Config struct {
	// Specs says what the streams declare; required; a registry.Catalog.
	Specs specs
	// Refresh is the time between two looks at them; 0 means 1 s. A schema that demands more counts that much later.
	Refresh time.Duration
	// Skew is how far the clocks of brokers, database and this machine may be apart; 0 means 2 s.
	Skew time.Duration
	// Log tells what the operator should know. nil discards.
	Log *slog.Logger
	// Metrics replaces the process-wide provider; nil uses that.
	Metrics metric.MeterProvider
}

func (c Config) withDefaults() Config {
	c.Refresh = cmp.Or(c.Refresh, time.Second)
	c.Skew = cmp.Or(c.Skew, 2*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = otel.GetMeterProvider()
	}
	return c
}

func (c Config) validate() error {
	var faults []error
	if c.Specs == nil {
		faults = append(faults, errors.New("conform: Specs is nil"))
	}
	if c.Refresh < 0 || c.Skew < 0 {
		faults = append(faults, fmt.Errorf("conform: refresh %s or skew %s is negative", c.Refresh, c.Skew))
	}
	return errors.Join(faults...)
}

// Checker judges events: an events.PlacedHandler whose permanent errors are the violations. It is safe for concurrent use.
type Checker struct {
	cfg       Config
	directory *streams.Directory
	history   *history
	metrics   *metrics
}

// New returns a Checker.
func New(cfg Config) (*Checker, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	directory, err := streams.New(streams.Config{Specs: cfg.Specs, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(cfg.Metrics)
	if err != nil {
		return nil, err
	}
	return &Checker{cfg: cfg, directory: directory, history: newHistory(cfg), metrics: m}, nil
}

// Run keeps the declared streams up to date until ctx ends, and returns nil.
func (c *Checker) Run(ctx context.Context) error {
	c.directory.Poll(ctx, c.cfg.Refresh)
	return nil
}

// HandleAt judges one event. Its permanent errors say what the event violates; any other error, that no verdict is to be had
// at the moment.
func (c *Checker) HandleAt(ctx context.Context, ev events.Event, at events.Place) error {
	table := c.directory.Table()
	v := judge(table, ev, at.Topic)
	if v.against() {
		var err error
		if table, err = c.fresh(ctx, table, at); err != nil {
			return fmt.Errorf("judge %s: %w", at.Position, err)
		}
		v = judge(table, ev, at.Topic)
		if newest := table.Spec(at.Topic); v.reason != "" && at.AppendTime.Before(newest.Updated.Add(c.cfg.Skew)) {
			if v, err = c.history.judge(ctx, newest, ev, at); err != nil {
				return fmt.Errorf("judge %s: %w", at.Position, err)
			}
		}
	}
	c.metrics.count(ctx, ev, at.Topic, v)
	return v.violation()
}

// fresh returns a table that has every spec which whoever appended the record at at could know of.
func (c *Checker) fresh(ctx context.Context, table *streams.Table, at events.Place) (*streams.Table, error) {
	since := at.AppendTime.Add(c.cfg.Skew)
	if now := time.Now(); since.After(now) {
		since = now
	}
	if table.Read.After(since) {
		return table, nil
	}
	return c.directory.After(ctx, since)
}
