package kafka

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
)

// discovery is how often new topics of a pattern are looked for.
const discovery = 2 * time.Second

// ConsumerConfig configures a Consumer.
type ConsumerConfig struct {
	Config
	// Group is the consumer group. Required. Members of one group share the partitions.
	Group string
	// Topics to consume, from their start where the group has no position; they should exist. Required, or Pattern is: then
	// every topic that matches is consumed, old or new, but for those that match Except.
	Topics          []string
	Pattern, Except string
	// Handler takes the events. Required, or Placed is.
	Handler events.Handler
	Placed  events.PlacedHandler
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
	// DeadLetterLimit stops a partition that has too many.
	DeadLetterLimit DeadLetterLimit
	// Version of this program, for dead letters; may be empty.
	Version string
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
	c.DeadLetterLimit = c.DeadLetterLimit.withDefaults()
	return c
}

func (c ConsumerConfig) validate() error {
	faults := []error{c.Config.validate(), c.DeadLetterLimit.validate(), c.validateTopics()}
	if c.Group == "" {
		faults = append(faults, errors.New("kafka consumer: Group is empty"))
	}
	if (c.Handler == nil) == (c.Placed == nil) {
		faults = append(faults, errors.New("kafka consumer: want Handler or Placed"))
	}
	if c.BackoffMin < 0 || c.BackoffMax < c.BackoffMin {
		faults = append(faults, fmt.Errorf("kafka consumer: back-off %s to %s is no range", c.BackoffMin, c.BackoffMax))
	}
	if c.Drain > rebalanceTimeout/2 {
		faults = append(faults, fmt.Errorf("kafka consumer: Drain %s: the group waits %s at most", c.Drain, rebalanceTimeout/2))
	}
	return errors.Join(faults...)
}

func (c ConsumerConfig) validateTopics() error {
	if (len(c.Topics) == 0) == (c.Pattern == "") {
		return errors.New("kafka consumer: want Topics or Pattern")
	}
	var faults []error
	for _, re := range []string{c.Pattern, c.Except} {
		if _, err := regexp.Compile(re); err != nil {
			faults = append(faults, fmt.Errorf("kafka consumer: topics %q: %w", re, err))
		}
	}
	return errors.Join(faults...)
}

// Consumer gives the events of some topics to a Handler: one at a time and in order within a partition, at least once.
// An event is tried until it is handled or goes to the dead letters; only then its offset is committed.
type Consumer struct {
	cfg ConsumerConfig
	tel *telemetry

	mu   sync.Mutex
	held map[*lane]events.Position
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
	return &Consumer{cfg: cfg, tel: tel, held: map[*lane]events.Position{}}, nil
}

// Run consumes until ctx ends. Then it takes no more, lets the events in progress end within Drain, commits, leaves the
// group and returns nil.
func (c *Consumer) Run(ctx context.Context) error {
	work, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	topics, regex := c.cfg.Topics, c.cfg.Pattern != ""
	g := newGroup(c.cfg.Config, regex, c.cfg.Drain)
	if regex {
		topics, g.except = []string{c.cfg.Pattern}, c.cfg.Except
	}
	opts := g.options(c.cfg.Group, topics, func(l *lane) { g.begin(work, l, c.serve) })
	if regex {
		opts = append(opts, kgo.MetadataMaxAge(discovery))
	}
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
func (c *Consumer) deadLetters(l *lane) *deadLetters {
	return &deadLetters{cl: l.cl, adm: kadm.NewClient(l.cl), stage: c.cfg.Stage, version: c.cfg.Version, replication: c.cfg.DeadLetterReplication, unheard: c.cfg.Pattern != ""}
}
