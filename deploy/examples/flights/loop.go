package flights

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-ml/signalbox/events"
)

// The names that the example's specs declare.
const (
	Dataset = "flight-delay"
	Model   = "flight-delay"
	TagName = "flight-delay/production"
)

// Of the dataset's spec: how long after a window's end its labels may come, and how late an event may reach the log.
const (
	maturity = 24 * time.Hour
	lateness = time.Hour
)

// Plan says which part of the year is replayed, and where the loops are.
type Plan struct {
	Start time.Time     // of the first window
	Every time.Duration // length by which each window is longer than the one before
	Loops int           // retrainings
	End   time.Time     // of the replay; what lies between the last loop and this is held out
}

// WindowEnd is the end of window k, from 1.
func (p Plan) WindowEnd(k int) time.Time { return p.Start.Add(time.Duration(k) * p.Every) }

// Due is when window k can be built: its labels have come, the late ones too.
func (p Plan) Due(k int) time.Time { return p.WindowEnd(k).Add(maturity + lateness) }

// PlanFor fits as many loops as the tables allow, and leaves a third of a window to predict on.
func PlanFor(hs []Happening, every time.Duration) (Plan, error) {
	if len(hs) == 0 {
		return Plan{}, errors.New("nothing happens in these tables")
	}
	p := Plan{Start: time.Date(2013, 1, 1, 5, 0, 0, 0, time.UTC), Every: every, End: hs[len(hs)-1].Known}
	for p.Due(p.Loops + 1).Add(every / 3).Before(p.End) {
		p.Loops++
	}
	if p.Loops == 0 {
		return Plan{}, fmt.Errorf("windows of %s do not fit into the tables, which end on %s", every, p.End.Format(time.DateOnly))
	}
	return p, nil
}

// Replay sends events to a stack and keeps count.
type Replay struct {
	Client *Client
	Desk   *Desk
	Batch  int // events a request, at most 1,000
	// Sent is called after each acknowledged batch.
	Sent func(batch []Happening, receipts []Receipt)

	hs   []Happening
	next int
	// LastAck is when the last batch was acknowledged.
	LastAck time.Time
}

// NewReplay returns a Replay of hs.
func NewReplay(c *Client, hs []Happening) *Replay {
	return &Replay{Client: c, Desk: NewDesk(), Batch: 500, hs: hs}
}

// Done reports whether everything was sent.
func (r *Replay) Done() bool { return r.next >= len(r.hs) }

// Count returns how many events were sent, of how many.
func (r *Replay) Count() (sent, of int) { return r.next, len(r.hs) }

// Until sends every event known before t, and the first one at or after it: what tells the stack that t has passed.
func (r *Replay) Until(ctx context.Context, t time.Time) error {
	for !r.Done() {
		end, reached := r.next, false
		for end < len(r.hs) && end-r.next < r.Batch && !reached {
			reached = !r.hs[end].Known.Before(t)
			end++
		}
		part := r.hs[r.next:end]
		for _, h := range part {
			r.Desk.See(h)
		}
		if err := r.publish(ctx, part); err != nil {
			return err
		}
		if reached {
			return nil
		}
	}
	return nil
}

// publish sends one batch and waits until it is in the log.
func (r *Replay) publish(ctx context.Context, part []Happening) error {
	batch := make([]events.Event, len(part))
	for i, h := range part {
		batch[i] = h.Event
	}
	receipts, err := r.Client.Publish(ctx, batch)
	if err != nil {
		return fmt.Errorf("publish %d events: %w", len(batch), err)
	}
	r.next += len(part)
	r.LastAck = time.Now()
	if r.Sent != nil {
		r.Sent(part, receipts)
	}
	return nil
}
