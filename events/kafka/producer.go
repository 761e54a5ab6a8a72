package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
)

// ProducerConfig configures a Producer.
type ProducerConfig struct {
	Config
	// Linger is how long a batch waits for company; at most 5 ms, 0 sends at once.
	Linger time.Duration
	// DeliveryTimeout bounds how long Append and Publish wait for Kafka; 0 means 8 s. Callers need more than that.
	DeliveryTimeout time.Duration
	// MaxBufferedRecords and MaxBufferedBytes bound what is on its way; 0 means 20,000 and 64 MiB.
	MaxBufferedRecords int
	MaxBufferedBytes   int
	// MaxRecordBytes is the largest batch that is sent, before compression; 0 means 1 MiB and some room for headers.
	// It must stay below the topics' max.message.bytes, which Admin sets to 2 MiB.
	MaxRecordBytes int32
	// Structured writes events in structured mode, for readers that know no headers. Binary is the default.
	Structured bool
}

func (c ProducerConfig) withDefaults() ProducerConfig {
	c.Config = c.Config.withDefaults()
	if c.DeliveryTimeout == 0 {
		c.DeliveryTimeout = 8 * time.Second
	}
	if c.MaxBufferedRecords == 0 {
		c.MaxBufferedRecords = 20_000
	}
	if c.MaxBufferedBytes == 0 {
		c.MaxBufferedBytes = 64 << 20
	}
	if c.MaxRecordBytes == 0 {
		c.MaxRecordBytes = 1<<20 + 64<<10
	}
	return c
}

func (c ProducerConfig) validate() error {
	faults := []error{c.Config.validate()}
	if c.Linger < 0 || c.Linger > 5*time.Millisecond {
		faults = append(faults, fmt.Errorf("kafka producer: Linger %s: want 0 to 5 ms", c.Linger))
	}
	if c.DeliveryTimeout < time.Second {
		faults = append(faults, fmt.Errorf("kafka producer: DeliveryTimeout %s: want at least 1 s", c.DeliveryTimeout))
	}
	if c.MaxBufferedRecords < 2 || c.MaxBufferedBytes < int(c.MaxRecordBytes) {
		faults = append(faults, errors.New("kafka producer: the buffer is smaller than one batch"))
	}
	return errors.Join(faults...)
}

// Producer appends events with acks=all and an idempotent producer. It is an events.Publisher. It is safe for
// concurrent use; Close it once.
type Producer struct {
	cfg ProducerConfig
	cl  *kgo.Client
	tel *telemetry

	offered, delivered, dropped atomic.Int64
	purges                      sync.WaitGroup
}

// NewProducer returns a Producer. Brokers need not be there yet.
func NewProducer(cfg ProducerConfig) (*Producer, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	tel, err := newTelemetry(cfg.Config)
	if err != nil {
		return nil, err
	}
	cl, err := cfg.open(
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(cfg.Linger),
		kgo.RecordDeliveryTimeout(cfg.DeliveryTimeout),
		kgo.ProduceRequestTimeout(cfg.DeliveryTimeout),
		kgo.MaxBufferedRecords(cfg.MaxBufferedRecords),
		kgo.MaxBufferedBytes(cfg.MaxBufferedBytes),
		kgo.ProducerBatchMaxBytes(cfg.MaxRecordBytes),
		kgo.UnknownTopicRetries(4),
	)
	if err != nil {
		return nil, err
	}
	return &Producer{cfg: cfg, cl: cl, tel: tel}, nil
}

// Publish appends lifecycle events, each to the topic of its type, and waits for all of them.
func (p *Producer) Publish(ctx context.Context, evs ...events.Event) error {
	topics := make([]string, len(evs))
	for i, ev := range evs {
		topic, ok := events.TopicOf(ev.Type())
		if !ok {
			return fmt.Errorf("publish %s %s: %w", ev.Type(), ev.ID(), events.ErrNoTopic)
		}
		topics[i] = topic
	}
	// Waiting for room is bounded like the delivery, and not by ctx: see the package comment. For the same reason the
	// bound is left to run out even when ctx ends first.
	bound, cancel := context.WithCancel(context.WithoutCancel(ctx))
	time.AfterFunc(p.cfg.DeliveryTimeout, cancel)
	outs := p.append(ctx, evs, func(i int) string { return topics[i] }, func(r *kgo.Record, done func(*kgo.Record, error)) {
		p.cl.Produce(bound, r, done)
	})
	for i, out := range outs {
		if out.Err != nil {
			return fmt.Errorf("publish %s %s: %w", evs[i].Type(), evs[i].ID(), out.Err)
		}
	}
	return nil
}

// Append appends events to topic and waits until each is acknowledged or given up, at most DeliveryTimeout or until ctx
// ends. Outcomes stand in the order of evs. An event that finds the buffer full is refused at once. Errors are those of
// package events.
func (p *Producer) Append(ctx context.Context, topic string, evs []events.Event) []events.Outcome {
	detached := context.WithoutCancel(ctx)
	return p.append(ctx, evs, func(int) string { return topic }, func(r *kgo.Record, done func(*kgo.Record, error)) {
		p.cl.TryProduce(detached, r, done)
	})
}

func (p *Producer) append(ctx context.Context, evs []events.Event, topic func(int) string, send func(*kgo.Record, func(*kgo.Record, error))) []events.Outcome {
	if len(evs) == 0 {
		return nil
	}
	begin := time.Now()
	ctx, span := p.tel.publishing(ctx, topic(0), len(evs))
	t, b := traceOf(ctx), newAppending(len(evs))
	for i := range evs {
		r, err := p.record(ctx, t, &evs[i], topic(i))
		if err != nil {
			b.settle(i, events.Outcome{Err: err})
			continue
		}
		send(r, func(r *kgo.Record, err error) { b.settle(i, p.outcome(r, err)) })
	}
	outs := b.wait(ctx, begin.Add(p.cfg.DeliveryTimeout))
	var first error
	for _, out := range outs {
		if out.Err != nil {
			first = out.Err
			break
		}
	}
	p.tel.published(ctx, span, topic(0), begin, len(evs), first)
	return outs
}

// Close sends what is buffered, until ctx ends, and stops the producer.
func (p *Producer) Close(ctx context.Context) error {
	err := p.cl.Flush(ctx)
	left := p.cl.BufferedProduceRecords()
	p.cl.Close()
	p.purges.Wait()
	if err != nil {
		return fmt.Errorf("flush %d events: %w", left, err)
	}
	return nil
}
