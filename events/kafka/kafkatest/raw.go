package kafkatest

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

// Write appends records as they are, as a producer does that knows nothing of Signalbox. Offsets and times are ignored.
func Write(ctx context.Context, cfg kafka.Config, topic string, records ...events.Record) error {
	return write(ctx, cfg, topic, records)
}

// WriteAborted appends records in a transaction that is given up.
func WriteAborted(ctx context.Context, cfg kafka.Config, topic string, records ...events.Record) error {
	return write(ctx, cfg, topic, records, kgo.TransactionalID(topic+".aborted"))
}

func write(ctx context.Context, cfg kafka.Config, topic string, records []events.Record, opts ...kgo.Opt) error {
	cl, err := kgo.NewClient(clientOptions(cfg, opts...)...)
	if err != nil {
		return fmt.Errorf("write to %s: %w", topic, err)
	}
	defer cl.Close()
	if len(opts) > 0 {
		if err := cl.BeginTransaction(); err != nil {
			return fmt.Errorf("write to %s: %w", topic, err)
		}
	}
	list := make([]*kgo.Record, len(records))
	for i, r := range records {
		list[i] = &kgo.Record{Topic: topic, Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			list[i].Headers = append(list[i].Headers, kgo.RecordHeader(h))
		}
	}
	if err := cl.ProduceSync(ctx, list...).FirstErr(); err != nil {
		return fmt.Errorf("write to %s: %w", topic, err)
	}
	if len(opts) > 0 {
		return cl.EndTransaction(ctx, kgo.TryAbort)
	}
	return nil
}
