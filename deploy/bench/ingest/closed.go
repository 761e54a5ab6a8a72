package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/figures"
)

// target is a server under load.
type target struct {
	addr, token string
	pid         int
}

// took is what a server did with a load.
type took struct {
	events   int64
	cpu      time.Duration // of its process
	wall     time.Duration
	p50, p99 float64 // milliseconds, of a request
}

// perEvent is microseconds of processor time.
func (t took) perEvent() float64 { return float64(t.cpu.Microseconds()) / float64(t.events) }

func (t took) rate() float64 { return float64(t.events) / t.wall.Seconds() }

// closed sends requests over so many connections, each the next one when the last one is answered, and fails on an answer
// that is not success. noted gets the first id of each request that succeeded; nil is nobody.
func (b *bench) closed(ctx context.Context, t target, f form, conns int, ids *atomic.Int64, noted func(first int64)) (out took, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	clients := make([]*client, conns)
	for i := range clients {
		if clients[i], err = dial(t.addr, newRequest(f, t.addr, t.token, i)); err != nil {
			return out, err
		}
		defer clients[i].close()
	}
	millis := make([][]float64, conns)
	var done atomic.Int64
	var workers sync.WaitGroup
	end := time.Now().Add(b.span)
	begin, before := time.Now(), figures.CPU(t.pid)
	for i, c := range clients {
		workers.Go(func() {
			n := int64(len(c.req.ids))
			for ctx.Err() == nil && time.Now().Before(end) {
				first := ids.Add(n) - n
				sent := time.Now()
				a, err := c.do(first)
				if err == nil && a.status != http.StatusAccepted && a.status != http.StatusOK {
					err = fmt.Errorf("answered %d", a.status)
				}
				if err != nil {
					cancel(fmt.Errorf("%s of %s: %w", f, t.addr, err))
					return
				}
				millis[i] = append(millis[i], figures.Millis(time.Since(sent)))
				done.Add(n)
				if noted != nil {
					noted(first)
				}
			}
		})
	}
	workers.Wait()
	out.events, out.wall, out.cpu = done.Load(), time.Since(begin), figures.CPU(t.pid)-before
	if err := context.Cause(ctx); err != nil {
		return out, err
	}
	if out.events == 0 || out.cpu == 0 {
		return out, errors.New("the load did not hit the server: nothing was measured")
	}
	var all []float64
	for _, m := range millis {
		all = append(all, m...)
	}
	out.p50, out.p99 = figures.Quantile(all, 0.5), figures.Quantile(all, 0.99)
	return out, nil
}
