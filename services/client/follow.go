package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"time"
)

// ErrCutOff reports a log, or a series of figures, that ended before its run did.
var ErrCutOff = errors.New("the stream was cut off")

// errEnough says that the caller wants no more.
var errEnough = errors.New("enough")

// place is how far a stream of a run was read.
type place struct {
	attempt int
	last    string // id of the newest event that came; "" for the beginning
}

// follow gives what read makes of each event of a run's attempts, one after the other, until the run has ended. A
// connection that breaks or falls silent is made again.
func follow[T any](ctx context.Context, c *Client, id RunID, stream string, at place, read func(attempt int, ev serverEvent) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		at := at // each loop over the sequence begins where it was told to
		err := c.followRun(ctx, id, stream, &at, func(ev serverEvent) error {
			v, err := read(at.attempt, ev)
			if err != nil {
				return final{fmt.Errorf("event %q: %w", ev.id, err)}
			}
			if !yield(v, nil) {
				return final{errEnough}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			var none T
			yield(none, fmt.Errorf("follow run %s: %w", id, err))
		}
	}
}

// followRun goes from one attempt to the next.
func (c *Client) followRun(ctx context.Context, id RunID, stream string, at *place, give func(serverEvent) error) error {
	if at.attempt == 0 {
		run, err := c.Run(ctx, id)
		if err != nil {
			return err
		}
		at.attempt = max(run.Attempt, 1)
	}
	for {
		state, err := c.followAttempt(ctx, runPath(id)+stream, at, give)
		if err != nil || state.Final() {
			return err
		}
		*at = place{attempt: at.attempt + 1} // the server ends the stream of an attempt when there is another
	}
}

// followAttempt reads the stream of one attempt to its end, over as many connections as it takes.
func (c *Client) followAttempt(ctx context.Context, path string, at *place, give func(serverEvent) error) (State, error) {
	more := c.patiently()
	for n := 1; ; n++ {
		before := at.last
		state, err := c.readEvents(ctx, path, at, give)
		if err == nil {
			return state, nil
		}
		if at.last != before {
			n, more = 1, c.patiently() // it gets on: only failures in a row count
		}
		if err := c.mayRepeat(ctx, err, n, more); err != nil {
			return "", err
		}
	}
}

// readEvents gives the events of one connection until that of its end, which says how the run stands.
func (c *Client) readEvents(ctx context.Context, path string, at *place, give func(serverEvent) error) (State, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// A peer that went away without a word would be waited for for ever.
	quiet := time.AfterFunc(c.cfg.Quiet, func() { cancel(fmt.Errorf("%w: nothing came for %s", ErrCutOff, c.cfg.Quiet)) })
	defer quiet.Stop()
	r := get(path)
	r.query = attemptQuery(at.attempt)
	r.header = http.Header{"Accept": {"text/event-stream"}}
	if at.last != "" {
		r.header.Set("Last-Event-ID", at.last)
	}
	resp, err := c.open(ctx, r, nil)
	if err != nil {
		return "", because(ctx, err)
	}
	defer resp.Body.Close()
	events := newEventStream(alive{resp.Body, func() { quiet.Reset(c.cfg.Quiet) }})
	for {
		ev, err := events.next()
		switch {
		case err != nil:
			return "", because(ctx, fmt.Errorf("%w: %w", ErrCutOff, err))
		case ev.kind == "end":
			return State(ev.data), nil
		case ev.kind == "error":
			return "", fmt.Errorf("%w: %s", ErrCutOff, ev.data)
		case ev.kind != "" || ev.id == "":
			continue // of a kind that is not known yet
		}
		if err := give(ev); err != nil {
			return "", err
		}
		at.last = ev.id
	}
}

// because names the reason for which this side gave up, rather than that it did.
func because(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), ctx.Err()) {
		return context.Cause(ctx)
	}
	return err
}

// alive tells of every piece that comes.
type alive struct {
	io.Reader
	came func()
}

// Read implements io.Reader.
func (a alive) Read(b []byte) (int, error) {
	n, err := a.Reader.Read(b)
	if n > 0 {
		a.came()
	}
	return n, err
}
