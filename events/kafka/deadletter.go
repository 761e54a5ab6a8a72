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

// Headers that a dead letter has beside those of the original record. Ours come last, and the last one of a name counts:
// a producer cannot pass off its own for them.
const (
	deadPrefix        = "sb_dlq_"
	deadReason        = deadPrefix + "reason"       // short and stable
	deadDetail        = deadPrefix + "detail"       // the error, for people
	deadStage         = deadPrefix + "stage"        // the consumer that gave up
	deadTopic         = deadPrefix + "topic"        // where the original stands
	deadTopicID       = deadPrefix + "topic_id"     // of the topic at that time
	deadPartition     = deadPrefix + "partition"    //
	deadOffset        = deadPrefix + "offset"       //
	deadTimestamp     = deadPrefix + "ts"           // the original's append time, RFC 3339; the letter's own is its burial
	deadAttempt       = deadPrefix + "attempt"      // attempts made, those before a replay included; 0 where the handler never saw it
	deadFirstFailed   = deadPrefix + "first_failed" // when the event failed first, RFC 3339, replays included
	deadVersion       = deadPrefix + "app_version"  // of the program that gave up; left out where it does not know
	deadSchema        = deadPrefix + "schema"       // what the data was held against; left out where that is not the reason
	maxDetail         = 2 << 10
	deadLetterTimeout = 10 * time.Second
)

// letter says why a record is given up.
type letter struct {
	reason, detail, schema string
	attempt                int
	first                  time.Time // when it failed first
	topicID                string
}

func reasonAttribute(reason string) attribute.KeyValue { return attribute.String("reason", reason) }

// deadLetters writes to the dead letter topics of whatever a client consumes.
type deadLetters struct {
	cl          *kgo.Client
	adm         *kadm.Client
	stage       string
	version     string
	replication int16
	// unheard says that the client asks for all topics there are, as those of patterns do, and so never hears that one is
	// missing; until the first letter.
	unheard bool
}

// write appends the record as it was, with the reason, and returns once all replicas have it. It makes the topic where
// that is missing.
func (d *deadLetters) write(ctx context.Context, r *kgo.Record, why letter) error {
	topic := events.DeadLetterTopic(r.Topic)
	var made error
	if d.unheard {
		// Where that may not be done the topic may still be there.
		made = d.ensure(ctx, topic)
	}
	err := d.produce(ctx, d.compose(topic, r, why))
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		if err = d.ensure(ctx, topic); err == nil {
			err = d.produce(ctx, d.compose(topic, r, why))
		}
	}
	if err != nil {
		return fmt.Errorf("dead letter to %s: %w", topic, errors.Join(err, made))
	}
	d.unheard = false
	return nil
}

func (d *deadLetters) ensure(ctx context.Context, topic string) error {
	return ensure(ctx, d.adm, d.replication, events.TopicSpec{Name: topic, Partitions: 1}, deadLetterMaxBytes)
}

// compose keeps key, value and headers verbatim, null or empty. Attempts and the first failure go on counting where a
// replay has left them.
func (d *deadLetters) compose(topic string, r *kgo.Record, why letter) *kgo.Record {
	if n, err := strconv.Atoi(lastHeader(r.Headers, deadAttempt)); err == nil && n > 0 && n < 1<<20 {
		why.attempt += n
	}
	if at, err := time.Parse(time.RFC3339Nano, lastHeader(r.Headers, deadFirstFailed)); err == nil && at.Before(why.first) {
		why.first = at
	}
	headers := append(ownHeaders(r),
		kgo.RecordHeader{Key: deadReason, Value: []byte(why.reason)},
		kgo.RecordHeader{Key: deadDetail, Value: []byte(shorten(why.detail))},
		kgo.RecordHeader{Key: deadStage, Value: []byte(d.stage)},
		kgo.RecordHeader{Key: deadTopic, Value: []byte(r.Topic)},
		kgo.RecordHeader{Key: deadTopicID, Value: []byte(why.topicID)},
		kgo.RecordHeader{Key: deadPartition, Value: strconv.AppendInt(nil, int64(r.Partition), 10)},
		kgo.RecordHeader{Key: deadOffset, Value: strconv.AppendInt(nil, r.Offset, 10)},
		kgo.RecordHeader{Key: deadTimestamp, Value: r.Timestamp.UTC().AppendFormat(nil, time.RFC3339Nano)},
		kgo.RecordHeader{Key: deadAttempt, Value: strconv.AppendInt(nil, int64(why.attempt), 10)},
		kgo.RecordHeader{Key: deadFirstFailed, Value: why.first.UTC().AppendFormat(nil, time.RFC3339Nano)},
	)
	for _, h := range [][2]string{{deadVersion, d.version}, {deadSchema, why.schema}} {
		if h[1] != "" {
			headers = append(headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
		}
	}
	return &kgo.Record{Topic: topic, Key: r.Key, Value: r.Value, Headers: headers}
}

// lastHeader returns the newest value of a name, empty where there is none.
func lastHeader[H header](headers []H, name string) string {
	for _, h := range slices.Backward(headers) {
		if h := events.RecordHeader(h); h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// produce waits for the acknowledgement or the end of ctx, whichever comes first.
func (d *deadLetters) produce(ctx context.Context, r *kgo.Record) error {
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
