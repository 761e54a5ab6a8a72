// Package events is the vocabulary: what can happen in the loop, what each event carries, which topic it travels on,
// and the two contracts that every producer and consumer shares. It knows no transport and no storage.
package events

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/uuid"
)

// Event is a CloudEvent 1.0.
type Event = event.Event

// Publisher makes events durable. It returns nil only when every event is in the log, acknowledged by all replicas.
// An error leaves the outcome of each event unknown: publish again with the same ids.
type Publisher interface {
	Publish(ctx context.Context, evs ...Event) error
}

// Handler has an idempotent effect for each event: delivery is at least once and may be out of order across keys.
// nil commits; Permanent sends the event to the dead letters; any other error is tried again.
type Handler interface {
	Handle(ctx context.Context, ev Event) error
}

// HandlerFunc is a function as a Handler.
type HandlerFunc func(ctx context.Context, ev Event) error

// Handle calls f.
func (f HandlerFunc) Handle(ctx context.Context, ev Event) error { return f(ctx, ev) }

// Position is where an event stands in the log.
type Position struct {
	Topic     string
	Partition int32
	Offset    int64
}

// String returns topic/partition/offset.
func (p Position) String() string {
	return p.Topic + "/" + strconv.Itoa(int(p.Partition)) + "/" + strconv.FormatInt(p.Offset, 10)
}

// Outcome is what became of one event: its position, or why it has none.
type Outcome struct {
	Position Position
	Err      error
}

// New builds an event of a lifecycle type with JSON data. The id is the event's identity for every later delivery: pass
// one that is derived from what happened where a repeat must be recognised, or "" for a fresh one.
func New(typ, source, subject, id string, at time.Time, data any) (Event, error) {
	if id == "" {
		u, err := uuid.NewV7()
		if err != nil {
			return Event{}, fmt.Errorf("event id: %w", err)
		}
		id = u.String()
	}
	e := event.New(event.CloudEventsVersionV1)
	e.SetType(typ)
	e.SetSource(source)
	e.SetSubject(subject)
	e.SetID(id)
	e.SetTime(at)
	if err := e.SetData(event.ApplicationJSON, data); err != nil {
		return Event{}, fmt.Errorf("%s data: %w", typ, err)
	}
	if err := e.Validate(); err != nil {
		return Event{}, fmt.Errorf("%s: %w", typ, err)
	}
	return e, nil
}

// permanent marks an error that no retry can mend.
type permanent struct {
	reason string
	err    error
}

func (p *permanent) Error() string { return p.reason + ": " + p.err.Error() }
func (p *permanent) Unwrap() error { return p.err }

// Permanent marks err as final: the event goes to the dead letters under reason, a short stable word such as
// "malformed" or "unknown_model".
func Permanent(reason string, err error) error {
	if err == nil {
		return nil
	}
	return &permanent{reason: reason, err: err}
}

// PermanentReason returns the reason of a permanent error, or "" for one that may be tried again.
func PermanentReason(err error) string {
	var p *permanent
	if errors.As(err, &p) {
		return p.reason
	}
	return ""
}
