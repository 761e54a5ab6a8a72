package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/metric"

	"github.com/signalbox-ml/signalbox/events"
)

// Follower reads whole topics, each reader for itself and without a group: for compacted topics, where the newest event
// of every key is all there is to know.
type Follower struct {
	cfg Config
	tel *telemetry
}

// NewFollower returns a Follower. It connects when it follows.
func NewFollower(cfg Config) (*Follower, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	tel, err := newTelemetry(cfg)
	if err != nil {
		return nil, err
	}
	cfg.Log = cfg.Log.With("component", "follower")
	return &Follower{cfg: cfg, tel: tel}, nil
}

// Follow calls onEvent for every event of topic from its start, in order within a partition, and onCaughtUp once, when
// everything that was there at the beginning was seen. It blocks until ctx ends and returns nil then. Records that are
// no events are left out. The callbacks run on Follow's goroutine.
func (f *Follower) Follow(ctx context.Context, topic string, onEvent func(events.Event), onCaughtUp func()) error {
	cl, err := f.cfg.open(
		kgo.ConsumeTopics(topic),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
	)
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	goal, err := f.goal(ctx, adm, topic)
	if err != nil {
		return nil // ctx ended
	}
	caughtUp := false
	for {
		if !caughtUp && len(goal) == 0 {
			caughtUp = true
			onCaughtUp()
		}
		fetches := poll(ctx, cl, caughtUp)
		if ctx.Err() != nil {
			return nil
		}
		if len(fetches.Records()) == 0 && !caughtUp {
			f.lower(ctx, adm, topic, goal)
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			f.deliver(p.Records, onEvent)
			if n := len(p.Records); n > 0 && p.Records[n-1].Offset+1 >= goal[p.Partition] {
				delete(goal, p.Partition)
			}
		})
		f.mend(ctx, cl, topic, fetches.Errors())
	}
}

// poll waits for records; not for ever while a goal may have become out of reach.
func poll(ctx context.Context, cl *kgo.Client, caughtUp bool) kgo.Fetches {
	if !caughtUp {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
	}
	return cl.PollFetches(ctx)
}

// lower drops goals that nothing can reach any more: retention removed the rest, or the topic was made again.
func (f *Follower) lower(ctx context.Context, adm *kadm.Client, topic string, goal map[int32]int64) {
	now, err := ends(ctx, adm, topic)
	if err != nil {
		return // the next poll tries again
	}
	for p := range goal {
		if now[p] < goal[p] {
			delete(goal, p)
		}
	}
}

func (f *Follower) deliver(records []*kgo.Record, onEvent func(events.Event)) {
	for _, r := range records {
		if r.Attrs.IsControl() {
			continue
		}
		f.tel.consumed.Add(context.Background(), 1, metric.WithAttributes(on(r.Topic)))
		ev, err := decode(r)
		if err != nil {
			f.cfg.Log.Warn("record left out", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "error", err)
			continue
		}
		onEvent(ev)
	}
}

// mend reports errors and forgets a topic that was made again.
func (f *Follower) mend(ctx context.Context, cl *kgo.Client, topic string, faults []kgo.FetchError) {
	paused := false
	for _, fault := range faults {
		if errors.Is(fault.Err, context.DeadlineExceeded) {
			continue // the poll's own bound
		}
		paused = true
		if errors.Is(fault.Err, kerr.UnknownTopicID) {
			f.cfg.Log.Warn("topic was deleted or made again", "topic", topic)
			cl.PurgeTopicsFromConsuming(topic)
			cl.AddConsumeTopics(topic)
			return
		}
		f.cfg.Log.Error("partition cannot be read", "topic", topic, "partition", fault.Partition, "error", fault.Err)
	}
	if paused {
		_ = sleep(ctx, time.Second) // the caller looks at ctx
	}
}

// goal returns the end of each partition that has records, asking until it is known or ctx ends.
func (f *Follower) goal(ctx context.Context, adm *kadm.Client, topic string) (map[int32]int64, error) {
	for try := 1; ; try++ {
		goal, err := ends(ctx, adm, topic)
		if err == nil {
			return goal, nil
		}
		f.cfg.Log.WarnContext(ctx, "topic cannot be read yet", "topic", topic, "error", err)
		if err := sleep(ctx, backoff(100*time.Millisecond, 5*time.Second, try)); err != nil {
			return nil, err
		}
	}
}

func ends(ctx context.Context, adm *kadm.Client, topic string) (map[int32]int64, error) {
	starts, err1 := adm.ListStartOffsets(ctx, topic)
	ends, err2 := adm.ListEndOffsets(ctx, topic)
	if err := errors.Join(err1, err2, starts.Error(), ends.Error()); err != nil {
		return nil, fmt.Errorf("bounds of %s: %w", topic, err)
	}
	if len(ends[topic]) == 0 {
		return nil, fmt.Errorf("bounds of %s: %w", topic, events.ErrNoTopic)
	}
	goal := map[int32]int64{}
	for p, end := range ends[topic] {
		if start, ok := starts.Lookup(topic, p); ok && start.Offset < end.Offset {
			goal[p] = end.Offset
		}
	}
	return goal, nil
}
