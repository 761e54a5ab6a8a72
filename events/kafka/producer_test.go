package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

func TestAppendIsBoundedWhenKafkaIsAway(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		cut, cfg := b.cabled()
		p := b.producer(kafka.ProducerConfig{Config: cfg, DeliveryTimeout: 3 * time.Second})
		if out := p.Append(t.Context(), topic, []events.Event{thing(t, "before")})[0]; out.Err != nil {
			t.Fatal(out.Err)
		}
		for _, away := range []func(bool){cut.set, b.mute} {
			away(true)
			begin := time.Now()
			outs := p.Append(t.Context(), topic, []events.Event{thing(t, "a"), thing(t, "b")})
			if took := time.Since(begin); took > 3*time.Second {
				t.Errorf("waited %s", took)
			}
			for _, out := range outs {
				if !errors.Is(out.Err, events.ErrUnacknowledged) || out.Position != (events.Position{}) {
					t.Errorf("outcome %+v", out)
				}
			}
			begin = time.Now()
			if err := p.Publish(t.Context(), lifecycle(t, "x")); !errors.Is(err, events.ErrUnacknowledged) || time.Since(begin) > 3*time.Second {
				t.Errorf("publish: %v after %s", err, time.Since(begin))
			}
			away(false)
			time.Sleep(10 * time.Minute)
			if out := p.Append(t.Context(), topic, []events.Event{thing(t, "after")})[0]; out.Err != nil {
				t.Errorf("after the outage: %v", out.Err)
			}
		}
	})
}

// mute makes the broker take requests and answer nothing useful.
func (b *bubble) mute(on bool) {
	if on {
		b.muted = b.v.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
		return
	}
	b.muted.Remove()
}

func lifecycle(t *testing.T, id string) events.Event {
	t.Helper()
	ev, err := events.New(events.TypePredictionMade, "urn:example:bubble", id, id, time.Now(), map[string]string{})
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

func TestFullBufferRefusesAtOnce(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		p := b.producer(kafka.ProducerConfig{MaxBufferedRecords: 10, DeliveryTimeout: 5 * time.Second})
		b.mute(true)
		var evs []events.Event
		for i := range 25 {
			evs = append(evs, thing(t, fmt.Sprint(i)))
		}
		full, unknown := 0, 0
		for _, out := range p.Append(t.Context(), topic, evs) {
			switch {
			case errors.Is(out.Err, events.ErrBufferFull):
				full++
			case errors.Is(out.Err, events.ErrUnacknowledged):
				unknown++
			}
		}
		if full != 15 || unknown != 10 {
			t.Errorf("%d refused, %d unknown", full, unknown)
		}
	})
}

func TestAppendLeavesWithItsCaller(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		p := b.producer(kafka.ProducerConfig{})
		b.mute(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		neighbour := make(chan events.Outcome, 1)
		go func() { neighbour <- p.Append(t.Context(), topic, []events.Event{thing(t, "neighbour")})[0] }()
		out := p.Append(ctx, topic, []events.Event{thing(t, "mine")})[0]
		if !errors.Is(out.Err, events.ErrUnacknowledged) || time.Since(begin) != time.Second {
			t.Errorf("%v after %s", out.Err, time.Since(begin))
		}
		b.mute(false)
		if out := <-neighbour; out.Err != nil {
			t.Errorf("a caller that hung up failed its neighbour: %v", out.Err)
		}
	})
}

func TestBestEffortDropsUnderPressure(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		p := b.producer(kafka.ProducerConfig{MaxBufferedRecords: 100, DeliveryTimeout: 5 * time.Second})
		b.mute(true)
		taken := 0
		for i := range 200 {
			if p.TryPublish(lifecycle(t, fmt.Sprint(i))) {
				taken++
			}
		}
		if got := p.BestEffort(); taken != 50 || got.Offered != 200 || got.Dropped != 150 {
			t.Errorf("%d taken, %+v", taken, got)
		}
		b.within(time.Minute, "what was taken is given up", func() bool {
			got := p.BestEffort()
			return got.Delivered+got.Dropped == got.Offered
		})
	})
}

func TestProducerFindsATopicThatWasMadeAgain(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		p := b.producer(kafka.ProducerConfig{})
		if out := p.Append(t.Context(), topic, []events.Event{thing(t, "a")})[0]; out.Err != nil {
			t.Fatal(out.Err)
		}
		if err := b.v.Cluster.DeleteTopic(topic); err != nil {
			t.Fatal(err)
		}
		if err := b.adm.EnsureTopics(t.Context(), []events.TopicSpec{{Name: topic, Partitions: 1}}); err != nil {
			t.Fatal(err)
		}
		b.within(time.Minute, "appending works again", func() bool {
			return p.Append(t.Context(), topic, []events.Event{thing(t, "b")})[0].Err == nil
		})
	})
}

func TestProducerConfigNamesAllFaults(t *testing.T) {
	_, err := kafka.NewProducer(kafka.ProducerConfig{Linger: time.Second, DeliveryTimeout: time.Millisecond, MaxBufferedRecords: 1})
	for _, want := range []string{"Brokers", "Linger", "DeliveryTimeout", "buffer"} {
		if err == nil || !contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}
