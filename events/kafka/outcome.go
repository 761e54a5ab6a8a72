package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
)

// record encodes ev for topic with the trace context t of ctx.
func (p *Producer) record(ctx context.Context, t traced, ev *events.Event, topic string) (*kgo.Record, error) {
	r := &kgo.Record{Topic: topic}
	if !p.cfg.Structured {
		if err := encode(ev, r); err != nil {
			return nil, err
		}
		t.stamp(r)
		return r, nil
	}
	made := ev.Clone() // the caller's event stays as it is
	events.WithTrace(ctx, &made)
	if err := encodeStructured(&made, r); err != nil {
		return nil, err
	}
	r.Headers = append(r.Headers, t.transport...)
	return r, nil
}

// outcome translates what the client says about a record.
func (p *Producer) outcome(r *kgo.Record, err error) events.Outcome {
	if err == nil {
		return events.Outcome{Position: events.Position{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}}
	}
	if errors.Is(err, kerr.UnknownTopicID) {
		// The topic was deleted and made again; forget the old one so that the next try finds the new one. Not here:
		// purging waits for the client, and the client waits for this callback.
		p.purges.Go(func() { p.cl.PurgeTopicsFromProducing(r.Topic) })
	}
	return events.Outcome{Err: publishError(err)}
}

// publishError maps the client's errors to those of package events.
func publishError(err error) error {
	switch {
	case errors.Is(err, kgo.ErrMaxBuffered):
		return events.ErrBufferFull
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		return events.ErrTooLarge
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID):
		return fmt.Errorf("%w (%w)", events.ErrNoTopic, err)
	default:
		return fmt.Errorf("%w (%w)", events.ErrUnacknowledged, err)
	}
}

// appending collects the outcomes of one call.
type appending struct {
	mu      sync.Mutex
	outs    []events.Outcome
	settled []bool
	left    int
	done    chan struct{} // closed when nothing is left
}

func newAppending(n int) *appending {
	return &appending{outs: make([]events.Outcome, n), settled: make([]bool, n), left: n, done: make(chan struct{})}
}

// settle notes an outcome; after wait gave up it is too late and changes nothing.
func (a *appending) settle(i int, out events.Outcome) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.settled[i] {
		return
	}
	a.outs[i], a.settled[i] = out, true
	if a.left--; a.left == 0 {
		close(a.done)
	}
}

// wait returns all outcomes, with ErrUnacknowledged for what is not known by the deadline or when ctx ends. The client
// keeps trying such events: a produce that was written cannot be recalled.
func (a *appending) wait(ctx context.Context, deadline time.Time) []events.Outcome {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-a.done:
	case <-ctx.Done():
	case <-timer.C:
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, ok := range a.settled {
		if !ok {
			a.outs[i], a.settled[i] = events.Outcome{Err: events.ErrUnacknowledged}, true
			a.left--
		}
	}
	return a.outs
}
