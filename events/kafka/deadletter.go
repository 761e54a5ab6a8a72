package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/attribute"

	"github.com/signalbox-ml/signalbox/events"
)

// Headers that a dead letter has beside those of the original record.
const (
	deadPrefix        = "sb_dlq_"
	deadReason        = deadPrefix + "reason"    // short and stable
	deadDetail        = deadPrefix + "detail"    // the error, for people
	deadStage         = deadPrefix + "stage"     // the consumer that gave up
	deadTopic         = deadPrefix + "topic"     // where the original stands
	deadPartition     = deadPrefix + "partition" //
	deadOffset        = deadPrefix + "offset"    //
	deadTimestamp     = deadPrefix + "ts"        // the original's append time, RFC 3339; the letter's own is its burial
	deadAttempt       = deadPrefix + "attempt"   // attempts made; 0 where the handler never saw it
	maxDetail         = 2 << 10
	deadLetterTimeout = 10 * time.Second
)

// letter says why a record is given up.
type letter struct {
	reason, detail string
	attempt        int
}

func reasonAttribute(reason string) attribute.KeyValue { return attribute.String("reason", reason) }

// deadLetters writes to the dead letter topics of whatever a client consumes.
type deadLetters struct {
	cl          *kgo.Client
	adm         *kadm.Client
	stage       string
	replication int16
}

// write appends the record as it was, with the reason, and returns once all replicas have it. It makes the topic where
// that is missing.
func (d deadLetters) write(ctx context.Context, r *kgo.Record, why letter) error {
	topic := events.DeadLetterTopic(r.Topic)
	err := d.produce(ctx, d.compose(topic, r, why))
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		if err = ensure(ctx, d.adm, d.replication, events.TopicSpec{Name: topic, Partitions: 1}, deadLetterMaxBytes); err == nil {
			err = d.produce(ctx, d.compose(topic, r, why))
		}
	}
	if err != nil {
		return fmt.Errorf("dead letter to %s: %w", topic, err)
	}
	return nil
}

// compose keeps key, value and headers verbatim, null or empty.
func (d deadLetters) compose(topic string, r *kgo.Record, why letter) *kgo.Record {
	headers := append(slices.Clone(r.Headers),
		kgo.RecordHeader{Key: deadReason, Value: []byte(why.reason)},
		kgo.RecordHeader{Key: deadDetail, Value: []byte(shorten(why.detail))},
		kgo.RecordHeader{Key: deadStage, Value: []byte(d.stage)},
		kgo.RecordHeader{Key: deadTopic, Value: []byte(r.Topic)},
		kgo.RecordHeader{Key: deadPartition, Value: strconv.AppendInt(nil, int64(r.Partition), 10)},
		kgo.RecordHeader{Key: deadOffset, Value: strconv.AppendInt(nil, r.Offset, 10)},
		kgo.RecordHeader{Key: deadTimestamp, Value: r.Timestamp.UTC().AppendFormat(nil, time.RFC3339Nano)},
		kgo.RecordHeader{Key: deadAttempt, Value: strconv.AppendInt(nil, int64(why.attempt), 10)},
	)
	return &kgo.Record{Topic: topic, Key: r.Key, Value: r.Value, Headers: headers}
}

// produce waits for the acknowledgement or the end of ctx, whichever comes first.
func (d deadLetters) produce(ctx context.Context, r *kgo.Record) error {
	done := make(chan error, 1)
	d.cl.Produce(ctx, r, func(_ *kgo.Record, err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// shorten keeps headers small and valid UTF-8.
func shorten(s string) string {
	if len(s) > maxDetail {
		s = s[:maxDetail]
	}
	return strings.ToValidUTF8(s, "")
}
