package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

func TestRetryLastsForHours(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		b.put("stubborn", "after")
		tried, done := &handled{}, &handled{}
		begin := time.Now()
		const outage = 6 * time.Hour
		b.start(b.consumer(kafka.ConsumerConfig{Handler: events.HandlerFunc(func(_ context.Context, ev events.Event) error {
			tried.add(ev.ID())
			if time.Since(begin) < outage {
				return errors.New("database is away")
			}
			done.add(ev.ID())
			return nil
		})}).Run)
		took := b.within(outage+time.Minute, "both are handled", func() bool { return done.count("") == 2 })
		if took < outage {
			t.Errorf("handled after %s", took)
		}
		// At most every 15 s, at least every 30 s once the back-off is at its bound.
		if n := tried.count("stubborn"); n < 720 || n > 1450 {
			t.Errorf("%d attempts", n)
		}
		b.within(time.Minute, "both are committed", func() bool { return b.committed("group") == 2 })
	})
}

func TestStopLetsWorkEnd(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		b.put("slow", "next")
		began, done := make(chan struct{}), &handled{}
		stop := b.start(b.consumer(kafka.ConsumerConfig{Drain: 10 * time.Second, Handler: events.HandlerFunc(func(ctx context.Context, ev events.Event) error {
			close(began)
			time.Sleep(5 * time.Second)
			done.add(ev.ID())
			return ctx.Err()
		})}).Run)
		<-began
		if took := stop(); took < 4*time.Second || took > 6*time.Second {
			t.Errorf("stop took %s", took)
		}
		if done.count("slow") != 1 || done.count("next") != 0 || b.committed("group") != 1 {
			t.Errorf("handled %v, committed %d", done.ids, b.committed("group"))
		}
	})
}

func TestStopCutsOffWhatTakesTooLong(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		b.put("endless")
		began := make(chan struct{}, 9)
		h := events.HandlerFunc(func(ctx context.Context, _ events.Event) error {
			began <- struct{}{}
			<-ctx.Done()
			return events.Permanent("cut_off", ctx.Err()) // even so: the event must not be buried
		})
		stop := b.start(b.consumer(kafka.ConsumerConfig{Drain: 3 * time.Second, Handler: h}).Run)
		<-began
		if took := stop(); took < 3*time.Second || took > 4*time.Second {
			t.Errorf("stop took %s", took)
		}
		if at := b.committed("group"); at > 0 {
			t.Errorf("committed %d", at)
		}
		again := &handled{}
		b.start(b.consumer(kafka.ConsumerConfig{Handler: events.HandlerFunc(func(_ context.Context, ev events.Event) error {
			again.add(ev.ID())
			return nil
		})}).Run)
		b.within(time.Minute, "it is delivered again", func() bool { return again.count("endless") == 1 })
	})
}

func TestStopEndsBackoff(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		b.put("bad")
		tried := &handled{}
		stop := b.start(b.consumer(kafka.ConsumerConfig{BackoffMin: time.Hour, BackoffMax: time.Hour,
			Handler: events.HandlerFunc(func(_ context.Context, ev events.Event) error {
				tried.add(ev.ID())
				return errors.New("no")
			})}).Run)
		b.within(time.Minute, "it was tried", func() bool { return tried.count("bad") == 1 })
		if took := stop(); took > time.Second {
			t.Errorf("stop took %s", took)
		}
	})
}

// A member that hangs past the bound loses its partition, and when it wakes up it must not commit over its successor.
func TestLateMemberDoesNotRewind(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		b.put("a")
		hang, woke := make(chan struct{}), make(chan struct{})
		cut, cfg := b.cabled()
		b.start(b.consumer(kafka.ConsumerConfig{Config: cfg, Drain: 2 * time.Second, Handler: events.HandlerFunc(func(_ context.Context, ev events.Event) error {
			if ev.ID() == "a" {
				<-hang
				close(woke)
			}
			return nil
		})}).Run)
		b.within(time.Minute, "the first member has the partition", func() bool { return b.v.Cluster.GroupInfo("group") != nil })
		time.Sleep(5 * time.Second)
		cut.set(true)
		second := &handled{}
		b.start(b.consumer(kafka.ConsumerConfig{Handler: events.HandlerFunc(func(_ context.Context, ev events.Event) error {
			second.add(ev.ID())
			return nil
		})}).Run)
		took := b.within(time.Minute, "the second member takes over", func() bool { return second.count("a") == 1 })
		if took > 12*time.Second {
			t.Errorf("takeover took %s", took)
		}
		b.put("b", "c")
		b.within(time.Minute, "it commits", func() bool { return b.committed("group") == 3 })
		cut.set(false)
		time.Sleep(20 * time.Second) // the first member finds out that it is out, joins again, and drops its lane
		close(hang)
		<-woke
		for range 20 {
			time.Sleep(time.Second)
			if at := b.committed("group"); at != 3 {
				t.Fatalf("committed %d", at)
			}
		}
	})
}

