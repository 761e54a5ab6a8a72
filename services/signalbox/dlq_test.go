package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/events/kafka/devbroker"
)

// letterbox is a broker with dead letters of one topic.
type letterbox struct {
	t   *testing.T
	env map[string]string
}

const buriedTopic = "events.flights"

func newLetterbox(t *testing.T, reasons ...string) *letterbox {
	t.Helper()
	return letterboxOf(t, "judge", reasons...)
}

// letterboxOf has the letters of one consumer.
func letterboxOf(t *testing.T, group string, reasons ...string) *letterbox {
	t.Helper()
	b, err := devbroker.Start(devbroker.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	box := &letterbox{t: t, env: map[string]string{"SIGNALBOX_KAFKA_BROKERS": b.Addr()}}
	cfg := kafka.Config{Brokers: []string{b.Addr()}}
	admin, err := kafka.NewAdmin(kafka.AdminConfig{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if err := admin.EnsureTopics(t.Context(), []events.TopicSpec{{Name: buriedTopic, Partitions: 1}, {Name: "events.other", Partitions: 1}}); err != nil {
		t.Fatal(err)
	}
	p, err := kafka.NewProducer(kafka.ProducerConfig{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	for i, reason := range reasons {
		ev, err := events.New("com.example.landed", "urn:x", reason, fmt.Sprint("id-", i), time.Now(), map[string]int{"delay": i})
		if err != nil {
			t.Fatal(err)
		}
		if out := p.Append(t.Context(), buriedTopic, []events.Event{ev})[0]; out.Err != nil {
			t.Fatal(out.Err)
		}
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	buried := make(chan struct{}, len(reasons)+1)
	c, err := kafka.NewConsumer(kafka.ConsumerConfig{Config: cfg, Group: group, Topics: []string{buriedTopic},
		Handler: events.HandlerFunc(func(_ context.Context, ev events.Event) error {
			buried <- struct{}{}
			return events.Permanent(ev.Subject(), errors.New("not like this"))
		})})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	for range reasons {
		<-buried
	}
	cancel() // what is under way is completed
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return box
}

func (b *letterbox) run(args ...string) result {
	b.t.Helper()
	return execute(b.t.Context(), b.env, "", append([]string{"dlq"}, args...)...)
}

// decode reads what a command printed as JSON.
func (b *letterbox) decode(into any, args ...string) {
	b.t.Helper()
	if err := json.Unmarshal([]byte(b.run(append(args, "-o", "json")...).ok(b.t)), into); err != nil {
		b.t.Fatal(err)
	}
}

func TestDeadLetterCommands(t *testing.T) {
	b := newLetterbox(t, "bad", "worse", "bad")
	var list struct{ Letters []letterPile }
	b.decode(&list, "ls")
	if len(list.Letters) != 2 || list.Letters[0].Topic != buriedTopic || list.Letters[0].Reason != "bad" || list.Letters[0].Stage != "judge" ||
		list.Letters[0].Letters != 2 || list.Letters[0].Replayed != 0 || list.Letters[0].Last != "events.flights.dlq/0/2" {
		t.Fatalf("%+v", list)
	}
	if out := b.run("ls", "--topic", buriedTopic+".dlq", "--reason", "worse", "--since", "1h").ok(t); !strings.Contains(out, "worse") || strings.Contains(out, "bad") {
		t.Errorf("filtered:\n%s", out)
	}
	if out := b.run("ls", "--until", "1h").ok(t); strings.Contains(out, "bad") {
		t.Errorf("before the letters:\n%s", out)
	}

	var shown shownLetter
	b.decode(&shown, "show", "events.flights.dlq/0/1")
	if shown.Origin != "events.flights/0/1" || shown.Reason != "worse" || shown.Detail != "worse: not like this" || shown.Attempt != 1 ||
		!bytes.Equal(shown.Value, []byte(`{"delay":1}`)) || string(shown.Key) != "worse" || shown.Headers[0].Key != "ce_specversion" {
		t.Errorf("%+v", shown)
	}
	if out := b.run("show", "events.flights.dlq/0/1").ok(t); !strings.Contains(out, `{"delay":1}`) || !strings.Contains(out, "header ce_id") {
		t.Errorf("shown:\n%s", out)
	}

	var report replayReport
	b.decode(&report, "replay", "--topic", buriedTopic, "--dry-run", "--limit", "1")
	if report.Sent != 1 || report.Left != 2 || !report.DryRun || report.First != "events.flights.dlq/0/0" {
		t.Errorf("dry run: %+v", report)
	}
	for i, want := range []replayReport{
		{Replayed: kafka.Replayed{Sent: 2}, First: "events.flights.dlq/0/0", Last: "events.flights.dlq/0/2"},
		{Replayed: kafka.Replayed{Before: 2}},
	} {
		report, want.Topic, want.To = replayReport{}, buriedTopic, buriedTopic
		if b.decode(&report, "replay", "--topic", buriedTopic, "--reason", "bad", "--rate", "500/s"); report != want {
			t.Errorf("replay %d: %+v, want %+v", i, report, want)
		}
	}
	if out := b.run("replay", "--topic", buriedTopic, "--to", "events.other").ok(t); !strings.Contains(out, "events.other") {
		t.Errorf("elsewhere:\n%s", out)
	}
	if b.decode(&list, "ls", "--reason", "bad"); len(list.Letters) != 1 || list.Letters[0].Replayed != 2 {
		t.Errorf("after the replay: %+v", list)
	}
}

// The records of copies are still in their topic: once more there would be twice.
func TestReplayLeavesCopies(t *testing.T) {
	b := letterboxOf(t, copies, "bad")
	for args, want := range map[string]int64{"": 0, "--to events.other": 1, "--to " + buriedTopic: 0, "--stage " + copies: 1} {
		var report replayReport
		if b.decode(&report, append([]string{"replay", "--topic", buriedTopic}, strings.Fields(args)...)...); report.Sent != want {
			t.Errorf("replay %s: %+v, want %d", args, report, want)
		}
	}
}

func TestDeadLetterCommandsRefuse(t *testing.T) {
	b := newLetterbox(t)
	b.run("show", "events.flights.dlq/0/0").fails(t, "no such dead letter", "dlq ls")
	for _, bad := range []string{"events.flights.dlq", "a/b/c", "a/0/-1", "/0/1"} {
		b.run("show", bad).fails(t, "topic/partition/offset")
	}
	b.run("ls", "--since", "yesterday").fails(t, "--since", "36h")
	b.run("ls", "--topic", "events.unheard").fails(t, "no such dead letter")
	b.run("replay", "--topic", buriedTopic, "--rate", "many").fails(t, "--rate")
	b.run("replay", "--topic", buriedTopic, "--limit", "-1").fails(t, "limit")
	b.run("replay", "--topic", buriedTopic, "--to", "events.unheard").fails(t, "events.unheard", "does not exist")
	b.run("replay", "--topic", buriedTopic, "--to", "events.other.dlq").fails(t, "dead letters")
}

func TestReadable(t *testing.T) {
	for want, b := range map[string][]byte{"null": nil, `""`: {}, "plain\ntext": []byte("plain\ntext"), "hex ff00": {0xff, 0}, "hex 1b5b": []byte("\x1b[")} {
		if got := readable(b); got != want {
			t.Errorf("%v: %q, want %q", b, got, want)
		}
	}
}
