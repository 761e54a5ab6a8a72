package kafkatest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

func publishCases() []Case {
	return []Case{
		{"append answers in order", appendAnswersInOrder},
		{"append names what it cannot write", appendNamesFaults},
		{"publish goes to the topic of the type", publishByType},
		{"structured mode", structuredMode},
		{"best effort adds up", bestEffortAddsUp},
	}
}

func appendAnswersInOrder(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := k.topic("t", 3)
	p := k.producer(kafka.ProducerConfig{Linger: 2 * time.Millisecond})
	var evs []events.Event
	for i := range 60 {
		evs = append(evs, k.event(fmt.Sprintf("key-%d", i%5), fmt.Sprint(i)))
	}
	outs := p.Append(k.ctx, topic, evs)
	if len(outs) != len(evs) {
		t.Fatalf("%d outcomes of %d events", len(outs), len(evs))
	}
	at := map[events.Position]string{}
	last := map[string]events.Position{}
	for i, out := range outs {
		if out.Err != nil || out.Position.Topic != topic {
			t.Fatalf("event %d: %+v", i, out)
		}
		key := evs[i].Subject()
		if prev, ok := last[key]; ok && (prev.Partition != out.Position.Partition || prev.Offset >= out.Position.Offset) {
			t.Errorf("%s: %v after %v", key, out.Position, prev)
		}
		last[key], at[out.Position] = out.Position, evs[i].ID()
	}
	for _, r := range k.read(topic, len(evs)) {
		ev, err := kafka.Decode(neutral(r))
		pos := events.Position{Topic: topic, Partition: r.Partition, Offset: r.Offset}
		if err != nil || at[pos] != ev.ID() || string(r.Key) != ev.Subject() {
			t.Errorf("%v: %s %v, want %s", pos, ev.ID(), err, at[pos])
		}
	}
}

func appendNamesFaults(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := k.topic("t", 1)
	p := k.producer(kafka.ProducerConfig{})
	if outs := p.Append(k.ctx, events.StreamTopic(k.name("missing")), []events.Event{k.event("s", "1")}); !errors.Is(outs[0].Err, events.ErrNoTopic) {
		t.Errorf("missing topic: %v", outs[0].Err)
	}
	big := k.event("s", "big")
	if err := big.SetData("application/octet-stream", bytes.Repeat([]byte{7}, 3<<20)); err != nil {
		t.Fatal(err)
	}
	whole := k.event("s", "1 MiB")
	if err := whole.SetData("application/octet-stream", bytes.Repeat([]byte{7}, 1<<20)); err != nil {
		t.Fatal(err)
	}
	outs := p.Append(k.ctx, topic, []events.Event{k.event("s", "a"), big, whole})
	if outs[0].Err != nil || !errors.Is(outs[1].Err, events.ErrTooLarge) || outs[2].Err != nil {
		t.Errorf("outcomes %v", outs)
	}
	if err := p.Publish(k.ctx, k.event("s", "1")); !errors.Is(err, events.ErrNoTopic) {
		t.Errorf("publish of an application event: %v", err)
	}
	if outs := p.Append(k.ctx, topic, nil); outs != nil {
		t.Errorf("nothing to append: %v", outs)
	}
}

func publishByType(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	k.ensure(events.LifecycleTopics()...)
	p := k.producer(kafka.ProducerConfig{})
	for _, typ := range []string{events.TypeTagMoved, events.TypeRunRequested} {
		ev, err := events.New(typ, "urn:example:suite", k.name(typ), "", time.Now(), map[string]string{})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Publish(k.ctx, ev, ev); err != nil {
			t.Fatal(err)
		}
		topic, _ := events.TopicOf(typ)
		if got := k.read(topic, 2); string(got[len(got)-1].Key) != ev.Subject() {
			t.Errorf("%s: key %q", topic, got[len(got)-1].Key)
		}
	}
}

func structuredMode(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := k.topic("t", 1)
	k.append(k.producer(kafka.ProducerConfig{Structured: true}), topic, "s")
	r := k.read(topic, 1)[0]
	ev, err := kafka.Decode(neutral(r))
	if err != nil || ev.ID() != "s-0" || len(r.Headers) != 1 || string(r.Key) != "s" {
		t.Errorf("%v %v %v", ev, err, r.Headers)
	}
}

func bestEffortAddsUp(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	k.ensure(events.LifecycleTopics()...)
	p := k.producer(kafka.ProducerConfig{MaxBufferedRecords: 100})
	const n = 400
	taken := 0
	for i := range n {
		ev, err := events.New(events.TypePredictionMade, "urn:example:suite", fmt.Sprint(i), "", time.Now(), map[string]int{"n": i})
		if err != nil {
			t.Fatal(err)
		}
		if p.TryPublish(ev) {
			taken++
		}
	}
	if p.TryPublish(k.event("s", "no lifecycle type")) {
		t.Error("an application event was taken")
	}
	k.eventually("every event is accounted for", func() bool {
		b := p.BestEffort()
		return b.Offered == n+1 && b.Delivered+b.Dropped == b.Offered && b.Delivered == int64(taken)
	})
	if taken == 0 {
		t.Error("nothing was taken")
	}
}
