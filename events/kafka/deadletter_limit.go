package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/metric"

	"github.com/signalbox-ml/signalbox/events"
)

// DeadLetterLimit says when a partition stops rather than to send more events to the dead letters: where that many fail,
// the fault is rather the consumer's, and a bad release must not bury everything. A partition that was stopped tries the
// event that it stands at again and again, and goes on by itself once that is handled. Who starts the consumer again
// allows as many letters anew.
type DeadLetterLimit struct {
	// Letters of a partition within Window are always allowed; 0 means 100, less than 0 any number.
	Letters int
	// Share of the partition's events within Window that may be dead letters where there are more; 0 means 0.5.
	Share float64
	// Window is the time that counts; 0 means 10 min.
	Window time.Duration
}

func (d DeadLetterLimit) withDefaults() DeadLetterLimit {
	d.Letters = cmp.Or(d.Letters, 100)
	d.Share = cmp.Or(d.Share, 0.5)
	d.Window = cmp.Or(d.Window, 10*time.Minute)
	return d
}

func (d DeadLetterLimit) validate() error {
	var faults []error
	if d.Share < 0 || d.Share >= 1 {
		faults = append(faults, fmt.Errorf("kafka consumer: DeadLetterLimit.Share %g: want 0 to less than 1", d.Share))
	}
	if d.Window < time.Second {
		faults = append(faults, fmt.Errorf("kafka consumer: DeadLetterLimit.Window %s: want at least 1 s", d.Window))
	}
	return errors.Join(faults...)
}

// tally counts what became of a partition's events in the window: in the half that runs, and in the half before it.
type tally struct {
	limit        DeadLetterLimit
	began        time.Time
	recent, past count
}

type count struct{ all, dead int }

// move forgets what is older than the window.
func (t *tally) move(now time.Time) {
	half := t.limit.Window / 2
	switch age := now.Sub(t.began); {
	case age >= 2*half:
		t.past, t.recent, t.began = count{}, count{}, now
	case age >= half:
		t.past, t.recent, t.began = t.recent, count{}, now
	}
}

// add counts one event that is settled.
func (t *tally) add(dead bool) {
	t.move(time.Now())
	t.recent.all++
	if dead {
		t.recent.dead++
	}
}

// full reports whether one more dead letter is too many.
func (t *tally) full() bool {
	if t.limit.Letters < 0 {
		return false
	}
	t.move(time.Now())
	all, dead := t.recent.all+t.past.all, t.recent.dead+t.past.dead
	return dead >= t.limit.Letters && float64(dead) > t.limit.Share*float64(all)
}

// hold notes that l stands at r.
func (c *Consumer) hold(ctx context.Context, l *lane, r *kgo.Record, why letter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, is := c.held[l]; is {
		return
	}
	c.held[l] = events.Position{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
	c.tel.held.Add(ctx, 1, metric.WithAttributes(on(l.topic)))
	c.cfg.Log.ErrorContext(ctx, "too many dead letters, the partition stops: mend the consumer or the producers, or start it again to go on",
		"topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "reason", why.reason, "detail", why.detail,
		"letters", c.cfg.DeadLetterLimit.Letters, "share", c.cfg.DeadLetterLimit.Share, "window", c.cfg.DeadLetterLimit.Window)
}

// release ends a hold, if there is one.
func (c *Consumer) release(ctx context.Context, l *lane) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, is := c.held[l]
	if !is {
		return
	}
	delete(c.held, l)
	c.tel.held.Add(ctx, -1, metric.WithAttributes(on(l.topic)))
	if !l.isStopped() {
		c.cfg.Log.InfoContext(ctx, "the partition goes on", "topic", at.Topic, "partition", at.Partition, "offset", at.Offset)
	}
}

// Held returns where partitions of this member stand because they had too many dead letters, in the order of topics and
// partitions.
func (c *Consumer) Held() []events.Position {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]events.Position, 0, len(c.held))
	for _, at := range c.held {
		out = append(out, at)
	}
	slices.SortFunc(out, func(a, b events.Position) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return out
}
