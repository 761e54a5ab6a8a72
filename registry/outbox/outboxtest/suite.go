package outboxtest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/outbox"
)

// Harness is an empty source under test. Its Source may be an outbox.Waker.
type Harness struct {
	Source outbox.Source
	// Add makes events wait, as a mutation does.
	Add func(t *testing.T, evs ...events.Event)
	// Crash is called while a Claim publishes and makes it fail to commit, as if its process died.
	Crash func(t *testing.T)
}

// TestSource runs the contract.
func TestSource(t *testing.T, open func(t *testing.T) Harness) {
	tests := []struct {
		name string
		run  func(t *testing.T, h Harness)
	}{
		{"OldestFirst", testOldestFirst},
		{"ContentSurvives", testContentSurvives},
		{"PublishFails", testPublishFails},
		{"CrashBeforeCommit", testCrash},
		{"AddedMeanwhile", testAddedMeanwhile},
		{"OneRelayAtATime", testOneRelay},
		{"ManyRelays", testManyRelays},
		{"Wake", testWake},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) { tc.run(t, open(t)) })
	}
}

// Event makes one with an id and a subject, which is the key.
func Event(t testing.TB, id, subject string) events.Event {
	t.Helper()
	ev, err := events.New(events.TypeTagMoved, "/test", subject, id, time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC),
		events.TagMoved{Tag: subject, Actor: "<&>\u2028 kelley", Generation: 1 << 60})
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

func numbered(t *testing.T, from, to int) []events.Event {
	t.Helper()
	var evs []events.Event
	for i := from; i < to; i++ {
		evs = append(evs, Event(t, strconv.Itoa(i), "m/production"))
	}
	return evs
}

// IDs returns the ids of events.
func IDs(evs []events.Event) []string {
	var ids []string
	for _, ev := range evs {
		ids = append(ids, ev.ID())
	}
	return ids
}

// claim takes up to n and fails unless exactly the events with these ids came.
func claim(t *testing.T, h Harness, n int, ids ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var got []string
	taken, err := h.Source.Claim(ctx, n, func(evs []events.Event) error { got = append(got, IDs(evs)...); return nil })
	if err != nil || taken != len(ids) || !slices.Equal(got, ids) {
		t.Errorf("Claim(%d) = %d, %v with %q, want %q", n, taken, err, got, ids)
	}
}

func testOldestFirst(t *testing.T, h Harness) {
	claim(t, h, 10)
	h.Add(t, numbered(t, 0, 3)...)
	h.Add(t, numbered(t, 3, 5)...)
	claim(t, h, 2, "0", "1")
	claim(t, h, 10, "2", "3", "4")
	claim(t, h, 10)
}

func testContentSurvives(t *testing.T, h Harness) {
	want := Event(t, "e", "m/production")
	want.SetExtension("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	want.SetExtension("partitionkey", "other")
	h.Add(t, want)
	var got []events.Event
	if _, err := h.Source.Claim(t.Context(), 1, func(evs []events.Event) error { got = evs; return nil }); err != nil || len(got) != 1 {
		t.Fatalf("Claim: %v with %d events", err, len(got))
	}
	if got[0].String() != want.String() || string(got[0].Data()) != string(want.Data()) || !got[0].Time().Equal(want.Time()) {
		t.Errorf("event =\n%s%s\nwant\n%s%s", got[0], got[0].Data(), want, want.Data())
	}
}

func testPublishFails(t *testing.T, h Harness) {
	h.Add(t, numbered(t, 0, 2)...)
	broken := errors.New("log is down")
	n, err := h.Source.Claim(t.Context(), 10, func([]events.Event) error { return broken })
	if n != 0 || !errors.Is(err, broken) {
		t.Errorf("Claim = %d, %v, want 0 and the publisher's error", n, err)
	}
	claim(t, h, 10, "0", "1")
}

// testCrash: published and not deleted is published again, in order.
func testCrash(t *testing.T, h Harness) {
	h.Add(t, numbered(t, 0, 3)...)
	var got []string
	_, err := h.Source.Claim(t.Context(), 2, func(evs []events.Event) error {
		got = append(got, IDs(evs)...)
		h.Crash(t)
		return nil
	})
	if err == nil {
		t.Fatal("Claim that could not commit = nil")
	}
	if !slices.Equal(got, []string{"0", "1"}) {
		t.Errorf("published %q before the crash", got)
	}
	claim(t, h, 10, "0", "1", "2")
}

func testAddedMeanwhile(t *testing.T, h Harness) {
	h.Add(t, numbered(t, 0, 1)...)
	if n, err := h.Source.Claim(t.Context(), 10, func([]events.Event) error {
		h.Add(t, numbered(t, 1, 2)...) // a mutation does not wait for the log
		return nil
	}); n != 1 || err != nil {
		t.Errorf("Claim = %d, %v, want 1", n, err)
	}
	claim(t, h, 10, "1")
}

// testOneRelay: while one relay publishes, another gets nothing, so they cannot overtake each other.
func testOneRelay(t *testing.T, h Harness) {
	h.Add(t, numbered(t, 0, 4)...)
	if _, err := h.Source.Claim(t.Context(), 2, func([]events.Event) error {
		claim(t, h, 2)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	claim(t, h, 2, "2", "3")
}

// testManyRelays: whoever publishes, each event comes once and in order.
func testManyRelays(t *testing.T, h Harness) {
	const total = 60
	h.Add(t, numbered(t, 0, total)...)
	var mu sync.Mutex
	var got []string
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for t.Context().Err() == nil {
				_, err := h.Source.Claim(t.Context(), 7, func(evs []events.Event) error {
					mu.Lock()
					defer mu.Unlock()
					got = append(got, IDs(evs)...)
					return nil
				})
				mu.Lock()
				done := len(got) >= total
				mu.Unlock()
				if err != nil {
					t.Errorf("Claim: %v", err)
				}
				if done || err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	if want := IDs(numbered(t, 0, total)); !slices.Equal(got, want) {
		t.Errorf("published %q, want each once and in order", got)
	}
}

func testWake(t *testing.T, h Harness) {
	w, ok := h.Source.(outbox.Waker)
	if !ok {
		return // only a poll then
	}
	woken := make(chan struct{}, 100)
	next := func(when string) {
		t.Helper()
		select {
		case <-woken:
		case <-time.After(30 * time.Second):
			t.Fatalf("no wake-up %s", when)
		}
	}
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	wg.Go(func() {
		if err := w.Wake(ctx, func() { woken <- struct{}{} }); err != nil {
			t.Errorf("Wake: %v, want nil at the end of its context", err)
		}
	})
	next("when it can first tell")
	for i := range 3 {
		h.Add(t, numbered(t, i, i+1)...)
		next("after an event")
	}
	stop()
	wg.Wait()
}
