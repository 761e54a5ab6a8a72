package kafka_test

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

// ledger is a sink with positions that survive its assignments.
type ledger struct {
	mu      sync.Mutex
	next    int64
	offsets []int64
	steps   []string
	idle    []time.Time
	onRecs  func(ctx context.Context) error

	wrongIdle bool
}

func (s *ledger) step(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps = append(s.steps, name)
}

func (s *ledger) Assigned(context.Context, events.TopicPartition) (int64, error) {
	s.step("assigned")
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next, nil
}

func (s *ledger) Records(ctx context.Context, _ events.TopicPartition, recs []events.Record, next, end int64) error {
	if s.onRecs != nil && len(recs) > 0 {
		if err := s.onRecs(ctx); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range recs {
		s.offsets = append(s.offsets, r.Offset)
	}
	s.wrongIdle = s.wrongIdle || len(recs) == 0 && next != s.next
	s.next = next
	if len(recs) == 0 && next == end {
		s.idle = append(s.idle, time.Now())
	}
	return nil
}

func (s *ledger) Lost(_ context.Context, _ events.TopicPartition, logStart int64) (int64, error) {
	s.step("lost")
	return logStart, nil
}

func (s *ledger) Revoked(ctx context.Context, _ events.TopicPartition) {
	_, bounded := ctx.Deadline()
	s.step(fmt.Sprintf("revoked bounded=%v", bounded))
}

func (s *ledger) has(offsets ...int64) func() bool {
	return func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.Equal(s.offsets, offsets)
	}
}

func (b *bubble) tap(cfg kafka.TapConfig, sink events.Sink) (stop func() time.Duration) {
	b.t.Helper()
	if cfg.Brokers == nil {
		cfg.Config = b.cfg
	}
	cfg.Group, cfg.Pattern = "taps", `^events\.things$`
	tap, err := kafka.NewTap(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.start(func(ctx context.Context) error { return tap.Run(ctx, sink) })
}

func TestTapTellsIdleEachSecond(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		b.put("a")
		sink := &ledger{}
		b.tap(kafka.TapConfig{}, sink)
		time.Sleep(time.Hour)
		sink.mu.Lock()
		defer sink.mu.Unlock()
		if n := len(sink.idle); n < 3550 || n > 3600 {
			t.Fatalf("%d notices in an hour", n)
		}
		for i := 1; i < len(sink.idle); i++ {
			if gap := sink.idle[i].Sub(sink.idle[i-1]); gap > 1500*time.Millisecond {
				t.Errorf("gap of %s", gap)
			}
		}
	})
}

func TestTapOutlivesAnOutage(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		cut, cfg := b.cabled()
		sink := &ledger{}
		stop := b.tap(kafka.TapConfig{Config: cfg}, sink)
		b.put("a", "b")
		b.within(time.Minute, "records arrive", sink.has(0, 1))
		cut.set(true)
		idle := func() int { sink.mu.Lock(); defer sink.mu.Unlock(); return len(sink.idle) }
		time.Sleep(5 * time.Second)
		before := idle()
		time.Sleep(2 * time.Hour)
		if idle() != before {
			t.Error("a tap that hears nothing says that it is caught up")
		}
		b.put("c")
		cut.set(false)
		b.within(time.Minute, "records arrive again, once", sink.has(0, 1, 2))
		stop()
		want := []string{"assigned", "revoked bounded=true", "assigned", "revoked bounded=true"}
		if !slices.Equal(sink.steps, want) {
			t.Errorf("steps %v", sink.steps)
		}
	})
}

func TestTapStopsWithinDrain(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		b.put("a")
		began := make(chan struct{}, 9)
		sink := &ledger{onRecs: func(ctx context.Context) error {
			began <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}}
		stop := b.tap(kafka.TapConfig{Drain: 4 * time.Second}, sink)
		<-began
		if took := stop(); took < 4*time.Second || took > 5*time.Second {
			t.Errorf("stop took %s", took)
		}
	})
}

func TestTapBacksOffWhenTheSinkFails(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		b.put("a")
		calls := 0
		sink := &ledger{onRecs: func(context.Context) error {
			if calls++; calls < 300 {
				return errors.New("ledger is away")
			}
			return nil
		}}
		b.tap(kafka.TapConfig{}, sink)
		took := b.within(3*time.Hour, "the record is taken", sink.has(0))
		if took < 30*time.Minute {
			t.Errorf("300 errors in %s", took)
		}
	})
}

// A log that is shorter than what was read from it is no retention: nothing may be skipped or read twice.
func TestTapWaitsWhereTheLogShrank(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		b.put("0", "1", "2")
		sink := &ledger{next: 5}
		b.tap(kafka.TapConfig{}, sink)
		time.Sleep(10 * time.Minute)
		if !sink.has()() || slices.Contains(sink.steps, "lost") {
			t.Errorf("offsets %v, steps %v", sink.offsets, sink.steps)
		}
		b.put("3", "4", "5", "6")
		b.within(2*time.Minute, "the log has grown past it", sink.has(5, 6))
	})
}

func TestTapRunsOnce(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		tap, err := kafka.NewTap(kafka.TapConfig{Config: b.cfg, Group: "taps"})
		if err != nil {
			t.Fatal(err)
		}
		sink := &ledger{}
		b.start(func(ctx context.Context) error { return tap.Run(ctx, sink) })
		time.Sleep(time.Second)
		if tap.Run(t.Context(), sink) == nil {
			t.Error("ran twice")
		}
		_, err = kafka.NewTap(kafka.TapConfig{Drain: time.Hour})
		for _, want := range []string{"Brokers", "Group", "Drain"} {
			if err == nil || !contains(err.Error(), want) {
				t.Errorf("%v does not name %s", err, want)
			}
		}
	})
}

func TestTapKeepsUpUnderPressure(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		calls := 0
		sink := &ledger{onRecs: func(context.Context) error {
			time.Sleep(700 * time.Millisecond)
			if calls++; calls%7 == 0 {
				return errors.New("position moved") // with more fetches waiting behind it
			}
			return nil
		}}
		b.tap(kafka.TapConfig{PartitionBytes: 4 << 10}, sink)
		const n = 400
		p := b.producer(kafka.ProducerConfig{})
		var want []int64
		for i := range n {
			ev := thing(t, fmt.Sprint(i))
			if err := ev.SetData("text/plain", fmt.Sprintf("%01000d", i)); err != nil {
				t.Fatal(err)
			}
			if out := p.Append(t.Context(), topic, []events.Event{ev})[0]; out.Err != nil {
				t.Fatal(out.Err)
			}
			want = append(want, int64(i))
		}
		b.within(time.Hour, "each record arrives once, through many pauses", sink.has(want...))
		if sink.wrongIdle {
			t.Error("idle notices beyond what was delivered")
		}
	})
}
