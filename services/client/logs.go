package client

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strconv"
)

// Line is one line of a log.
type Line struct {
	Attempt int
	Text    string
	// Next is the offset behind the line in the log of its attempt, in bytes.
	Next int64
}

// From is where Follow begins; zero is the beginning of the newest attempt.
type From struct {
	Attempt int   // 0: the newest
	Offset  int64 // of that attempt's log: Line.Next of a line that the caller has
}

// Logs opens the log of an attempt of a run, as far as it has come; attempt 0 is the newest. The caller closes it.
func (c *Client) Logs(ctx context.Context, id RunID, attempt int) (io.ReadCloser, error) {
	r := get(runPath(id) + "/logs")
	r.query = attemptQuery(attempt)
	var body io.ReadCloser
	err := c.again(ctx, c.fewTries, func() error {
		resp, err := c.open(ctx, r, nil) //nolint:bodyclose // by the caller
		if err == nil {
			body = resp.Body
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("log of run %s: %w", id, err)
	}
	return body, nil
}

// Follow gives the log line by line while the run goes on, that of later attempts too, until the run has ended. It may be
// asked for before the first attempt. A connection that breaks or falls silent is made again, and the log goes on behind
// the last whole line that came. An error is the last that comes.
func (c *Client) Follow(ctx context.Context, id RunID, from From) iter.Seq2[Line, error] {
	at := place{attempt: from.Attempt}
	if from.Offset > 0 {
		at.last = strconv.FormatInt(from.Offset, 10)
	}
	return follow(ctx, c, id, "/logs", at, func(attempt int, ev serverEvent) (Line, error) {
		next, err := strconv.ParseInt(ev.id, 10, 64)
		return Line{Attempt: attempt, Text: ev.data, Next: next}, err
	})
}
