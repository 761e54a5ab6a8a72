package archive

import (
	"context"
	"sync"
	"time"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// Run flushes what has waited for MaxAge, until ctx ends; then it takes no more records, flushes everything within
// Drain and returns nil. Stop the tap first: its hand-offs leave nothing to drain.
func (a *Archiver) Run(ctx context.Context) error {
	// Flushes outlive ctx until the drain is over.
	hard, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	var flushes, tails sync.WaitGroup
	defer flushes.Wait()
	defer tails.Wait()
	tails.Go(func() { a.watchTails(ctx) })
	tick := time.NewTicker(max(10*time.Millisecond, min(time.Second, a.cfg.MaxAge/4)))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return a.drain(hard, cancel, &flushes)
		case now := <-tick.C:
			a.sweep(hard, now, &flushes)
		}
	}
}

// sweep starts the flushes that are due. One that somebody works on is looked at the next time.
func (a *Archiver) sweep(ctx context.Context, now time.Time, flushes *sync.WaitGroup) {
	for _, p := range a.assigned() {
		hctx, release, ok := p.tryHold(ctx)
		if !ok {
			continue
		}
		if !p.due(now, a.cfg.MaxAge) {
			release()
			continue
		}
		flushes.Go(func() {
			defer release()
			if p.clean() {
				a.tryMirror(hctx, p)
				return
			}
			if err := a.flush(hctx, p, ledger.ReasonAge); err != nil && p.broken == nil {
				p.broken = err // the next delivery returns it, if one comes
				a.cfg.Log.WarnContext(ctx, "partition waits for its next assignment", "partition", p.String(), "error", err)
			}
		})
	}
}

func (a *Archiver) drain(ctx context.Context, cancel context.CancelCauseFunc, flushes *sync.WaitGroup) error {
	a.mu.Lock()
	a.stopping = true
	a.mu.Unlock()
	bound := time.AfterFunc(a.cfg.Drain, func() { cancel(ErrStopped) })
	defer bound.Stop()
	for _, p := range a.assigned() {
		flushes.Go(func() {
			hctx, release, err := p.hold(ctx)
			if err == nil {
				err = a.flush(hctx, p, ledger.ReasonDrain)
				release()
			}
			if err != nil {
				a.cfg.Log.WarnContext(ctx, "partition not drained: it will be read again", "partition", p.String(), "error", err)
			}
		})
	}
	flushes.Wait()
	return nil
}
