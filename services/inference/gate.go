package inference

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// errBusy reports that too many requests are under way.
var errBusy = errors.New("too many requests at once")

// gate lets a fixed number in, and a few more wait a moment. Who would wait longer is refused at once: a queue that grows
// answers everybody late.
type gate struct {
	in      chan struct{}
	waiting atomic.Int64
	queue   int64
	wait    time.Duration
}

func newGate(n, queue int, wait time.Duration) *gate {
	return &gate{in: make(chan struct{}, n), queue: int64(queue), wait: wait}
}

// enter returns errBusy, or nil; then leave must be called.
func (g *gate) enter(ctx context.Context) error {
	select {
	case g.in <- struct{}{}:
		return nil
	default:
	}
	if g.wait == 0 {
		return errBusy
	}
	defer g.waiting.Add(-1)
	if g.waiting.Add(1) > g.queue {
		return errBusy
	}
	t := time.NewTimer(g.wait)
	defer t.Stop()
	select {
	case g.in <- struct{}{}:
		return nil
	case <-t.C:
		return errBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gate) leave() { <-g.in }
