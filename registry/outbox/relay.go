package outbox

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/signalbox-ml/signalbox/events"
)

// Relay publishes what waits in a source. Any number may run on one source; they take turns.
type Relay struct{ cfg Config }

// New returns a relay, or every fault of the configuration.
func New(cfg Config) (*Relay, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("outbox config: %w", err)
	}
	return &Relay{cfg: cfg}, nil
}

// Run publishes until ctx ends, then what still waits, for at most Config.Drain, and returns nil.
func (r *Relay) Run(ctx context.Context) error {
	// What is being published when ctx ends is finished: a COMMIT cut short publishes everything once more.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	wake := make(chan struct{}, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { endAfter(ctx, work, r.cfg.Drain, cancel) })
	if w, ok := r.cfg.Source.(Waker); ok {
		wg.Go(func() { r.listen(ctx, w, wake) })
	}
	failures := 0
	for ctx.Err() == nil {
		n, err := r.claim(work)
		switch {
		case err != nil:
			failures++
			r.cfg.Log.ErrorContext(ctx, "events stay in the outbox", "tries", failures, "error", err)
			wait(ctx, nil, backoff(r.cfg.Poll, r.cfg.MaxBackoff, failures))
			continue
		case n < r.cfg.Batch:
			wait(ctx, wake, r.cfg.Poll)
		}
		failures = 0
	}
	r.drain(ctx, work)
	return nil
}

func (r *Relay) claim(ctx context.Context) (int, error) {
	return r.cfg.Source.Claim(ctx, r.cfg.Batch, func(evs []events.Event) error {
		return r.cfg.Publisher.Publish(ctx, evs...)
	})
}

// drain publishes what is left. What it cannot is there for the next relay.
func (r *Relay) drain(ctx, work context.Context) {
	for work.Err() == nil {
		n, err := r.claim(work)
		if err != nil {
			r.cfg.Log.WarnContext(ctx, "events stay in the outbox until the next start", "error", err)
			return
		}
		if n == 0 {
			return
		}
	}
}

// listen turns what the source says into wake-ups and comes back when it goes silent. The poll covers the time between.
func (r *Relay) listen(ctx context.Context, w Waker, wake chan<- struct{}) {
	for failures := 1; ctx.Err() == nil; failures++ {
		began := time.Now()
		err := w.Wake(ctx, func() {
			select {
			case wake <- struct{}{}:
			default: // one is on its way
			}
		})
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > r.cfg.MaxBackoff {
			failures = 1
		}
		r.cfg.Log.WarnContext(ctx, "outbox wake-up lost, polling", "error", err)
		wait(ctx, nil, backoff(r.cfg.Poll, r.cfg.MaxBackoff, failures))
	}
}

// endAfter calls cancel when ctx has been over for drain; it returns then or when work is over.
func endAfter(ctx, work context.Context, drain time.Duration, cancel func()) {
	select {
	case <-ctx.Done():
	case <-work.Done():
		return
	}
	timer := time.NewTimer(drain)
	defer timer.Stop()
	select {
	case <-timer.C:
		cancel()
	case <-work.Done():
	}
}

// wait returns after d, at a wake-up, or when ctx ends.
func wait(ctx context.Context, wake <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-timer.C:
	}
}

// backoff doubles from first to limit.
func backoff(first, limit time.Duration, failures int) time.Duration {
	d := first
	for i := 1; i < failures && d < limit; i++ {
		d *= 2
	}
	return min(d, limit)
}
