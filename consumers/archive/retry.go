package archive

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"time"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

const (
	firstPause = 100 * time.Millisecond
	lastPause  = 10 * time.Second
)

// retry makes a call until it succeeds: as long as the partition is ours, waiting is the only thing that neither loses
// nor doubles. It gives up when ctx ends, when the ledger says that the claim is gone, and on ErrConflict.
func (a *Archiver) retry(ctx context.Context, p *partition, what string, call func(context.Context) error) error {
	for n := 1; ; n++ {
		err := once(ctx, call)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ledger.ErrFenced), errors.Is(err, ErrConflict):
			return fmt.Errorf("%s: %w", what, err)
		case ctx.Err() != nil:
			return fmt.Errorf("%s: %w (%w)", what, context.Cause(ctx), err)
		}
		a.counts.retries.Add(1)
		if bits.OnesCount(uint(n)) == 1 { // the 1st, 2nd, 4th, 8th ... time
			a.cfg.Log.WarnContext(ctx, "will try again", "step", what, "partition", p.String(), "attempts", n, "error", err)
		}
		if err := pause(ctx, n); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}

func once(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	return call(ctx)
}

// pause waits twice as long each time, less up to a half at random so that partitions do not march in step.
func pause(ctx context.Context, n int) error {
	d := min(lastPause, firstPause<<min(n-1, 10))
	t := time.NewTimer(d - rand.N(d/2))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
