package kafkatest

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

func deadLetterCases() []Case {
	return []Case{
		{"a permanent error buries the event as it was", permanentBuries},
		{"what is no event is buried as it was", malformedBuries},
		{"attempts can be limited", attemptsCanBeLimited},
	}
}

// headers returns every value of each dead letter header.
func deadHeaders(r *kgo.Record) map[string]string {
	out := map[string]string{}
	for _, h := range r.Headers {
		out[h.Key] = string(h.Value)
	}
	return out
}

// verbatim checks that letter has key, value and leading headers of original.
func verbatim(t *testing.T, letter, original *kgo.Record) {
	t.Helper()
	same := func(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }
	if !same(letter.Key, original.Key) || !same(letter.Value, original.Value) {
		t.Errorf("key %q value %q, want %q %q", letter.Key, letter.Value, original.Key, original.Value)
	}
	n := len(original.Headers)
	if len(letter.Headers) != n+10 || !slices.EqualFunc(letter.Headers[:n], original.Headers, func(a, b kgo.RecordHeader) bool {
		return a.Key == b.Key && same(a.Value, b.Value)
	}) {
		t.Errorf("headers %v, want first %v", letter.Headers, original.Headers)
	}
}

func permanentBuries(t *testing.T, cfg kafka.Config) {
	k, begin := newKit(t, cfg), time.Now()
	topic := k.topic("t", 1)
	h := &seen{fail: func(ev events.Event, _ int) error {
		if ev.ID() == "bad-1" {
			return events.Permanent("unknown_model", errors.New("no such model"))
		}
		return nil
	}}
	k.append(k.producer(kafka.ProducerConfig{}), topic, "good", "bad", "good")
	k.run(k.consumer(kafka.ConsumerConfig{Topics: []string{topic}, Handler: h, Stage: "judge"}).Run)
	k.eventually("the partition goes on", func() bool { return slices.Equal(h.all(), []string{"good-0", "good-2"}) })
	letter := k.read(events.DeadLetterTopic(topic), 1)[0]
	original := k.read(topic, 3)[1]
	verbatim(t, letter, original)
	got := deadHeaders(letter)
	for header, want := range map[string]string{"sb_dlq_reason": "unknown_model", "sb_dlq_detail": "unknown_model: no such model", "sb_dlq_stage": "judge",
		"sb_dlq_topic": topic, "sb_dlq_topic_id": k.id(topic), "sb_dlq_partition": "0", "sb_dlq_offset": "1", "sb_dlq_attempt": "1",
		"sb_dlq_ts": original.Timestamp.UTC().Format(time.RFC3339Nano)} {
		if got[header] != want {
			t.Errorf("%s: %q, want %q", header, got[header], want)
		}
	}
	if at, err := time.Parse(time.RFC3339Nano, got["sb_dlq_first_failed"]); err != nil || at.Before(begin) || at.After(time.Now()) {
		t.Errorf("failed first at %s: %v", got["sb_dlq_first_failed"], err)
	}
	if ev, err := kafka.Decode(neutral(letter)); err != nil || ev.ID() != "bad-1" {
		t.Errorf("the letter is still the event: %v %v", ev, err)
	}
}

func malformedBuries(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := k.topic("t", 1)
	poison := []*kgo.Record{
		{Topic: topic, Value: nil, Key: nil},
		{Topic: topic, Value: []byte{}, Key: []byte{}},
		{Topic: topic, Value: []byte("\xff\x00"), Key: []byte("k"), Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte("2")}, {Key: "b"}}},
		{Topic: topic, Value: []byte(`{"specversion":"1.0"`), Headers: []kgo.RecordHeader{{Key: "content-type", Value: []byte("application/cloudevents+json")}}},
	}
	k.produce(poison...)
	k.append(k.producer(kafka.ProducerConfig{}), topic, "good")
	h := &seen{}
	k.run(k.consumer(kafka.ConsumerConfig{Topics: []string{topic}, Handler: h}).Run)
	k.eventually("the partition goes on", func() bool { return slices.Equal(h.all(), []string{"good-0"}) })
	letters := k.read(events.DeadLetterTopic(topic), len(poison))
	originals := k.read(topic, len(poison)+1)
	for i, letter := range letters {
		verbatim(t, letter, originals[i])
		if got := deadHeaders(letter); got["sb_dlq_reason"] != "malformed" || got["sb_dlq_attempt"] != "0" || got["sb_dlq_detail"] == "" {
			t.Errorf("letter %d: %v", i, got)
		}
	}
}

func attemptsCanBeLimited(t *testing.T, cfg kafka.Config) {
	k := newKit(t, cfg)
	topic := k.topic("t", 1)
	h := &seen{fail: func(ev events.Event, _ int) error {
		if ev.Subject() == "bad" {
			return errors.New("still broken")
		}
		return nil
	}}
	k.append(k.producer(kafka.ProducerConfig{}), topic, "bad", "good")
	k.run(k.consumer(kafka.ConsumerConfig{Topics: []string{topic}, Handler: h, MaxAttempts: 3, BackoffMax: 200 * time.Millisecond}).Run)
	k.eventually("the partition goes on", func() bool { return slices.Equal(h.all(), []string{"good-1"}) })
	got := deadHeaders(k.read(events.DeadLetterTopic(topic), 1)[0])
	if got["sb_dlq_reason"] != "retries_exhausted" || got["sb_dlq_attempt"] != "3" || h.tries("bad-0") != 3 {
		t.Errorf("%v after %d tries", got, h.tries("bad-0"))
	}
}
