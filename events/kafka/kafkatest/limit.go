package kafkatest

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

func limitCases() []Case {
	return []Case{
		{"too many dead letters stop their partition until it can go on", tooManyStop},
		{"a few dead letters among many events stop nothing", fewStopNothing},
		{"a consumer that is started again may bury as many", restartAllowsMore},
		{"topics of a pattern are consumed, new ones too", patternConsumes},
	}
}

func tooManyStop(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	broken, healthy := k.topic("broken", 1), k.topic("healthy", 1)
	var mended atomic.Bool
	h := &seen{fail: func(ev events.Event, _ int) error {
		if ev.Subject() == "bad" && !mended.Load() {
			return events.Permanent("bad_release", errors.New("cannot"))
		}
		return nil
	}}
	c := k.consumer(kafka.ConsumerConfig{Topics: []string{broken, healthy}, Handler: h, BackoffMax: 200 * time.Millisecond,
		DeadLetterLimit: kafka.DeadLetterLimit{Letters: 3}})
	k.run(c.Run)
	p := k.producer(kafka.ProducerConfig{})
	k.append(p, broken, "bad", "bad", "bad", "bad", "bad", "good")
	k.eventually("the partition stops", func() bool { return len(c.Held()) == 1 })
	if at := c.Held()[0].String(); at != broken+"/0/3" {
		t.Errorf("held at %s", at)
	}
	k.append(p, healthy, "fine")
	k.eventually("others go on", func() bool { return slices.Equal(h.all(), []string{"fine-0"}) })
	k.eventually("it tries again", func() bool { return h.tries("bad-3") >= 3 })
	if n := len(k.letters(broken)); n != 3 {
		t.Errorf("%d letters, want the 3 that are allowed", n)
	}
	mended.Store(true)
	k.eventually("it goes on by itself", func() bool { return slices.Equal(h.all(), []string{"fine-0", "bad-3", "bad-4", "good-5"}) })
	k.eventually("it is not held", func() bool { return len(c.Held()) == 0 })
}

func fewStopNothing(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := k.topic("t", 1)
	h := &seen{fail: func(ev events.Event, _ int) error {
		if ev.Subject() == "bad" {
			return events.Permanent("bad", errors.New("cannot"))
		}
		return nil
	}}
	var subjects []string
	for range 10 {
		subjects = append(subjects, "good", "good", "bad")
	}
	c := k.consumer(kafka.ConsumerConfig{Topics: []string{topic}, Handler: h, DeadLetterLimit: kafka.DeadLetterLimit{Letters: 3, Share: 0.4}})
	k.run(c.Run)
	k.append(k.producer(kafka.ProducerConfig{}), topic, subjects...)
	k.eventually("all are handled or buried", func() bool { return len(h.all()) == 20 && len(k.lettersOrNone(topic)) == 10 })
}

func restartAllowsMore(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := k.topic("t", 1)
	h := &seen{fail: func(ev events.Event, _ int) error { return events.Permanent("bad", errors.New("cannot")) }}
	k.append(k.producer(kafka.ProducerConfig{}), topic, "a", "b", "c", "d", "e")
	for i, want := range []int{2, 4, 5} {
		c := k.consumer(kafka.ConsumerConfig{Topics: []string{topic}, Handler: h, DeadLetterLimit: kafka.DeadLetterLimit{Letters: 2}})
		stop := k.run(c.Run)
		k.eventually(fmt.Sprint("start ", i), func() bool {
			return len(k.lettersOrNone(topic)) == want && (len(c.Held()) == 1) == (want < 5)
		})
		stop()
		if len(c.Held()) != 0 {
			t.Error("held after its end")
		}
	}
}

func patternConsumes(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	one, h := k.topic("one", 1), &seen{}
	k.ensure(events.TopicSpec{Name: events.DeadLetterTopic(one), Partitions: 1})
	p := k.producer(kafka.ProducerConfig{})
	k.append(p, one, "a")
	k.append(p, events.DeadLetterTopic(one), "dead")
	k.run(k.consumer(kafka.ConsumerConfig{Pattern: `^events\.` + k.name("") + `.+$`, Except: `\.dlq$`, Handler: h}).Run)
	k.eventually("what is there is handled", func() bool { return slices.Equal(h.all(), []string{"a-0"}) })
	k.append(p, k.topic("two", 1), "b")
	k.eventually("what is new is handled", func() bool { return slices.Equal(h.all(), []string{"a-0", "b-0"}) })
	two := events.StreamTopic(k.name("two"))
	k.produce(&kgo.Record{Topic: two, Value: []byte("no event")})
	k.eventually("its dead letters have a topic", func() bool { return len(k.lettersOrNone(two)) == 1 })
}
