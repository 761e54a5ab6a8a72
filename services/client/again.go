package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// firstPause is the first time between two tries; it doubles from there.
const firstPause = 100 * time.Millisecond

// final marks an error that another try gives again.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// limit says whether there may be another try after the n-th in a row that failed.
type limit func(n int) bool

func (c *Client) fewTries(n int) bool { return n < c.cfg.Tries }

// patiently allows tries for a time from now on.
func (c *Client) patiently() limit {
	begin := time.Now()
	return func(int) bool { return time.Since(begin) < c.cfg.Patience }
}

// again does something until it succeeds, is refused for good, or has been tried often enough.
func (c *Client) again(ctx context.Context, more limit, try func() error) error {
	for n := 1; ; n++ {
		err := try()
		if err == nil {
			return nil
		}
		if err := c.mayRepeat(ctx, err, n, more); err != nil {
			return err
		}
	}
}

// mayRepeat waits until it is worth to try again after the n-th try in a row that failed. Where it is not, the error that
// is returned says why.
func (c *Client) mayRepeat(ctx context.Context, err error, n int, more limit) error {
	var never final
	if errors.As(err, &never) {
		return never.error
	}
	var p *Problem
	if errors.As(err, &p) && !p.Temporary() {
		return err
	}
	if ctx.Err() != nil {
		return err // which says that the context has ended, and during what
	}
	wait := pauseAfter(n, c.cfg.MaxPause)
	if p != nil {
		wait = max(wait, p.RetryAfter)
	}
	if !more(n) || wait > c.cfg.MaxPause || !inTime(ctx, wait) {
		if n > 1 {
			return fmt.Errorf("after %d tries: %w", n, err)
		}
		return err
	}
	if pause(ctx, wait) != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	return nil
}

// pauseAfter is a random time that grows with the tries: clients that were cut off together must not come back together.
func pauseAfter(n int, most time.Duration) time.Duration {
	longest := min(firstPause<<min(n-1, 16), most)
	return longest/2 + rand.N(longest/2+1)
}

// inTime reports whether a pause ends before ctx does.
func inTime(ctx context.Context, wait time.Duration) bool {
	end, ok := ctx.Deadline()
	return !ok || time.Until(end) > wait
}

// pause waits. The error is that of ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
