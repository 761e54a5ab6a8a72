package tagwatch_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/tagwatch"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

var flights = registry.Tag{Model: "flights", Name: "production"}

// registryFake lists what it was given, or fails.
type registryFake struct {
	mu    sync.Mutex
	tags  []registry.TagState
	err   error
	calls int
}

func (r *registryFake) ListTags(context.Context) ([]registry.TagState, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	return r.tags, r.err
}

func (r *registryFake) set(err error, tags ...registry.TagState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tags, r.err = tags, err
}

func (r *registryFake) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls
}

// topicFake delivers what is sent to it. A nil event means caught up; closing it fails Follow.
type topicFake struct {
	events chan *events.Event
	starts int
}

func (f *topicFake) Follow(ctx context.Context, topic string, onEvent func(events.Event), onCaughtUp func()) error {
	f.starts++
	if topic != events.TopicTags {
		return errors.New("another topic: " + topic)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case ev, ok := <-f.events:
			switch {
			case !ok:
				return errors.New("broker is away")
			case ev == nil:
				onCaughtUp()
			default:
				onEvent(*ev)
			}
		}
	}
}

func state(generation int64, pkg string) registry.TagState {
	return registry.TagState{Tag: flights, Generation: generation, Arms: []registry.Arm{{Package: cas.Sum([]byte(pkg)), Weight: 10000}}}
}

func moved(t *testing.T, s registry.TagState) *events.Event {
	t.Helper()
	data := events.TagMoved{Tag: s.Tag.String(), Generation: s.Generation}
	for _, a := range s.Arms {
		data.Next = append(data.Next, events.Arm{Package: a.Package.String(), Weight: a.Weight})
	}
	ev, err := events.New(events.TypeTagMoved, "/test", data.Tag, "", time.Now(), data)
	if err != nil {
		t.Fatal(err)
	}
	return &ev
}

// run starts a Watch in the bubble and stops it with the test.
func run(t *testing.T, cfg tagwatch.Config) *tagwatch.Watch {
	t.Helper()
	w, err := tagwatch.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return w
}

// wants checks the view once everything has settled.
func wants(t *testing.T, w *tagwatch.Watch, generation int64, complete bool) {
	t.Helper()
	synctest.Wait()
	v := w.View()
	var got int64
	if len(v.Tags) > 0 {
		got = v.Tags[0].Generation
	}
	if got != generation || v.Complete != complete {
		t.Fatalf("generation %d, complete %v; want %d, %v", got, v.Complete, generation, complete)
	}
}

// pass lets d pass on the clock of the bubble.
func pass(d time.Duration) { <-time.After(d) }

// changed reports whether a change waits, and takes it.
func changed(w *tagwatch.Watch) bool {
	synctest.Wait()
	select {
	case <-w.Changed():
		return true
	default:
		return false
	}
}

func TestEventsAndPollsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := &registryFake{tags: []registry.TagState{state(2, "b")}}
		topic := &topicFake{events: make(chan *events.Event)}
		w := run(t, tagwatch.Config{Follower: topic, Tags: reg})
		wants(t, w, 2, true)
		if !changed(w) || changed(w) {
			t.Fatal("want one change")
		}
		topic.events <- moved(t, state(1, "a")) // the topic's past
		topic.events <- moved(t, state(2, "b"))
		topic.events <- nil
		wants(t, w, 2, true)
		if changed(w) {
			t.Fatal("old news is no change")
		}
		topic.events <- moved(t, state(3, "c"))
		topic.events <- moved(t, state(4, "a"))
		wants(t, w, 4, true)
		if !changed(w) || changed(w) {
			t.Fatal("want the two moves as one change")
		}
		reg.set(nil, state(6, "d")) // the events of 5 and 6 were lost
		pass(30*time.Second + time.Millisecond)
		wants(t, w, 6, true)
	})
}

func TestARegistryThatWentBackIsNotFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := &registryFake{tags: []registry.TagState{state(9, "a")}}
		w := run(t, tagwatch.Config{Tags: reg})
		wants(t, w, 9, true)
		reg.set(nil, state(3, "old"))
		pass(time.Minute)
		wants(t, w, 9, true)
	})
}

func TestWithoutTheRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := &registryFake{err: errors.New("away")}
		topic := &topicFake{events: make(chan *events.Event)}
		w := run(t, tagwatch.Config{Follower: topic, Tags: reg})
		topic.events <- moved(t, state(1, "a"))
		wants(t, w, 1, false)
		topic.events <- nil
		wants(t, w, 1, true)
		reg.set(nil, state(1, "a"), registry.TagState{Tag: registry.Tag{Model: "a", Name: "b"}, Generation: 1})
		pass(20 * time.Second)
		synctest.Wait()
		if v := w.View(); len(v.Tags) != 2 || v.Tags[0].Tag.Model != "a" {
			t.Errorf("got %+v", v)
		}
	})
}

func TestWithoutTheTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := &registryFake{tags: []registry.TagState{state(1, "a")}}
		topic := &topicFake{events: make(chan *events.Event)}
		close(topic.events)
		w := run(t, tagwatch.Config{Follower: topic, Tags: reg})
		wants(t, w, 1, true)
		reg.set(nil, state(2, "b"))
		pass(time.Minute)
		wants(t, w, 2, true)
		if topic.starts < 4 || topic.starts > 12 {
			t.Errorf("followed %d times in a minute", topic.starts)
		}
	})
}

func TestPollsAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := &registryFake{}
		run(t, tagwatch.Config{Tags: reg})
		pass(10 * time.Minute)
		synctest.Wait()
		if n := reg.count(); n < 20 || n > 120 {
			t.Errorf("%d polls in ten minutes", n)
		}
	})
}

func TestBadEventsAreLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := &topicFake{events: make(chan *events.Event)}
		w := run(t, tagwatch.Config{Follower: topic})
		for _, data := range []events.TagMoved{
			{}, {Tag: "no-slash", Generation: 1}, {Tag: "flights/production", Generation: 0},
			{Tag: "flights/production", Generation: 1}, {Tag: "flights/production", Generation: 1, Next: []events.Arm{{Package: "x"}}},
		} {
			ev, err := events.New(events.TypeTagMoved, "/test", "x", "", time.Now(), data)
			if err != nil {
				t.Fatal(err)
			}
			topic.events <- &ev
		}
		other, err := events.New(events.TypePredictionMade, "/test", "x", "", time.Now(), state(1, "a"))
		if err != nil {
			t.Fatal(err)
		}
		topic.events <- &other
		topic.events <- moved(t, state(1, "a"))
		wants(t, w, 1, false)
	})
}

func TestTheFirstValueOfAGenerationStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := &registryFake{tags: []registry.TagState{state(1, "a")}}
		topic := &topicFake{events: make(chan *events.Event)}
		w := run(t, tagwatch.Config{Follower: topic, Tags: reg})
		wants(t, w, 1, true)
		topic.events <- moved(t, state(1, "other"))
		wants(t, w, 1, true)
		if got := w.View().Tags[0].Arms[0].Package; got != cas.Sum([]byte("a")) {
			t.Errorf("got %s", got)
		}
	})
}

func TestConfigFaultsAreListed(t *testing.T) {
	_, err := tagwatch.New(tagwatch.Config{MinPoll: -1})
	for _, want := range []string{"Follower", "duration"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s named", err, want)
		}
	}
}
