package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/figures"
	"github.com/signalbox-ml/signalbox/deploy/bench/internal/rig"
)

const (
	glance   = 100 * time.Millisecond // between looks at an archiver
	patience = 6 * time.Minute        // for one run
	stopping = 30 * time.Second
)

// cost is what one undisturbed run took until all rows were in objects that a reader finds.
type cost struct {
	cpu, start, wall time.Duration // start: processor time until it had partitions
	peak             int64         // bytes
	files            int
}

// clean runs an archiver over a topic from its beginning, and reads back what it has archived.
func (b *bench) clean(ctx context.Context, a archiver, topic rig.Shop) (c cost, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := b.newRun(ctx, a, "clean", topic)
	if err != nil {
		return c, err
	}
	begin := time.Now()
	p, err := a.start(ctx, r)
	if err != nil {
		return c, err
	}
	err = b.until(ctx, a, r, p, nil, func(rows int64) (bool, error) {
		if c.start == 0 && len(b.groups.readers(ctx, a.group(r))) > 0 {
			c.start = figures.CPU(p.PID())
		}
		return rows >= int64(topic.Records), nil
	})
	c.wall, c.cpu, c.peak = time.Since(begin), figures.CPU(p.PID()), figures.Peak(p.PID())
	if err := errors.Join(err, p.Stop(stopping)); err != nil {
		return c, err
	}
	found, err := b.read(ctx, a, r)
	if err != nil {
		return c, err
	}
	if want := (tally{rows: int64(topic.Records)}); found.tally != want {
		return c, fmt.Errorf("%s, undisturbed, is void: %s", r.name, found)
	}
	c.files = found.files
	return c, nil
}

// until looks at a living archiver until enough says so or it is hit.
func (b *bench) until(ctx context.Context, a archiver, r *run, p process, hit <-chan struct{}, enough func(rows int64) (bool, error)) error {
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		rows, err := a.rows(ctx, r)
		if err != nil {
			return fmt.Errorf("rows of %s: %w", r.name, err)
		}
		if done, err := enough(rows); done || err != nil {
			return err
		}
		if !alive(p) {
			return fmt.Errorf("%s ended by itself with %d of %d rows archived\n%s", r.name, rows, r.topic.Records, tail(r.log()))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s has %d of %d rows archived: %w\n%s", r.name, rows, r.topic.Records, context.Cause(ctx), tail(r.log()))
		case <-hit:
			return errHit
		case <-tick.C:
		}
	}
}

// archive is what a reader finds at the end of a run.
type archive struct {
	tally
	files, orphans int // orphans: objects with rows that no reader reads
}

// read reads all of it, once nobody writes.
func (b *bench) read(ctx context.Context, a archiver, r *run) (out archive, err error) {
	named, err := a.files(ctx, r)
	if err != nil {
		return out, err
	}
	objects, err := r.keys(ctx, a.about().data)
	if err != nil {
		return out, err
	}
	out.files, out.orphans = len(named), len(objects)-len(named)
	out.tally, err = r.count(ctx, named, b.ids[:r.topic.Records])
	return out, err
}
