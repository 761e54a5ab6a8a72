package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
)

// ConsumerConfig configures a Consumer.
type ConsumerConfig struct {
	Config
	// Group is the consumer group. Required. Members of one group share the partitions.
	Group string
	// Topics to consume, from their start where the group has no position. Required; they should exist.
	Topics []string
	// Handler takes the events. Required.
	Handler events.Handler
	// Stage names this consumer in dead letters; empty means Group.
	Stage string
	// MaxAttempts sends an event to the dead letters after so many attempts; 0 tries for ever, which no lifecycle
	// consumer may change: what it skips nobody does.
	MaxAttempts int
	// BackoffMin and BackoffMax bound the wait between attempts, which doubles and is jittered; 0 means 100 ms and 30 s.
	BackoffMin, BackoffMax time.Duration
	// CommitInterval is how often a busy partition commits; 0 means 1 s. An idle one has always committed.
	CommitInterval time.Duration
	// Drain bounds how long events in progress may take once the consumer stops or gives a partition back; 0 means 20 s.
	Drain time.Duration
	// DeadLetterReplication is the replication factor of dead letter topics made on demand; 0 means the broker's default.
	DeadLetterReplication int16
}

func (c ConsumerConfig) withDefaults() ConsumerConfig {
	c.Config = c.Config.withDefaults()
	if c.Stage == "" {
		c.Stage = c.Group
	}
	if c.BackoffMin == 0 {
		c.BackoffMin = 100 * time.Millisecond
	}
	if c.BackoffMax == 0 {
		c.BackoffMax = 30 * time.Second
	}
	if c.CommitInterval == 0 {
		c.CommitInterval = time.Second
	}
	if c.Drain == 0 {
		c.Drain = 20 * time.Second
	}
	return c
}

func (c ConsumerConfig) validate() error {
	faults := []error{c.Config.validate()}
	if c.Group == "" {
		faults = append(faults, errors.New("kafka consumer: Group is empty"))
	}
	if len(c.Topics) == 0 {
		faults = append(faults, errors.New("kafka consumer: Topics is empty"))
	}
	if c.Handler == nil {
		faults = append(faults, errors.New("kafka consumer: Handler is nil"))
	}
	if c.BackoffMin < 0 || c.BackoffMax < c.BackoffMin {
		faults = append(faults, fmt.Errorf("kafka consumer: back-off %s to %s is no range", c.BackoffMin, c.BackoffMax))
	}
	if c.Drain > rebalanceTimeout/2 {
		faults = append(faults, fmt.Errorf("kafka consumer: Drain %s: the group waits %s at most", c.Drain, rebalanceTimeout/2))
	}
	return errors.Join(faults...)
}

// Consumer gives the events of some topics to a Handler: one at a time and in order within a partition, at least once.
// An event is tried until it is handled or goes to the dead letters; only then its offset is committed.
type Consumer struct {
	cfg ConsumerConfig
	tel *telemetry
}

// NewConsumer returns a Consumer. It connects when it runs.
func NewConsumer(cfg ConsumerConfig) (*Consumer, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	tel, err := newTelemetry(cfg.Config)
	if err != nil {
		return nil, err
	}
	cfg.Log = cfg.Log.With("component", "consumer", "group", cfg.Group)
	return &Consumer{cfg: cfg, tel: tel}, nil
}

// Run consumes until ctx ends. Then it takes no more, lets the events in progress end within Drain, commits, leaves the
// group and returns nil.
func (c *Consumer) Run(ctx context.Context) error {
	work, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	g := newGroup(c.cfg.Config, false, c.cfg.Drain)
	opts := g.options(c.cfg.Group, c.cfg.Topics, func(l *lane) { g.begin(work, l, c.serve) })
	opts = append(opts,
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.ProducerBatchMaxBytes(deadLetterMaxBytes),
		kgo.RecordDeliveryTimeout(deadLetterTimeout),
	)
	cl, err := c.cfg.open(opts...)
	if err != nil {
		return err
	}
	g.run(ctx, cl)
	g.end(g.all(), c.cfg.Drain)
	closeClient(cl)
	g.wg.Wait()
	return nil
}

// deadLetters returns the writer of dead letters on the lane's own client.
func (c *Consumer) deadLetters(l *lane) deadLetters {
	return deadLetters{cl: l.cl, adm: kadm.NewClient(l.cl), stage: c.cfg.Stage, replication: c.cfg.DeadLetterReplication}
}
