package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// replay is one run of Replay.
//
//	take over (ends what another run left open) -> read marks -> for each batch: begin, records and marks, commit
//
// The marks are read after the take-over, so nothing that an earlier run committed is missing from them, and nothing that
// it had open can be committed any more.
type replay struct {
	cfg     ReplayConfig
	adm     *Admin
	letters string // the dead letter topic
	cl      *kgo.Client
	parts   int32 // of the target
	batch   []DeadLetter
	bytes   int
	next    time.Time // when Rate allows the next transaction
	done    Replayed
}

func (r *replay) run(ctx context.Context) error {
	ends := r.adm.adm.ListCommittedOffsets
	if !r.cfg.DryRun {
		if err := r.takeOver(ctx); err != nil {
			return err
		}
		defer r.cl.Close()
		ends = r.adm.adm.ListEndOffsets // a mark behind somebody's open transaction must be waited for
	}
	spans, err := r.adm.spans(ctx, r.letters, r.cfg.Filter.Since, ends)
	if errors.Is(err, ErrNoDeadLetter) {
		return nil // nothing was ever buried
	}
	if err != nil {
		return err
	}
	known, err := r.adm.marks(ctx, spans)
	if err != nil {
		return err
	}
	sent := map[mark]bool{}
	for d, err := range r.adm.letters(ctx, spans, known) {
		if err != nil {
			return err
		}
		if !r.cfg.Filter.Match(d) {
			continue
		}
		switch m := (mark{d.name(), r.cfg.To}); {
		case known[m]:
			r.done.Before++
		case sent[m]:
			r.done.Repeated++
		case r.cfg.Limit > 0 && len(sent) >= r.cfg.Limit:
			r.done.Left++
		default:
			sent[m] = true
			if err := r.add(ctx, d); err != nil {
				return err
			}
		}
	}
	return r.flush(ctx)
}

// takeOver makes the client, and ends what another process has open under the same name.
func (r *replay) takeOver(ctx context.Context) error {
	details, err := r.adm.adm.ListTopics(ctx, r.cfg.To)
	if err != nil {
		return err
	}
	if err := details[r.cfg.To].Err; err != nil {
		return fmt.Errorf("target %s: %w", r.cfg.To, err)
	}
	r.parts = int32(len(details[r.cfg.To].Partitions))
	r.cl, err = r.cfg.open(
		kgo.TransactionalID("signalbox.dlq.replay."+r.letters),
		kgo.TransactionTimeout(replayTimeout),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(deadLetterMaxBytes),
		kgo.RecordDeliveryTimeout(replayTimeout),
		kgo.UnknownTopicRetries(4),
	)
	if err != nil {
		return err
	}
	if _, _, err := r.cl.ProducerID(ctx); err != nil {
		r.cl.Close()
		return fmt.Errorf("take over: %w", err)
	}
	return nil
}

// add puts d into the batch, and sends the batch where that is full.
func (r *replay) add(ctx context.Context, d DeadLetter) error {
	if r.cfg.DryRun {
		r.done.Sent++
		r.cfg.Each(d)
		return nil
	}
	size := len(d.Key) + len(d.Value)
	full := len(r.batch) >= replayLetters || r.cfg.Rate > 0 && float64(len(r.batch)) >= r.cfg.Rate
	if len(r.batch) > 0 && (full || r.bytes+size > replayBytes) {
		if err := r.flush(ctx); err != nil {
			return err
		}
	}
	r.batch, r.bytes = append(r.batch, d), r.bytes+size
	return nil
}

// flush sends the batch in one transaction. That is completed even when ctx ends: to stop in the middle would only make
// readers wait.
func (r *replay) flush(ctx context.Context) error {
	if len(r.batch) == 0 {
		return nil
	}
	if err := errors.Join(sleep(ctx, time.Until(r.next)), ctx.Err()); err != nil {
		return err
	}
	if r.cfg.Rate > 0 {
		r.next = time.Now().Add(time.Duration(float64(len(r.batch)) / r.cfg.Rate * float64(time.Second)))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), replayTimeout)
	defer cancel()
	if err := r.cl.BeginTransaction(); err != nil {
		return err
	}
	records := make([]*kgo.Record, 0, 2*len(r.batch))
	for _, d := range r.batch {
		records = append(records, r.again(d), r.mark(d))
	}
	if err := r.produce(ctx, records); err != nil {
		r.abort(ctx)
		return fmt.Errorf("letters %s to %s: %w", r.batch[0].At, r.batch[len(r.batch)-1].At, err)
	}
	if err := r.cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("commit of letters %s to %s: %w", r.batch[0].At, r.batch[len(r.batch)-1].At, err)
	}
	r.done.Sent += int64(len(r.batch))
	for _, d := range r.batch {
		r.cfg.Each(d)
	}
	r.batch, r.bytes = r.batch[:0], 0
	return nil
}

// produce waits for the acknowledgements, or for the end of ctx: the client gives up no record whose fate it cannot know.
func (r *replay) produce(ctx context.Context, records []*kgo.Record) error {
	acks := make(chan error, len(records))
	for _, rec := range records {
		r.cl.Produce(ctx, rec, func(_ *kgo.Record, err error) { acks <- err })
	}
	for range records {
		select {
		case err := <-acks:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// abort ends a transaction that cannot be completed, so that readers need not wait for its timeout, which ends it, too.
func (r *replay) abort(ctx context.Context) {
	if r.cl.AbortBufferedRecords(ctx) == nil {
		_ = r.cl.EndTransaction(ctx, kgo.TryAbort)
	}
}

// again is the record of d as it was, with its link to d and with what a next letter goes on counting.
func (r *replay) again(d DeadLetter) *kgo.Record {
	out := &kgo.Record{Topic: r.cfg.To, Key: d.Key, Value: d.Value, Partition: r.partition(d)}
	for _, h := range d.Headers {
		out.Headers = append(out.Headers, kgo.RecordHeader(h))
	}
	out.Headers = append(out.Headers,
		kgo.RecordHeader{Key: deadReplayed, Value: []byte(d.At.String())},
		kgo.RecordHeader{Key: deadAttempt, Value: strconv.AppendInt(nil, int64(d.Attempt), 10)})
	if !d.FirstFailed.IsZero() {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: deadFirstFailed, Value: d.FirstFailed.UTC().AppendFormat(nil, time.RFC3339Nano)})
	}
	return out
}

// partition keeps the record with those of its key, as its producer had them.
func (r *replay) partition(d DeadLetter) int32 {
	if r.cfg.To == d.Origin.Topic && d.Origin.Partition < r.parts {
		return d.Origin.Partition
	}
	by := kgo.StickyKeyPartitioner(nil).ForTopic(r.cfg.To)
	return int32(by.Partition(&kgo.Record{Key: d.Key}, int(r.parts)))
}

// mark says that d is done. It has the letter's key, and a value, so that compaction takes nothing away by it.
func (r *replay) mark(d DeadLetter) *kgo.Record {
	return &kgo.Record{Topic: r.letters, Partition: d.At.Partition, Key: d.Key, Value: []byte{}, Headers: []kgo.RecordHeader{
		{Key: deadMark, Value: []byte(d.name())}, {Key: deadMarkTo, Value: []byte(r.cfg.To)},
		{Key: deadReplayed, Value: []byte(d.At.String())},
	}}
}
