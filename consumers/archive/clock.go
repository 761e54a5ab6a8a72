package archive

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/signalbox-ml/signalbox/events"
)

// clock tells how far an idle partition is complete by this machine's clock, which may be ahead of a broker's by more than
// anybody thought.
type clock struct {
	skew time.Duration
	lead atomic.Int64 // nanoseconds beyond skew that were seen
	late atomic.Int64 // records that came behind what was noted as complete
}

// before is up to when a partition is complete that was heard to be idle.
func (c *clock) before(heard time.Time) time.Time {
	return heard.Add(-c.skew - time.Duration(c.lead.Load()))
}

// saw takes note of by how much a record is older than what was noted as complete, and reports whether it is more than ever.
func (c *clock) saw(by time.Duration) bool {
	c.late.Add(1)
	for {
		lead := c.lead.Load()
		if int64(by) <= lead {
			return false
		}
		if c.lead.CompareAndSwap(lead, int64(by)) {
			return true
		}
	}
}

// punctual checks a record against what was noted when p was idle. It is too late to take that back, but not to do better from
// here on, and to say so.
func (a *Archiver) punctual(ctx context.Context, p *partition, r *events.Record) {
	if !r.AppendTime.Before(p.noted) {
		return
	}
	by := p.noted.Sub(r.AppendTime)
	if a.clock.saw(by) {
		a.cfg.Log.ErrorContext(ctx, "records are older than what counts as complete: set the clocks of this machine and the brokers",
			"partition", p.String(), "offset", r.Offset, "append_time", r.AppendTime, "complete", p.noted, "by", by)
	}
}
