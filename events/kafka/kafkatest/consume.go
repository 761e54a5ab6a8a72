package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

func consumeCases() []Case {
	return []Case{
		{"events of a key keep their order", keysKeepOrder},
		{"a failing event holds its partition only", failingHoldsPartition},
		{"a restart repeats nothing that was done", restartRepeatsNothing},
		{"members share and lose nothing", membersShare},
		{"a consumer waits for its topic", consumerWaitsForTopic},
	}
}

// seen is a handler that remembers what it handled.
type seen struct {
	mu   sync.Mutex
	ids  []string
	fail func(ev events.Event, attempt int) error // nil: never
	try  map[string]int
}

// Handle remembers ev unless fail says otherwise.
func (s *seen) Handle(_ context.Context, ev events.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.try == nil {
		s.try = map[string]int{}
	}
	s.try[ev.ID()]++
	if s.fail != nil {
		if err := s.fail(ev, s.try[ev.ID()]); err != nil {
			return err
		}
	}
	s.ids = append(s.ids, ev.ID())
	return nil
}

func (s *seen) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ids)
}

func (s *seen) tries(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.try[id]
}

func (k *kit) consumer(cfg kafka.ConsumerConfig) *kafka.Consumer {
	k.t.Helper()
	cfg.Config = k.cfg
	if cfg.Group == "" {
		cfg.Group = k.name("group")
	}
	c, err := kafka.NewConsumer(cfg)
	if err != nil {
		k.t.Fatal(err)
	}
	return c
}

func keysKeepOrder(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := k.topic("t", 3)
	p := k.producer(kafka.ProducerConfig{})
	var evs []events.Event
	for i := range 90 {
		evs = append(evs, k.event(fmt.Sprint("key-", i%6), fmt.Sprintf("%d-%03d", i%6, i)))
	}
	h := &seen{}
	k.run(k.consumer(kafka.ConsumerConfig{Topics: []string{topic}, Handler: h}).Run)
	for _, out := range p.Append(k.ctx, topic, evs) {
		if out.Err != nil {
			t.Fatal(out.Err)
		}
	}
	k.eventually("all events are handled", func() bool { return len(h.all()) >= len(evs) })
	last := map[byte]string{}
	for _, id := range h.all() {
		if id <= last[id[0]] {
			t.Errorf("%s after %s", id, last[id[0]])
		}
		last[id[0]] = id
	}
}

func failingHoldsPartition(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	broken, healthy := k.topic("broken", 1), k.topic("healthy", 1)
	p := k.producer(kafka.ProducerConfig{})
	h := &seen{fail: func(ev events.Event, attempt int) error {
		if ev.ID() == "bad-0" && attempt < 4 {
			return errors.New("not yet")
		}
		return nil
	}}
	k.append(p, broken, "bad", "after")
	k.append(p, healthy, "fine")
	k.run(k.consumer(kafka.ConsumerConfig{Topics: []string{broken, healthy}, Handler: h, BackoffMax: time.Second}).Run)
	k.eventually("all events are handled", func() bool { return len(h.all()) == 3 })
	got := h.all()
	if slices.Index(got, "bad-0") > slices.Index(got, "after-1") || got[0] != "fine-0" || h.tries("bad-0") != 4 {
		t.Errorf("order %v, %d tries", got, h.tries("bad-0"))
	}
}

func restartRepeatsNothing(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := k.topic("t", 2)
	p := k.producer(kafka.ProducerConfig{})
	first := &seen{}
	stop := k.run(k.consumer(kafka.ConsumerConfig{Topics: []string{topic}, Handler: first}).Run)
	k.append(p, topic, "a", "b", "c", "d")
	k.eventually("the first run handles its events", func() bool { return len(first.all()) == 4 })
	stop()
	k.append(p, topic, "e", "f")
	second := &seen{}
	k.run(k.consumer(kafka.ConsumerConfig{Topics: []string{topic}, Handler: second}).Run)
	k.eventually("the second run handles the rest", func() bool { return len(second.all()) >= 2 })
	if got := second.all(); len(got) != 2 || !slices.Contains(got, "e-0") || !slices.Contains(got, "f-1") {
		t.Errorf("second run handled %v", got)
	}
}

func membersShare(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := k.topic("t", 4)
	p := k.producer(kafka.ProducerConfig{})
	members := []*seen{{}, {}}
	wave := func(name string) (want []string) {
		var evs []events.Event
		for i := range 40 {
			id := fmt.Sprintf("%s-%d", name, i)
			want = append(want, id)
			evs = append(evs, k.event(id, id))
		}
		for _, out := range p.Append(k.ctx, topic, evs) {
			if out.Err != nil {
				t.Fatal(out.Err)
			}
		}
		return want
	}
	handled := func(want []string) bool {
		got := append(members[0].all(), members[1].all()...)
		return !slices.ContainsFunc(want, func(id string) bool { return !slices.Contains(got, id) })
	}
	k.run(k.consumer(kafka.ConsumerConfig{Topics: []string{topic}, Handler: members[0]}).Run)
	want := wave("alone")
	k.eventually("one member takes all", func() bool { return handled(want) })
	stop := k.run(k.consumer(kafka.ConsumerConfig{Topics: []string{topic}, Handler: members[1]}).Run)
	for i := 0; ; i++ {
		want := wave(fmt.Sprint("shared-", i))
		k.eventually("two members take all", func() bool { return handled(want) })
		if len(members[1].all()) > 0 {
			break
		}
	}
	stop()
	want = wave("left")
	k.eventually("the one that is left takes all", func() bool { return handled(want) })
}

func consumerWaitsForTopic(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	name := events.StreamTopic(k.name("late"))
	h := &seen{}
	k.run(k.consumer(kafka.ConsumerConfig{Topics: []string{name}, Handler: h}).Run)
	k.append(k.producer(kafka.ProducerConfig{}), k.topic("late", 1), "s")
	k.eventually("the event is handled", func() bool { return len(h.all()) == 1 })
}
