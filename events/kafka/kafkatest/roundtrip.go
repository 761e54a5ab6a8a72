package kafkatest

import (
	"testing"

	"github.com/signalbox-ml/signalbox/events/kafka"
)

// RoundTrip takes one event through everything that connects to a broker: admin, producer, consumer, tap and follower.
func RoundTrip(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	if err := k.adm.Ping(k.ctx); err != nil {
		t.Fatal(err)
	}
	topic := k.topic("t", 1)
	k.append(k.producer(kafka.ProducerConfig{}), topic, "a")
	h, sink := &seen{}, newTank()
	k.run(k.consumer(kafka.ConsumerConfig{Topics: []string{topic}, Handler: h}).Run)
	tap, _ := k.tap(sink)
	trail := k.follow(topic)
	k.eventually("the event is consumed", func() bool { return len(h.all()) == 1 })
	k.eventually("the event is tapped", func() bool { return len(sink.offsets(topic+"/0")) == 1 })
	k.eventually("the event is followed", trail.is("a-0", "caught up"))
	if err := tap.Commit(k.ctx, sink.partition(topic+"/0"), 1); err != nil {
		t.Error(err)
	}
}
