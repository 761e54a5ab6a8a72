package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
)

// TapConfig configures a Tap.
type TapConfig struct {
	Config
	// Group is the consumer group that shares out partitions. Required. Its committed offsets are advice only.
	Group string
	// Pattern of the topics to follow; empty means events.ArchivedTopics.
	Pattern string
	// Discovery is how often new topics are looked for; 0 means 2 s.
	Discovery time.Duration
	// IdleInterval is how often a partition that is caught up is told so; 0 means 1 s.
	IdleInterval time.Duration
	// PartitionBytes bounds one fetch of a partition before decompression; 0 means 1 MiB. Up to five wait in memory, where
	// Budget allows it.
	PartitionBytes int32
	// Budget bounds the bytes of records that were fetched and that the sink has not taken yet, of all partitions together
	// and about: how much a fetch grows by decompression is a guess. Each partition has an equal part, and with many of them
	// fetches are smaller. 0 means 64 MiB.
	Budget int64
	// BackoffMin and BackoffMax bound the wait after a sink's error, which doubles and is jittered; 0 means 100 ms and 15 s.
	BackoffMin, BackoffMax time.Duration
	// Drain bounds what the sink may take to end its work on a partition, with Revoked; 0 means 20 s.
	Drain time.Duration
}

func (c TapConfig) withDefaults() TapConfig {
	c.Config = c.Config.withDefaults()
	if c.Pattern == "" {
		c.Pattern = events.ArchivedTopics
	}
	if c.Discovery == 0 {
		c.Discovery = 2 * time.Second
	}
	if c.IdleInterval == 0 {
		c.IdleInterval = time.Second
	}
	if c.PartitionBytes == 0 {
		c.PartitionBytes = 1 << 20
	}
	if c.Budget == 0 {
		c.Budget = 64 << 20
	}
	if c.BackoffMin == 0 {
		c.BackoffMin = 100 * time.Millisecond
	}
	if c.BackoffMax == 0 {
		c.BackoffMax = 15 * time.Second
	}
	if c.Drain == 0 {
		c.Drain = 20 * time.Second
	}
	return c
}

func (c TapConfig) validate() error {
	faults := []error{c.Config.validate()}
	if c.Group == "" {
		faults = append(faults, errors.New("kafka tap: Group is empty"))
	}
	if c.Budget < 1<<20 {
		faults = append(faults, fmt.Errorf("kafka tap: Budget %d: want at least 1 MiB", c.Budget))
	}
	if c.Drain > rebalanceTimeout/2 {
		faults = append(faults, fmt.Errorf("kafka tap: Drain %s: the group waits %s at most", c.Drain, rebalanceTimeout/2))
	}
	return errors.Join(faults...)
}

// Tap gives the raw records of every matching topic to a Sink, which decides where each partition starts. It is an
// events.Tap and, while it runs, an events.Committer.
type Tap struct {
	cfg     TapConfig
	tel     *telemetry
	running atomic.Pointer[group]
}

// NewTap returns a Tap. It connects when it runs.
func NewTap(cfg TapConfig) (*Tap, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	tel, err := newTelemetry(cfg.Config)
	if err != nil {
		return nil, err
	}
	cfg.Log = cfg.Log.With("component", "tap", "group", cfg.Group)
	return &Tap{cfg: cfg, tel: tel}, nil
}

// Run delivers until ctx ends; then every partition is revoked within Drain, and it returns nil.
func (t *Tap) Run(ctx context.Context, sink events.Sink) error {
	work, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	g := newGroup(t.cfg.Config, true, t.cfg.Drain)
	g.share.budget, g.share.fetch = t.cfg.Budget, t.cfg.PartitionBytes
	if !t.running.CompareAndSwap(nil, g) {
		return errors.New("tap runs already: make another")
	}
	defer t.running.Store(nil)
	s := &tapping{cfg: t.cfg, tel: t.tel, group: g, sink: sink, asking: make(chan struct{}, maxAsking), ready: make(chan struct{})}
	opts := g.options(t.cfg.Group, []string{t.cfg.Pattern}, func(*lane) {})
	opts = append(opts,
		kgo.MetadataMaxAge(t.cfg.Discovery),
		kgo.KeepControlRecords(),
		kgo.FetchMaxPartitionBytes(t.cfg.PartitionBytes),
		kgo.FetchMaxBytes(max(brokerBytes, t.cfg.PartitionBytes)),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.AdjustFetchOffsetsFn(func(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
			return s.assign(ctx, work, offsets)
		}),
	)
	cl, err := t.cfg.open(opts...)
	if err != nil {
		return err
	}
	s.adm = kadm.NewClient(cl)
	close(s.ready)

	idle, stopIdle := context.WithCancel(ctx)
	g.wg.Go(func() { s.watchEnds(idle) })
	g.run(ctx, cl)
	stopIdle()
	g.end(g.all(), t.cfg.Drain)
	closeClient(cl)
	g.wg.Wait()
	return nil
}

// Commit notes for tools that watch consumer lag that tp was taken up to next.
func (t *Tap) Commit(ctx context.Context, tp events.TopicPartition, next int64) error {
	g := t.running.Load()
	if g == nil {
		return fmt.Errorf("commit %s: the tap does not run", tp)
	}
	l := g.lane(tp.Topic, tp.Partition)
	if l == nil || l.tp() != tp {
		return fmt.Errorf("commit %s: %w", tp, errDisowned)
	}
	return l.commit(ctx, t.cfg.Group, next, -1)
}
