package kafka

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/metric"

	"github.com/signalbox-ml/signalbox/events"
)

// Reasons of dead letters that the consumer itself gives; handlers give their own by events.Permanent.
const (
	reasonMalformed = "malformed"
	reasonExhausted = "retries_exhausted"
	reasonPanic     = "panic"
)

// position is how far a lane's events are settled, and how much of that is committed.
type position struct {
	next      int64
	epoch     int32
	committed int64
	at        time.Time // of the last commit
}

// serve is the goroutine of a lane.
func (c *Consumer) serve(ctx context.Context, l *lane) {
	pos := position{committed: -1, next: -1, at: time.Now()}
	defer c.commitLast(ctx, l, &pos)
	dead, t := c.deadLetters(l), &tally{limit: c.cfg.DeadLetterLimit, began: time.Now()}
	for {
		f, ok := l.take(0)
		if !ok {
			return
		}
		if f.err != nil {
			if !l.rest(time.Second) {
				return
			}
			continue
		}
		if len(f.records) > 0 {
			c.tel.consumed.Add(ctx, int64(len(f.records)), metric.WithAttributes(on(l.topic)))
		}
		for _, r := range f.records {
			if !c.settle(ctx, l, dead, t, r) {
				return
			}
			pos.next, pos.epoch = r.Offset+1, r.LeaderEpoch
			if time.Since(pos.at) >= c.cfg.CommitInterval {
				c.commit(ctx, l, &pos)
			}
		}
		if l.empty() {
			c.commit(ctx, l, &pos)
		}
	}
}

// commit commits what is settled. A failure costs nothing but a repeat; the lane is nudged to try again.
func (c *Consumer) commit(ctx context.Context, l *lane, pos *position) {
	if pos.next == pos.committed {
		return
	}
	pos.at = time.Now()
	err := l.commit(ctx, c.cfg.Group, pos.next, pos.epoch)
	if err == nil {
		pos.committed = pos.next
		return
	}
	l.nudge(c.cfg.CommitInterval)
	if !rebalancing(err) {
		c.cfg.Log.WarnContext(ctx, "commit failed, events will be repeated if the partition moves now", "topic", l.topic,
			"partition", l.partition, "offset", pos.next, "error", err)
	}
}

// commitLast is the commit of a lane that stops. A rebalance in progress may refuse it for a moment.
func (c *Consumer) commitLast(ctx context.Context, l *lane, pos *position) {
	for try := 0; pos.next != pos.committed && try < 4 && ctx.Err() == nil; try++ {
		if try > 0 && sleep(ctx, commitRetry) != nil {
			return
		}
		c.commit(ctx, l, pos)
	}
}

// settle handles r or sends it to the dead letters, however long that takes. It returns false where the lane stops
// before either is done: r belongs to the next owner then.
func (c *Consumer) settle(ctx context.Context, l *lane, dead *deadLetters, t *tally, r *kgo.Record) bool {
	ev, malformed := decode(r)
	var first time.Time
	defer c.release(ctx, l)
	for attempt := 1; ; attempt++ {
		if l.isStopped() {
			return false
		}
		err := malformed
		if err == nil {
			err = c.attempt(ctx, r, ev, attempt)
		}
		if err == nil {
			t.add(false)
			return true
		}
		if ctx.Err() != nil {
			return false // the error may come from being cut off
		}
		if first.IsZero() {
			first = time.Now()
		}
		wait := backoff(c.cfg.BackoffMin, c.cfg.BackoffMax, attempt)
		why, final := c.verdict(err, malformed != nil, attempt)
		switch {
		case final && !t.full():
			why.first, why.topicID = first, l.tp().ID()
			t.add(true)
			return c.bury(ctx, l, dead, r, why)
		case final:
			c.hold(ctx, l, r, why)
			wait = c.cfg.BackoffMax
		default:
			c.cfg.Log.WarnContext(ctx, "event not handled, will try again", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset,
				"type", ev.Type(), "id", ev.ID(), "attempt", attempt, "wait", wait, "error", err)
		}
		if !l.sleep(wait) {
			return false
		}
	}
}

// verdict says why an event is to be given up, and false where it is to be tried again.
func (c *Consumer) verdict(err error, malformed bool, attempt int) (letter, bool) {
	why := letter{reason: events.PermanentReason(err), detail: err.Error(), schema: events.MisfitSchema(err), attempt: attempt}
	switch {
	case malformed:
		why.reason, why.attempt = reasonMalformed, 0
	case why.reason == "" && c.cfg.MaxAttempts > 0 && attempt >= c.cfg.MaxAttempts:
		why.reason = reasonExhausted
	}
	return why, why.reason != ""
}

// attempt calls the handler once. A panic is an error of that event and must not stop the others.
func (c *Consumer) attempt(ctx context.Context, r *kgo.Record, ev events.Event, n int) (err error) {
	begin := time.Now()
	ctx, span := c.tel.handling(ctx, r, ev, n)
	defer func() {
		if v := recover(); v != nil {
			err = events.Permanent(reasonPanic, fmt.Errorf("handler panicked: %v", v))
		}
		c.tel.handled(ctx, span, r.Topic, begin, err)
	}()
	if c.cfg.Placed != nil {
		at := events.Position{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
		return c.cfg.Placed.HandleAt(ctx, ev, events.Place{Position: at, AppendTime: r.Timestamp})
	}
	return c.cfg.Handler.Handle(ctx, ev)
}

// bury sends r to the dead letters, again and again until they have it.
func (c *Consumer) bury(ctx context.Context, l *lane, dead *deadLetters, r *kgo.Record, why letter) bool {
	for try := 1; ; try++ {
		err := dead.write(ctx, r, why)
		if err == nil {
			c.tel.dead.Add(ctx, 1, metric.WithAttributes(on(r.Topic), reasonAttribute(why.reason)))
			c.cfg.Log.ErrorContext(ctx, "event sent to dead letters", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset,
				"reason", why.reason, "detail", why.detail, "attempt", why.attempt)
			return true
		}
		c.cfg.Log.ErrorContext(ctx, "dead letter not written, the partition waits", "topic", r.Topic, "partition", r.Partition,
			"offset", r.Offset, "reason", why.reason, "error", err)
		if ctx.Err() != nil || !l.sleep(backoff(c.cfg.BackoffMin, c.cfg.BackoffMax, try)) {
			return false
		}
	}
}

// backoff doubles from low to high with attempt, less up to half at random so that members do not step in time.
func backoff(low, high time.Duration, attempt int) time.Duration {
	d := high
	if shift := attempt - 1; shift < 32 && low<<shift < high && low<<shift > 0 {
		d = low << shift
	}
	if d <= 1 {
		return d
	}
	return d - rand.N(d/2)
}
