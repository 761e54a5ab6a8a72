package kafkatest

import (
	"errors"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

func tapFaultCases() []Case {
	return []Case{
		{"a sink that fails is asked again", tapAsksAgain},
		{"a sink that blocks holds its partition only", tapBlocksOne},
		{"a topic made again is another topic", tapSeesNewTopicID},
		{"taps hand partitions over", tapsHandOver},
		{"taps come and go", tapsComeAndGo},
		{"a tap is cut off", tapIsCutOff},
	}
}

func tapAsksAgain(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := k.topic("t", 1)
	key := topic + "/0"
	p := k.producer(kafka.ProducerConfig{})
	k.append(p, topic, "a", "b", "c", "d")
	sink := newTank()
	refusals, absences := 3, 2
	sink.start = func(events.TopicPartition) (int64, error) {
		if absences--; absences >= 0 {
			return 0, errors.New("database is away")
		}
		return int64(len(sink.offsets(key))), nil
	}
	sink.refuse = func(_ events.TopicPartition, recs []events.Record) error {
		if refusals--; refusals >= 0 {
			return errors.New("position moved")
		}
		return nil
	}
	k.tap(sink)
	k.eventually("the records arrive", func() bool { return len(sink.offsets(key)) >= 4 })
	k.append(p, topic, "e")
	k.eventually("the last record arrives", func() bool { return len(sink.offsets(key)) >= 5 })
	if got := sink.offsets(key); !slices.Equal(got, upTo(0, 5)) {
		t.Errorf("offsets %v", got)
	}
	var calls []string
	sink.look(func(s *tank) bool { calls = slices.Compact(slices.Clone(s.calls[key])); return true })
	want := []string{"assigned", "records", "assigned", "records", "assigned", "records", "assigned", "records"}
	if !slices.Equal(calls, want) || sink.overlap { // the first start after 2 absences, then after each of 3 refusals
		t.Errorf("calls %v, overlap: %v", calls, sink.overlap)
	}
}

func tapBlocksOne(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	stuck, free := k.topic("stuck", 1), k.topic("free", 1)
	p := k.producer(kafka.ProducerConfig{})
	sink := newTank()
	release := make(chan struct{})
	sink.refuse = func(tp events.TopicPartition, _ []events.Record) error {
		if tp.Topic == stuck {
			<-release
		}
		return nil
	}
	k.tap(sink)
	const n = 30
	for range n {
		k.append(p, stuck, "s")
		k.append(p, free, "f")
	}
	k.eventually("the free partition goes on", func() bool { return len(sink.offsets(free+"/0")) == n })
	if got := sink.offsets(stuck + "/0"); len(got) != 0 {
		t.Errorf("the stuck partition has %v", got)
	}
	close(release)
	k.eventually("the stuck partition goes on", func() bool { return slices.Equal(sink.offsets(stuck+"/0"), upTo(0, n)) })
}

func tapSeesNewTopicID(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := k.topic("t", 1)
	key := topic + "/0"
	p := k.producer(kafka.ProducerConfig{})
	k.append(p, topic, "a", "b")
	sink := newTank()
	k.tap(sink)
	k.eventually("the records arrive", func() bool { return len(sink.offsets(key)) == 2 })
	old, err := k.adm.TopicIDs(k.ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kadm.NewClient(k.raw).DeleteTopics(k.ctx, topic); err != nil {
		t.Fatal(err)
	}
	k.eventually("the topic is gone", func() bool {
		ids, err := k.adm.TopicIDs(k.ctx, topic)
		return err == nil && len(ids) == 0
	})
	k.topic("t", 1)
	k.eventually("an event gets into the new topic", func() bool {
		return p.Append(k.ctx, topic, []events.Event{k.event("c", "c")})[0].Err == nil
	})
	k.eventually("the new topic's record arrives", func() bool {
		return sink.look(func(s *tank) bool {
			n := len(s.held[key])
			return n >= 3 && s.held[key][n-1].Offset == 0 && s.ids[key].TopicID != old[topic]
		})
	})
}
