package kafka

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
)

// silence bounds how long Records waits for a record that has to come.
const silence = 30 * time.Second

// Records yields the committed records of tp from offset start on and below end, in order, without a group. What retention
// has removed is left out. end must not be behind the partition's end.
func (a *Admin) Records(ctx context.Context, tp events.TopicPartition, start, end int64) iter.Seq2[events.Record, error] {
	return func(yield func(events.Record, error) bool) {
		err := a.read(ctx, tp, start, end, func(r events.Record) bool { return yield(r, nil) })
		if err != nil {
			yield(events.Record{}, fmt.Errorf("read %s: %w", tp, err))
		}
	}
}

// read calls take for each record until it does not want more.
func (a *Admin) read(ctx context.Context, tp events.TopicPartition, at, end int64, take func(events.Record) bool) error {
	ids, err := a.TopicIDs(ctx, tp.Topic)
	if err != nil || at >= end {
		return err
	}
	if ids[tp.Topic] != tp.TopicID {
		return fmt.Errorf("the topic was deleted or made again: %w", events.ErrNoTopic)
	}
	cl, err := a.cfg.open(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{tp.Topic: {tp.Partition: kgo.NewOffset().At(at)}}),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the last record below end may be one
		kgo.FetchMaxPartitionBytes(1<<20),
	)
	if err != nil {
		return err
	}
	defer cl.Close()
	for at < end {
		records, err := pollSome(ctx, cl)
		if err != nil {
			return fmt.Errorf("at offset %d of %d: %w", at, end, err)
		}
		recs, next := convert(records, at)
		for _, r := range recs {
			if r.Offset >= end {
				return nil
			}
			if r.Offset < at {
				return fmt.Errorf("offset %d came after offset %d: the log was cut", r.Offset, at-1)
			}
			if !take(r) {
				return nil
			}
		}
		at = next
	}
	return nil
}

// pollSome waits for records.
func pollSome(ctx context.Context, cl *kgo.Client) ([]*kgo.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	for {
		fetches := cl.PollFetches(ctx)
		if records := fetches.Records(); len(records) > 0 {
			return records, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("kafka gives no more: %w", errors.Join(err, fetches.Err()))
		}
		if err := fetches.Err(); err != nil {
			return nil, err
		}
	}
}
