package eventstest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
)

// Fixture describes a Handler to the suite.
type Fixture struct {
	// New returns a handler on fresh state, and a function that describes all of its effect so far: equal effects must
	// give equal text.
	New func(t testing.TB) (h events.Handler, effect func() string)
	// Events are handled without error in this order. Those of one subject depend on each other's order, others do not.
	Events []events.Event
	// Poison are events that no retry can help, beside those with broken data that the suite makes itself.
	Poison []events.Event
}

// TestHandler checks what every handler must stand: duplicates, other orders, poison and being cut off.
func TestHandler(t *testing.T, f Fixture) {
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			if err := c.run(t, f); err != nil {
				t.Error(err)
			}
		})
	}
}

// Bounds of the suite: tries of one event, orders of all, and time of one call.
const (
	maxTries = 20
	orders   = 8
	patience = 30 * time.Second
)

type check struct {
	name string
	run  func(t testing.TB, f Fixture) error
}

func checks() []check {
	return []check{
		{"duplicates change nothing", duplicates},
		{"the order of subjects does not matter", reordered},
		{"poison is permanent and changes nothing", poisoned},
		{"foreign types change nothing", foreign},
		{"being cut off is not final", cutOff},
	}
}

// deliver hands ev to h until it is handled, as a consumer would.
func deliver(t testing.TB, h events.Handler, ev events.Event) error {
	for try := 1; ; try++ {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := h.Handle(ctx, ev.Clone())
		cancel()
		switch {
		case err == nil:
			return nil
		case events.PermanentReason(err) != "":
			return fmt.Errorf("%s %s was given up: %w", ev.Type(), ev.ID(), err)
		case try == maxTries:
			return fmt.Errorf("%s %s: no success after %d tries: %w", ev.Type(), ev.ID(), try, err)
		}
	}
}

// plain delivers everything once and returns the effect.
func plain(t testing.TB, f Fixture) (string, error) {
	h, effect := f.New(t)
	for _, ev := range f.Events {
		if err := deliver(t, h, ev); err != nil {
			return "", err
		}
	}
	return effect(), nil
}

func compare(what, got, want string) error {
	if got != want {
		return fmt.Errorf("%s: effect is\n%s\nand without it\n%s", what, got, want)
	}
	return nil
}

func duplicates(t testing.TB, f Fixture) error {
	want, err := plain(t, f)
	if err != nil {
		return err
	}
	h, effect := f.New(t)
	for _, ev := range f.Events {
		for range 3 {
			if err := deliver(t, h, ev); err != nil {
				return err
			}
		}
	}
	if err := compare("each event three times", effect(), want); err != nil {
		return err
	}
	for _, ev := range f.Events {
		if err := deliver(t, h, ev); err != nil {
			return err
		}
	}
	return compare("everything once more", effect(), want)
}

func reordered(t testing.TB, f Fixture) error {
	want, err := plain(t, f)
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range orders {
		h, effect := f.New(t)
		for _, ev := range interleave(rng, f.Events) {
			if err := deliver(t, h, ev); err != nil {
				return err
			}
		}
		if err := compare("another order", effect(), want); err != nil {
			return err
		}
	}
	return nil
}

// interleave shuffles evs but keeps the order of each subject.
func interleave(rng *rand.Rand, evs []events.Event) []events.Event {
	bySubject := map[string][]events.Event{}
	turns := make([]string, 0, len(evs))
	for _, ev := range evs {
		bySubject[ev.Subject()] = append(bySubject[ev.Subject()], ev)
		turns = append(turns, ev.Subject())
	}
	rng.Shuffle(len(turns), func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })
	out := make([]events.Event, 0, len(evs))
	for _, s := range turns {
		out = append(out, bySubject[s][0])
		bySubject[s] = bySubject[s][1:]
	}
	return out
}

func poisoned(t testing.TB, f Fixture) error {
	want, err := plain(t, f)
	if err != nil {
		return err
	}
	h, effect := f.New(t)
	for _, ev := range f.Events {
		for _, bad := range append(broken(ev), f.Poison...) {
			if err := deliver(t, h, bad); events.PermanentReason(err) == "" {
				return fmt.Errorf("%s %s with data %q: %v is no permanent error", bad.Type(), bad.ID(), bad.Data(), err)
			}
		}
		if err := deliver(t, h, ev); err != nil {
			return err
		}
	}
	return compare("poison in between", effect(), want)
}

// broken returns ev with data that cannot be read.
func broken(ev events.Event) []events.Event {
	var out []events.Event
	for i, data := range []string{`{"`, `"text"`, `[1]`} {
		bad := ev.Clone()
		bad.SetID(fmt.Sprintf("%s-broken-%d", ev.ID(), i))
		bad.DataEncoded = []byte(data)
		out = append(out, bad)
	}
	return out
}

func foreign(t testing.TB, f Fixture) error {
	h, effect := f.New(t)
	before := effect()
	for _, ev := range f.Events {
		other := ev.Clone()
		other.SetType("dev.signalbox.unrelated.happened")
		if err := h.Handle(t.Context(), other); err != nil && events.PermanentReason(err) == "" {
			return fmt.Errorf("foreign type would be tried for ever: %w", err)
		}
	}
	return compare("foreign types", effect(), before)
}

func cutOff(t testing.TB, f Fixture) error {
	want, err := plain(t, f)
	if err != nil {
		return err
	}
	h, effect := f.New(t)
	for _, ev := range f.Events {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("the consumer stops"))
		if err := h.Handle(ctx, ev.Clone()); events.PermanentReason(err) != "" {
			return fmt.Errorf("%s %s was given up because it was cut off: %w", ev.Type(), ev.ID(), err)
		}
		if err := deliver(t, h, ev); err != nil {
			return err
		}
	}
	return compare("cut off before each event", effect(), want)
}
