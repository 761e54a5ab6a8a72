package kafka_test

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

func (b *bubble) follow(cfg kafka.Config) *handled {
	b.t.Helper()
	f, err := kafka.NewFollower(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	h := &handled{}
	b.start(func(ctx context.Context) error {
		return f.Follow(ctx, topic, func(ev events.Event) { h.add(ev.ID()) }, func() { h.add("caught up") })
	})
	return h
}

func TestFollowerOutlivesAnOutage(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		cut, cfg := b.cabled()
		cut.set(true)
		h := b.follow(cfg)
		time.Sleep(time.Hour)
		b.put("a")
		cut.set(false)
		b.within(time.Minute, "it starts late", func() bool { return h.count("a") == 1 && h.count("caught up") == 1 })
		cut.set(true)
		time.Sleep(time.Hour)
		b.put("b")
		cut.set(false)
		b.within(time.Minute, "it goes on", func() bool { return h.count("b") == 1 })
		if h.count("") != 3 {
			t.Errorf("%v", h.ids)
		}
	})
}

func TestFollowerReadsATopicThatWasMadeAgain(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		b.put("a", "b")
		h := b.follow(b.cfg)
		b.within(time.Minute, "it caught up", func() bool { return h.count("caught up") == 1 })
		if err := b.v.Cluster.DeleteTopic(topic); err != nil {
			t.Fatal(err)
		}
		if err := b.adm.EnsureTopics(t.Context(), []events.TopicSpec{{Name: topic, Partitions: 1}}); err != nil {
			t.Fatal(err)
		}
		b.put("c")
		b.within(time.Minute, "it reads the new topic", func() bool { return h.count("c") == 1 })
	})
}

func TestFollowerGivesUpGoalsOutOfReach(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		b.put("a", "b", "c")
		fault := b.v.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.OffsetNotAvailable, Count: -1})
		h := b.follow(b.cfg)
		time.Sleep(3 * time.Second) // it knows its goal, but reads nothing
		if err := b.v.Cluster.DeleteRecords(topic, 0, 3); err != nil {
			t.Fatal(err)
		}
		if fault.Hits() == 0 || h.count("") != 0 {
			t.Fatalf("%d faults, %v", fault.Hits(), h.ids)
		}
		fault.Remove()
		b.within(2*time.Minute, "it is caught up although the records are gone", func() bool { return h.count("caught up") == 1 })
	})
}