func TestRefusedCommitIsRepeated(t *testing.T) {
	for name, code := range map[string]*kerr.Error{"rebalance": kerr.RebalanceInProgress, "other": kerr.UnknownServerError} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 1, func(t *testing.T, b *bubble) {
				fault := b.v.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: code, Count: 3})
				done := &handled{}
				b.start(b.consumer(kafka.ConsumerConfig{Handler: events.HandlerFunc(func(_ context.Context, ev events.Event) error {
					done.add(ev.ID())
					return nil
				})}).Run)
				b.put("a")
				b.within(30*time.Second, "it is committed without another event", func() bool { return b.committed("group") == 1 })
				if fault.Hits() < 3 || done.count("a") != 1 {
					t.Errorf("%d faults, handled %d times", fault.Hits(), done.count("a"))
				}
			})
		})
	}
}

func TestNothingIsCommittedBeforeTheDeadLetterIsWritten(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		b.put("poison", "after")
		fault := b.v.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: events.DeadLetterTopic(topic), Err: kerr.NotEnoughReplicas, Count: -1})
		done := &handled{}
		b.start(b.consumer(kafka.ConsumerConfig{Handler: events.HandlerFunc(func(_ context.Context, ev events.Event) error {
			if ev.ID() == "poison" {
				return events.Permanent("poison", errors.New("bad"))
			}
			done.add(ev.ID())
			return nil
		})}).Run)
		time.Sleep(30 * time.Minute)
		if at := b.committed("group"); at > 0 || done.count("") != 0 || fault.Hits() == 0 {
			t.Errorf("committed %d, handled %v, %d faults", at, done.ids, fault.Hits())
		}
		fault.Remove()
		b.within(time.Minute, "the partition goes on", func() bool { return done.count("after") == 1 && b.committed("group") == 2 })
		if info := b.v.Cluster.PartitionInfo(events.DeadLetterTopic(topic), 0); info == nil || info.HighWatermark < 1 {
			t.Errorf("dead letters %+v", info)
		}
	})
}

func TestPanicBuriesOneEvent(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		b.put("bomb", "after")
		done := &handled{}
		b.start(b.consumer(kafka.ConsumerConfig{Handler: events.HandlerFunc(func(_ context.Context, ev events.Event) error {
			if ev.ID() == "bomb" {
				panic("boom")
			}
			done.add(ev.ID())
			return nil
		})}).Run)
		b.within(time.Minute, "the partition goes on", func() bool { return done.count("after") == 1 })
		if info := b.v.Cluster.PartitionInfo(events.DeadLetterTopic(topic), 0); info == nil || info.HighWatermark != 1 {
			t.Errorf("dead letters %+v", info)
		}
	})
}

// Partitions that were paused when they moved away must not stay paused when they come back.
func TestPausedPartitionsComeBack(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, b *bubble) {
		slow, other := &handled{}, &handled{}
		b.start(b.consumer(kafka.ConsumerConfig{Handler: events.HandlerFunc(func(_ context.Context, ev events.Event) error {
			time.Sleep(2 * time.Second)
			slow.add(ev.ID())
			return nil
		})}).Run)
		time.Sleep(time.Second)
		p := b.producer(kafka.ProducerConfig{})
		for i := range 60 { // one fetch each: both lanes fill up
			if out := p.Append(t.Context(), topic, []events.Event{thing(t, fmt.Sprint(i))})[0]; out.Err != nil {
				t.Fatal(out.Err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		stop := b.start(b.consumer(kafka.ConsumerConfig{Handler: events.HandlerFunc(func(_ context.Context, ev events.Event) error {
			time.Sleep(2 * time.Second)
			other.add(ev.ID())
			return nil
		})}).Run)
		b.within(time.Minute, "a partition moves", func() bool { return other.count("") > 0 })
		stop()
		b.within(5*time.Minute, "all are handled", func() bool {
			for i := range 60 {
				if slow.count(fmt.Sprint(i))+other.count(fmt.Sprint(i)) == 0 {
					return false
				}
			}
			return true
		})
	})
}

func TestBrokerAwayForHours(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, b *bubble) {
		cut, cfg := b.cabled()
		cut.set(true) // from the start
		done := &handled{}
		b.start(b.consumer(kafka.ConsumerConfig{Config: cfg, Handler: events.HandlerFunc(func(_ context.Context, ev events.Event) error {
			done.add(ev.ID())
			return nil
		})}).Run)
		time.Sleep(time.Hour)
		cut.set(false)
		b.put("a")
		b.within(time.Minute, "it works after a late start", func() bool { return done.count("a") == 1 })
		cut.set(true)
		time.Sleep(3 * time.Hour)
		b.put("b")
		cut.set(false)
		b.within(time.Minute, "it works after an outage", func() bool { return done.count("b") == 1 })
	})
}

func TestConsumerConfigNamesAllFaults(t *testing.T) {
	_, err := kafka.NewConsumer(kafka.ConsumerConfig{Config: kafka.Config{Brokers: []string{"nowhere"}}, Drain: time.Hour})
	for _, want := range []string{"host:port", "Group", "Topics", "Handler", "Drain"} {
		if err == nil || !contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}
