// Package lifecycle runs the workers of a process: started in order, stopped in reverse, each with time to drain.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// DefaultDrain bounds the stop of one worker.
const DefaultDrain = 20 * time.Second

// Group is a list of workers. Add them in the order of dependence: what others need comes first and stops last.
type Group struct {
	// Drain bounds how long each worker may take to return after its context ended; 0 means DefaultDrain. One that
	// takes longer is left behind and reported.
	Drain   time.Duration
	Log     *slog.Logger
	workers []worker
}

type worker struct {
	name string
	run  func(ctx context.Context) error
}

// Add appends a worker. run blocks until ctx ends, drains, and returns nil; an error before that stops the group.
func (g *Group) Add(name string, run func(ctx context.Context) error) {
	g.workers = append(g.workers, worker{name: name, run: run})
}

// running is a started worker.
type running struct {
	worker
	cancel context.CancelFunc
	done   chan struct{}
	err    error // valid once done is closed
}

// Run starts every worker and blocks until ctx ends or a worker fails; then it stops them in reverse order and returns
// what failed.
func (g *Group) Run(ctx context.Context) error {
	log := g.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	failed := make(chan *running, len(g.workers))
	started := make([]*running, 0, len(g.workers))
	for _, w := range g.workers {
		// A worker outlives ctx until its turn to stop comes.
		wctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		r := &running{worker: w, cancel: cancel, done: make(chan struct{})}
		started = append(started, r)
		go func() {
			r.err = r.run(wctx)
			close(r.done)
			failed <- r
		}()
	}
	var first error
	select {
	case <-ctx.Done():
		log.Info("stopping")
	case r := <-failed:
		first = fmt.Errorf("%s: %w", r.name, errors.Join(r.err, errStopped))
		log.Error("worker ended, stopping", "worker", r.name, "error", r.err)
	}
	return errors.Join(first, g.stop(started, log))
}

var errStopped = errors.New("worker ended")

func (g *Group) stop(started []*running, log *slog.Logger) error {
	drain := g.Drain
	if drain <= 0 {
		drain = DefaultDrain
	}
	var faults []error
	for i := len(started) - 1; i >= 0; i-- {
		r := started[i]
		r.cancel()
		t := time.NewTimer(drain)
		select {
		case <-r.done:
			if r.err != nil && !errors.Is(r.err, context.Canceled) {
				faults = append(faults, fmt.Errorf("%s: %w", r.name, r.err))
			}
			log.Debug("worker stopped", "worker", r.name)
		case <-t.C:
			faults = append(faults, fmt.Errorf("%s: still busy after %s", r.name, drain))
		}
		t.Stop()
	}
	return errors.Join(faults...)
}
