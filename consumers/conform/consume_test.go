package conform

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/events/kafka/kafkatest"
)

// role is a Checker behind its consumer, as the service runs it.
type role struct {
	t   *testing.T
	cfg kafka.Config
	adm *kafka.Admin
	sh  *shelf
	c   *kafka.Consumer
}

func newRole(t *testing.T, cfg kafka.Config, limit kafka.DeadLetterLimit) *role {
	t.Helper()
	r := &role{t: t, cfg: cfg, sh: &shelf{}}
	var err error
	if r.adm, err = kafka.NewAdmin(kafka.AdminConfig{Config: cfg}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.adm.Close)
	if err := r.adm.EnsureTopics(t.Context(), []events.TopicSpec{{Name: topic, Partitions: 1}}); err != nil {
		t.Fatal(err)
	}
	checker, err := New(Config{Specs: r.sh, Refresh: 100 * time.Millisecond, Skew: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	r.c, err = kafka.NewConsumer(kafka.ConsumerConfig{
		Config: cfg, Group: "conform", Pattern: events.StreamTopics, Except: events.DeadLetterTopics, Placed: checker,
		DeadLetterLimit: limit, BackoffMax: 200 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	polled, consumed := make(chan error, 1), make(chan error, 1)
	go func() { polled <- checker.Run(ctx) }()
	go func() { consumed <- r.c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		for _, done := range []chan error{polled, consumed} {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	return r
}

// write appends a record as any producer may; each header is "name=value".
func (r *role) write(value string, headers ...string) {
	r.t.Helper()
	if err := kafkatest.Write(r.t.Context(), r.cfg, topic, record(value, headers...)); err != nil {
		r.t.Fatal(err)
	}
}

func record(value string, headers ...string) events.Record {
	rec := events.Record{Value: []byte(value)}
	if value == "null" {
		rec.Value = nil
	}
	for _, h := range headers {
		name, text, _ := strings.Cut(h, "=")
		rec.Headers = append(rec.Headers, events.RecordHeader{Key: name, Value: []byte(text)})
	}
	return rec
}

// binary are the headers of an event in binary mode.
func binary(typ string) []string {
	return []string{"ce_specversion=1.0", "ce_id=1", "ce_source=urn:example:direct", "ce_type=" + typ, "content-type=application/json"}
}

// letters returns the dead letters as offset and reason.
func (r *role) letters() (out []string) {
	for d, err := range r.adm.DeadLetters(r.t.Context(), events.DeadLetterTopic(topic), time.Time{}) {
		if err != nil {
			return nil
		}
		_, offset, _ := strings.Cut(d.Origin.String(), "/0/")
		out = append(out, offset+" "+d.Reason)
	}
	return out
}

func (r *role) eventually(what string, cond func() bool) {
	r.t.Helper()
	deadline := time.NewTimer(90 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			r.t.Fatalf("never: %s; letters %q", what, r.letters())
		}
	}
}

// direct: a producer that writes to Kafka itself does whatever it likes; what fits is let alone, the rest is copied.
func direct(t *testing.T, cfg kafka.Config) {
	r := newRole(t, cfg, kafka.DeadLetterLimit{})
	flights := r.sh.applyAt(time.Now().Add(-time.Minute), "flights", map[string]string{landed: delays})
	r.write(`{"delay":1}`, binary(landed)...)
	r.write(`{"delay":"late"}`, binary(landed)...)
	r.write(`null`, binary(landed)...)
	r.write(`{"delay":`, binary(landed)...)
	r.write(`{"delay":1}`, binary("com.example.unknown")...)
	r.write(`no event`)
	r.write(`{"specversion":"1.0","id":"2","source":"urn:x","type":"`+landed+`","data":{"delay":2}}`, "content-type=application/cloudevents+json")
	r.write(`{"specversion":"1.0","id":"3","source":"urn:x","type":"`+landed+`","data":{"delay":true}}`, "content-type=application/cloudevents+json")
	r.write(`{"delay":"`+strings.Repeat("x", 900<<10)+`"}`, binary(landed)...)
	if err := kafkatest.WriteAborted(t.Context(), cfg, topic, record(`{"delay":"never said"}`, binary(landed)...)); err != nil {
		t.Fatal(err)
	}
	r.write(`{"delay":[]}`, binary(landed)...)
	want := []string{"1 schema_violation", "2 no_data", "3 schema_violation", "4 undeclared_type", "5 malformed", "7 schema_violation",
		"8 schema_violation", "11 schema_violation"} // 9 was given up, 10 says so
	r.eventually("every violation is copied", func() bool { return len(r.letters()) >= len(want) })
	got := r.letters()
	if last := len(got) - 1; got[last] == "10 schema_violation" {
		want[last] = got[last] // brokers may write the marker of a transaction after they have answered that it is over
	}
	if !slices.Equal(got, want) {
		t.Errorf("copied %q, want %q", got, want)
	}
	d, err := r.adm.DeadLetter(t.Context(), events.Position{Topic: events.DeadLetterTopic(topic)})
	if err != nil || d.Schema != flights.Digest.String() || d.Stage != "conform" || !strings.Contains(d.Detail, "delay") || string(d.Value) != `{"delay":"late"}` {
		t.Errorf("%+v %v", d, err)
	}
}

func inBubble(t *testing.T, f func(t *testing.T, cfg kafka.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		v, err := kafkatest.NewVirtual()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(v.Close)
		f(t, v.Config())
	})
}

func TestDirectProducer(t *testing.T) { inBubble(t, direct) }

func TestDirectProducerOnApache(t *testing.T) {
	a, err := kafkatest.StartApache(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	direct(t, a.Config())
}

// TestWrongSchemaIsMended: a schema that refuses what everybody sends does not fill the dead letters, and is not held
// against what was sent before it was mended.
func TestWrongSchemaIsMended(t *testing.T) {
	inBubble(t, func(t *testing.T, cfg kafka.Config) {
		r := newRole(t, cfg, kafka.DeadLetterLimit{Letters: 3})
		r.sh.apply("flights", map[string]string{landed: strings.Replace(delays, "integer", "string", 1)})
		time.Sleep(time.Second)
		for range 20 {
			r.write(`{"delay":1}`, binary(landed)...)
		}
		r.eventually("the partition stops", func() bool { return len(r.c.Held()) == 1 })
		r.sh.apply("flights", map[string]string{landed: delays})
		r.eventually("it goes on", func() bool { return len(r.c.Held()) == 0 })
		time.Sleep(time.Second)
		r.write(`{"delay":"1"}`, binary(landed)...)
		r.eventually("the next violation is copied, if it is allowed", func() bool { return len(r.letters()) == 4 })
		if got := r.letters(); got[3] != "20 schema_violation" {
			t.Errorf("%q", got)
		}
	})
}

// TestNewStream: topics that are made while it runs are checked, dead letters are not.
func TestNewStream(t *testing.T) {
	inBubble(t, func(t *testing.T, cfg kafka.Config) {
		r := newRole(t, cfg, kafka.DeadLetterLimit{})
		r.sh.apply("late", map[string]string{landed: delays})
		for _, name := range []string{"events.late", "events.late.dlq", "events.nobody"} {
			if err := r.adm.EnsureTopics(t.Context(), []events.TopicSpec{{Name: name, Partitions: 1}}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		for _, name := range []string{"events.late", "events.late.dlq", "events.nobody"} {
			if err := kafkatest.Write(t.Context(), cfg, name, record(`{}`, binary(landed)...)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		topics, err := r.adm.DeadLetterTopics(t.Context())
		if err != nil || !slices.Equal(topics, []string{"events.late.dlq"}) {
			t.Errorf("%v %v", topics, err)
		}
		n := 0
		for d, err := range r.adm.DeadLetters(t.Context(), "events.late.dlq", time.Time{}) {
			if n++; err != nil || d.Reason != "schema_violation" {
				t.Errorf("%+v %v", d, err)
			}
		}
		if n != 1 {
			t.Errorf("%d letters", n)
		}
	})
}
