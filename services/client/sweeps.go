package client

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"strconv"
)

// SweepFilter selects sweeps. What is zero selects nothing out.
type SweepFilter struct {
	Model  string
	States []State // any of these
	// Page is how many sweeps are fetched at once, 1 to 1000; 0 leaves it to the server.
	Page int
}

func (f SweepFilter) query() url.Values {
	q := url.Values{}
	if f.Model != "" {
		q.Set("model", f.Model)
	}
	if len(f.States) > 0 {
		q.Set("state", listed(f.States))
	}
	if f.Page != 0 {
		q.Set("limit", strconv.Itoa(f.Page))
	}
	return q
}

// Sweeps goes through the sweeps that f selects, newest first, page by page as far as the caller goes. They have neither
// history nor trials. An error is the last that comes.
func (c *Client) Sweeps(ctx context.Context, f SweepFilter) iter.Seq2[Sweep, error] {
	return func(yield func(Sweep, error) bool) {
		r := get("/v1/sweeps")
		r.query = f.query()
		for {
			var page struct {
				Sweeps []Sweep
				Next   string
			}
			if err := c.call(ctx, r, &page); err != nil {
				yield(Sweep{}, fmt.Errorf("list sweeps: %w", err))
				return
			}
			for _, s := range page.Sweeps {
				if !yield(s, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			r.query.Set("cursor", page.Next)
		}
	}
}

// SweepError reports a sweep that ended without a best trial.
type SweepError struct{ Sweep Sweep }

// Error says how the sweep ended, and of what.
func (e *SweepError) Error() string {
	s := fmt.Sprintf("sweep %s is %s", e.Sweep.ID, e.Sweep.State)
	if e.Sweep.Reason != "" {
		s += ": " + e.Sweep.Reason
	}
	return s
}

// WaitSweep looks at a sweep until it has ended. One that is not complete then is a *SweepError.
func (c *Client) WaitSweep(ctx context.Context, id SweepID) (Sweep, error) {
	for {
		var s Sweep
		err := c.callWithin(ctx, c.patiently(), get(sweepPath(id)), &s)
		switch {
		case err != nil:
			return Sweep{ID: id}, fmt.Errorf("wait for sweep %s: %w", id, err)
		case s.State == Complete:
			return s, nil
		case s.State.Final():
			return s, &SweepError{Sweep: s}
		}
		if err := pause(ctx, c.cfg.Poll); err != nil {
			return s, fmt.Errorf("wait for sweep %s, which is %s: %w", id, s.State, err)
		}
	}
}
