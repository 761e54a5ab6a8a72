package eventstest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
)

// counter adds up the n of each event, by subject; flaws make it break one rule each.
type counter struct {
	mu   sync.Mutex
	seen map[string]bool
	sums map[string]int
	all  []string
	flaw string
	tick int
}

func (c *counter) Handle(ctx context.Context, ev events.Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil {
		if c.flaw == "gives up when cut off" {
			return events.Permanent("stopped", ctx.Err())
		}
		return ctx.Err()
	}
	if ev.Type() != "org.example.added" && c.flaw != "takes any type" {
		return nil
	}
	if c.tick++; c.tick%3 == 0 {
		return errors.New("try again") // which is allowed
	}
	var data struct{ N int }
	if err := json.Unmarshal(ev.Data(), &data); err != nil {
		if c.flaw == "retries poison" {
			return err
		}
		if c.flaw == "counts poison" {
			c.sums["poison"]++
		}
		return events.Permanent("malformed", err)
	}
	if c.seen[ev.ID()] && c.flaw != "counts twice" {
		return nil
	}
	c.seen[ev.ID()] = true
	c.sums[ev.Subject()] += data.N
	c.all = append(c.all, ev.ID())
	return nil
}

func fixture(t *testing.T, flaw string) Fixture {
	t.Helper()
	var evs []events.Event
	for i := range 6 {
		ev, err := events.New("org.example.added", "urn:example", fmt.Sprint("subject-", i%3), fmt.Sprint(i), time.Unix(0, 0), map[string]int{"N": i})
		if err != nil {
			t.Fatal(err)
		}
		evs = append(evs, ev)
	}
	return Fixture{Events: evs, New: func(testing.TB) (events.Handler, func() string) {
		c := &counter{seen: map[string]bool{}, sums: map[string]int{}, flaw: flaw}
		return c, func() string {
			if flaw == "depends on order" {
				return fmt.Sprint(c.all)
			}
			return fmt.Sprint(c.sums)
		}
	}}
}

func TestSuiteFindsEachFlaw(t *testing.T) {
	for flaw, finds := range map[string]string{
		"":                      "",
		"counts twice":          "duplicates change nothing",
		"depends on order":      "the order of subjects does not matter",
		"retries poison":        "poison is permanent and changes nothing",
		"counts poison":         "poison is permanent and changes nothing",
		"takes any type":        "foreign types change nothing",
		"gives up when cut off": "being cut off is not final",
	} {
		t.Run(flaw, func(t *testing.T) {
			var failed []string
			for _, c := range checks() {
				if err := c.run(t, fixture(t, flaw)); err != nil {
					failed = append(failed, c.name)
				}
			}
			if finds == "" && len(failed) > 0 || finds != "" && !slices.Equal(failed, []string{finds}) {
				t.Errorf("failed %v, want %q", failed, finds)
			}
		})
	}
}

func TestRecorder(t *testing.T) {
	r := &Recorder{}
	evs := fixture(t, "").Events
	if err := r.Publish(t.Context(), evs...); err != nil {
		t.Fatal(err)
	}
	evs[0].SetID("changed later")
	if got := r.OfType("org.example.added"); len(got) != 6 || got[0].ID() != "0" || len(r.OfType("x")) != 0 {
		t.Errorf("%v", got)
	}
	r.Fail = func([]events.Event) error { return errors.New("kafka is away") }
	if r.Publish(t.Context(), evs[1]) == nil || len(r.Events()) != 6 {
		t.Error("a failed publish was kept")
	}
	if r.Reset(); len(r.Events()) != 0 {
		t.Error("not reset")
	}
}
