package kafka_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

// heldSink is busy with the first idle notice of partition 0 until it is let go.
type heldSink struct {
	busy, free chan struct{}
	told       chan string // of partition 0, afterwards
	first      bool
}

func (*heldSink) Assigned(context.Context, events.TopicPartition) (int64, error) { return 0, nil }

func (*heldSink) Lost(_ context.Context, _ events.TopicPartition, start int64) (int64, error) {
	return start, nil
}

func (*heldSink) Revoked(context.Context, events.TopicPartition) {}

func (s *heldSink) Records(_ context.Context, tp events.TopicPartition, recs []events.Record, next, end int64) error {
	if tp.Partition != 0 {
		return nil
	}
	if !s.first && len(recs) == 0 {
		s.first = true
		close(s.busy)
		<-s.free
		return nil
	}
	if s.first {
		select {
		case s.told <- fmt.Sprintf("%d records, next %d, end %d", len(recs), next, end):
		default:
		}
	}
	return nil
}

// A fetch may have nothing but an aborted transaction. What it says of the partition's end waits in the queue with it: it is
// no notice that the partition is idle.
func TestTapTellsNoStaleIdleness(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		sink := &heldSink{busy: make(chan struct{}), free: make(chan struct{}), told: make(chan string, 9)}
		b.tap(kafka.TapConfig{}, sink)
		<-sink.busy
		cl, err := kgo.NewClient(kgo.SeedBrokers(b.cfg.Brokers...), kgo.Dialer(b.cfg.Dial), kgo.TransactionalID("txn"))
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("v")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := cl.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		b.put("late")
		time.Sleep(10 * time.Second)
		close(sink.free)
		time.Sleep(500 * time.Millisecond)
		if len(sink.told) == 0 {
			t.Fatal("nothing was told")
		}
		for len(sink.told) > 0 {
			if told := <-sink.told; told == "0 records, next 2, end 2" {
				t.Error("told that nothing is behind offset 2, ten seconds after a record came")
			}
		}
	})
}
