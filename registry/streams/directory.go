// Package streams knows which streams are declared, and what they demand of the events of each type. The knowledge is a
// table that is looked up without a lock, and read again when it may be too old for a verdict.
package streams

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// specs lists what is declared: a registry.Catalog.
type specs interface {
	ListSpecs(ctx context.Context, kind string) ([]registry.Spec, error)
}

// Config of a Directory.
type Config struct {
	// Specs says which streams there are; required; a registry.Catalog.
	Specs specs
	// Gap is the least time between two looks at them, and Timeout bounds each look; 0 means 100 ms and 2 s.
	Gap, Timeout time.Duration
	// Log tells what the operator should know. nil discards.
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Gap = cmp.Or(c.Gap, 100*time.Millisecond)
	c.Timeout = cmp.Or(c.Timeout, 2*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	var faults []error
	if c.Specs == nil {
		faults = append(faults, errors.New("streams: Specs is nil"))
	}
	if c.Gap < 0 || c.Timeout < 0 {
		faults = append(faults, fmt.Errorf("streams: gap %s or timeout %s is negative", c.Gap, c.Timeout))
	}
	return errors.Join(faults...)
}

// Directory keeps the table of types. It is safe for concurrent use.
type Directory struct {
	cfg   Config
	table atomic.Pointer[Table]
	turn  chan struct{} // holds one: who looks; guards last
	last  look
}

// look is the newest attempt to read the specs.
type look struct {
	began time.Time
	err   error
}

// New returns a Directory that knows nothing yet.
func New(cfg Config) (*Directory, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	d := &Directory{cfg: cfg, turn: make(chan struct{}, 1)}
	d.table.Store(&Table{})
	return d, nil
}

// Table returns what the last look found.
func (d *Directory) Table() *Table { return d.table.Load() }

// Poll looks every period until ctx ends.
func (d *Directory) Poll(ctx context.Context, period time.Duration) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		_, _ = d.After(ctx, time.Now().Add(-period/2)) // report has told
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// After returns a table that was read later than since. All who wait share one look, and looks keep a distance, so that
// unknown types cannot be used to press the database.
func (d *Directory) After(ctx context.Context, since time.Time) (*Table, error) {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if d.last.began.After(since) {
		return d.table.Load(), d.last.err
	}
	pause := time.NewTimer(time.Until(d.last.began.Add(d.cfg.Gap)))
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	was := d.last.err
	// The look is for everybody who waits, not only for the one whose request it is.
	d.last = d.look(context.WithoutCancel(ctx))
	d.report(ctx, was, d.last.err)
	return d.table.Load(), d.last.err
}

func (d *Directory) look(ctx context.Context) look {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	l := look{began: time.Now()}
	list, err := d.cfg.Specs.ListSpecs(ctx, spec.KindStream)
	if err != nil {
		l.err = fmt.Errorf("read streams: %w", err)
		return l
	}
	t, err := compile(d.table.Load(), list, l.began)
	if err != nil {
		d.cfg.Log.ErrorContext(ctx, "stream cannot be used: apply it again", "error", err)
	}
	d.table.Store(t)
	return l
}

// report tells of an outage once, and of its end.
func (d *Directory) report(ctx context.Context, was, is error) {
	switch {
	case was == nil && is != nil:
		d.cfg.Log.WarnContext(ctx, "streams cannot be read: known types are taken as they are known", "error", is)
	case was != nil && is == nil:
		d.cfg.Log.InfoContext(ctx, "streams can be read again")
	}
}
