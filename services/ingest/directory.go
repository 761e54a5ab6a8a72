package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/signalbox-ml/signalbox/registry/spec"
)

// directory keeps the table of types. It is looked up without a lock, and read again every now and then, and when an
// event may know of a spec that the table does not.
type directory struct {
	specs        specs
	gap, timeout time.Duration
	log          *slog.Logger

	table atomic.Pointer[table]
	turn  chan struct{} // holds one: who looks; guards last
	last  look
}

// look is the newest attempt to read the specs.
type look struct {
	began time.Time
	err   error
}

func newDirectory(cfg Config) *directory {
	d := &directory{specs: cfg.Specs, gap: cfg.LookGap, timeout: cfg.LookTimeout, log: cfg.Log, turn: make(chan struct{}, 1)}
	d.table.Store(&table{})
	return d
}

// poll looks every period until ctx ends.
func (d *directory) poll(ctx context.Context, period time.Duration) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		_, _ = d.after(ctx, time.Now().Add(-period/2)) // report has told
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// after returns a table that was read later than since. All who wait share one look, and looks keep a distance, so that
// unknown types cannot be used to press the database.
func (d *directory) after(ctx context.Context, since time.Time) (*table, error) {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if d.last.began.After(since) {
		return d.table.Load(), d.last.err
	}
	pause := time.NewTimer(time.Until(d.last.began.Add(d.gap)))
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

func (d *directory) look(ctx context.Context) look {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	l := look{began: time.Now()}
	list, err := d.specs.ListSpecs(ctx, spec.KindStream)
	if err != nil {
		l.err = fmt.Errorf("read streams: %w", err)
		return l
	}
	t, err := compile(d.table.Load(), list, l.began)
	if err != nil {
		d.log.ErrorContext(ctx, "stream cannot be used: apply it again", "error", err)
	}
	d.table.Store(t)
	return l
}

// report tells of an outage once, and of its end.
func (d *directory) report(ctx context.Context, was, is error) {
	switch {
	case was == nil && is != nil:
		d.log.WarnContext(ctx, "streams cannot be read: known types are taken as they are known", "error", is)
	case was != nil && is == nil:
		d.log.InfoContext(ctx, "streams can be read again")
	}
}
