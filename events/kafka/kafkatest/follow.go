package kafkatest

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

func followCases() []Case {
	return []Case{
		{"a follower says when it is caught up", followerCatchesUp},
		{"a follower waits for its topic", followerWaits},
	}
}

// trail is what a follower said, in order; "caught up" stands among the ids.
type trail struct {
	mu    sync.Mutex
	steps []string
}

func (tr *trail) add(step string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.steps = append(tr.steps, step)
}

func (tr *trail) is(want ...string) func() bool {
	return func() bool {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		return slices.Equal(tr.steps, want)
	}
}

func (k *kit) follow(topic string) *trail {
	k.t.Helper()
	f, err := kafka.NewFollower(k.cfg)
	if err != nil {
		k.t.Fatal(err)
	}
	tr := &trail{}
	k.run(func(ctx context.Context) error {
		return f.Follow(ctx, topic, func(ev events.Event) { tr.add(ev.ID()) }, func() { tr.add("caught up") })
	})
	return tr
}

func followerCatchesUp(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	name := k.name("t")
	k.ensure(events.TopicSpec{Name: name, Partitions: 1, Compacted: true})
	p := k.producer(kafka.ProducerConfig{})
	k.append(p, name, "a", "b", "a")
	k.produce(&kgo.Record{Topic: name, Key: []byte("x"), Value: []byte("no event")})
	tr := k.follow(name)
	k.eventually("what was there, then the signal", tr.is("a-0", "b-1", "a-2", "caught up"))
	k.append(p, name, "c")
	k.eventually("what came later", tr.is("a-0", "b-1", "a-2", "caught up", "c-0"))
}

func followerWaits(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	tr := k.follow(events.StreamTopic(k.name("late")))
	topic := k.topic("late", 2)
	k.eventually("an empty topic is caught up", tr.is("caught up"))
	k.append(k.producer(kafka.ProducerConfig{}), topic, "a")
	k.eventually("the event", tr.is("caught up", "a-0"))
}
