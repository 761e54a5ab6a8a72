package pyworker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-ml/signalbox/services/inference/runtime"
)

// work keeps one worker process alive and feeds it until ctx ends.
func (m *Model) work(ctx context.Context, p *process) {
	backoff := m.cfg.MinBackoff
	var again []*call // calls that lost their worker: each goes alone
	for ctx.Err() == nil {
		if p == nil {
			p = m.restart(ctx, &again, &backoff)
			continue
		}
		calls, ok := m.take(ctx, p, &again)
		switch {
		case !ok && ctx.Err() != nil:
		case !ok:
			m.log.Warn("worker died while idle", "pid", p.pid)
			p = m.lose(p)
		case len(calls) == 0:
		case m.run(p, calls, &again):
			backoff = m.cfg.MinBackoff
		default:
			p = m.lose(p)
		}
	}
	if p != nil {
		const grace = 2 * time.Second
		p.close(grace)
	}
}

// lose ends a process that is of no more use.
func (m *Model) lose(p *process) *process {
	m.live.Add(-1)
	p.kill()
	return nil
}

// restart starts a worker after a pause that doubles with each failure. It returns nil where that failed.
func (m *Model) restart(ctx context.Context, again *[]*call, backoff *time.Duration) *process {
	t := time.NewTimer(*backoff)
	defer t.Stop()
	select {
	case <-t.C:
	case <-m.closing:
		// Close waits for its predictions, and a new worker may never come.
		m.giveUp(*again)
		*again = nil
		<-ctx.Done()
		return nil
	}
	*backoff = min(2**backoff, m.cfg.MaxBackoff)
	p, err := start(ctx, m.cfg, m.dir, m.sig, m.log)
	if err != nil {
		m.log.Error("worker did not start", "error", err, "next_try", *backoff)
		return nil
	}
	m.live.Add(1)
	return p
}

// giveUp answers calls with ErrClosed, and everything that waits where no other worker lives to take it.
func (m *Model) giveUp(calls []*call) {
	for _, c := range calls {
		c.done <- answer{err: runtime.ErrClosed}
	}
	for m.live.Load() == 0 {
		select {
		case c := <-m.queue:
			m.waiting.Add(-int64(c.rows))
			c.done <- answer{err: runtime.ErrClosed}
		default:
			return
		}
	}
}

// take waits for work and returns all that waits, up to MaxBatch rows. ok is false where p died meanwhile, or ctx ended.
func (m *Model) take(ctx context.Context, p *process, again *[]*call) (calls []*call, ok bool) {
	if n := len(*again); n > 0 {
		c := (*again)[n-1]
		*again = (*again)[:n-1]
		return wanted(nil, c), true
	}
	var rows int
	select {
	case c := <-m.queue:
		m.waiting.Add(-int64(c.rows))
		calls, rows = wanted(calls, c), c.rows
	case <-p.dead:
		return nil, false
	case <-ctx.Done():
		return nil, false
	}
	for rows < m.cfg.MaxBatch {
		select {
		case c := <-m.queue:
			m.waiting.Add(-int64(c.rows))
			if rows+c.rows > m.cfg.MaxBatch {
				*again = append(*again, c) // it comes next, alone
				return calls, true
			}
			calls, rows = wanted(calls, c), rows+c.rows
		default:
			return calls, true
		}
	}
	return calls, true
}

// wanted appends c unless its caller has gone.
func wanted(calls []*call, c *call) []*call {
	if c.ctx.Err() != nil {
		return calls
	}
	return append(calls, c)
}

// run has p answer calls. It reports false where p must be ended; then the calls are answered or stand in again.
func (m *Model) run(p *process, calls []*call, again *[]*call) bool {
	outputs := len(m.sig.Outputs)
	values, err := p.predict(calls, len(m.sig.Inputs), outputs)
	var failed *ModelError
	switch {
	case err == nil:
		for _, c := range calls {
			c.done <- answer{values: values[: c.rows*outputs : c.rows*outputs]}
			values = values[c.rows*outputs:]
		}
		return true
	case errors.As(err, &failed) && len(calls) == 1:
		calls[0].done <- answer{err: err}
		return true
	case errors.As(err, &failed): // one of them is at fault: ask for each alone
		*again = append(*again, calls...)
		return true
	case errors.Is(err, runtime.ErrWidth):
		for _, c := range calls {
			c.done <- answer{err: err}
		}
		return true
	}
	m.log.Error("worker lost", "pid", p.pid, "requests", len(calls), "error", err)
	for _, c := range calls {
		if c.ends++; c.ends < 2 {
			*again = append(*again, c)
			continue
		}
		m.log.Error("request refused", "rows", c.rows, "error", ErrPoison)
		c.done <- answer{err: fmt.Errorf("%w: %w", ErrPoison, err)}
	}
	return false
}
