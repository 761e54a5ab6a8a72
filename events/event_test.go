package events

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// declaredTypes reads every constant Type* from the sources, so that a new type cannot be forgotten here.
func declaredTypes(t *testing.T) map[string]string {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		src, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(src, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok || len(v.Values) != 1 || !strings.HasPrefix(v.Names[0].Name, "Type") {
				return true
			}
			if lit, ok := v.Values[0].(*ast.BasicLit); ok {
				if s, err := strconv.Unquote(lit.Value); err == nil {
					out[v.Names[0].Name] = s
				}
			}
			return true
		})
	}
	return out
}

func TestTopicOfEveryType(t *testing.T) {
	topics := map[string]bool{}
	for _, spec := range LifecycleTopics() {
		if topics[spec.Name] || spec.Partitions < 1 {
			t.Errorf("topic %+v is listed twice or has no partition", spec)
		}
		topics[spec.Name] = true
	}
	types := declaredTypes(t)
	if len(types) < 12 {
		t.Fatalf("found only %d types: %v", len(types), types)
	}
	used := map[string]bool{}
	for name, typ := range types {
		if !regexp.MustCompile(`^dev\.signalbox\.[a-z]+\.[a-z]+$`).MatchString(typ) {
			t.Errorf("%s = %q is no dev.signalbox.<noun>.<verb>", name, typ)
		}
		topic, ok := TopicOf(typ)
		if !ok || !topics[topic] || !IsLifecycle(typ) {
			t.Errorf("%s travels on %q, which no deployment creates", typ, topic)
		}
		used[topic] = true
	}
	for topic := range topics {
		if !used[topic] {
			t.Errorf("no type travels on %s", topic)
		}
	}
}

func TestTopicOfOthers(t *testing.T) {
	for _, typ := range []string{"com.example.flight.arrived", "", "dev.signalboxes.run.started", "DEV.SIGNALBOX.run.started"} {
		if topic, ok := TopicOf(typ); ok || IsLifecycle(typ) {
			t.Errorf("%q is taken for a lifecycle type on %q", typ, topic)
		}
	}
	// Reserved, though nothing travels there yet.
	if topic, ok := TopicOf("dev.signalbox.moon.landed"); ok || !IsLifecycle("dev.signalbox.moon.landed") {
		t.Errorf("an unknown lifecycle type travels on %q", topic)
	}
}

func TestArchivedTopics(t *testing.T) {
	re := regexp.MustCompile(ArchivedTopics)
	for _, spec := range LifecycleTopics() {
		if !re.MatchString(spec.Name) || StreamOf(spec.Name) != spec.Name {
			t.Errorf("%s: archived %v as stream %q", spec.Name, re.MatchString(spec.Name), StreamOf(spec.Name))
		}
	}
	if topic := StreamTopic("flights"); !re.MatchString(topic) || StreamOf(topic) != "flights" {
		t.Errorf("stream topic %s is archived %v as %q", topic, re.MatchString(topic), StreamOf(topic))
	}
	for _, topic := range []string{"__consumer_offsets", "events.", "signalbox", "other.events.flights"} {
		if re.MatchString(topic) {
			t.Errorf("%s is archived", topic)
		}
	}
	if got := DeadLetterTopic("events.flights"); got != "events.flights.dlq" {
		t.Errorf("dead letters go to %s", got)
	}
}

func TestNew(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 5000, time.UTC)
	ev, err := New(TypeTagMoved, "/signalbox", "fraud/production", "tag/1", at, TagMoved{Tag: "fraud/production", Generation: 1})
	if err != nil {
		t.Fatal(err)
	}
	if ev.ID() != "tag/1" || ev.Type() != TypeTagMoved || ev.Subject() != "fraud/production" || !ev.Time().Equal(at) ||
		ev.Source() != "/signalbox" || ev.DataContentType() != "application/json" || ev.SpecVersion() != "1.0" {
		t.Errorf("event = %s", ev)
	}
	var data TagMoved
	if err := ev.DataAs(&data); err != nil || data.Generation != 1 {
		t.Errorf("data = %+v, %v", data, err)
	}

	ids := map[string]bool{}
	for range 100 {
		ev, err := New(TypeTagMoved, "/signalbox", "s", "", at, nil)
		if err != nil {
			t.Fatal(err)
		}
		ids[ev.ID()] = true
	}
	if len(ids) != 100 {
		t.Errorf("100 events have %d ids", len(ids))
	}
	if _, err := New("", "/signalbox", "s", "", at, nil); err == nil {
		t.Error("an event without type is made")
	}
	if _, err := New(TypeTagMoved, "/signalbox", "s", "", at, func() {}); err == nil {
		t.Error("an event with data that JSON cannot hold is made")
	}
}

func TestPermanent(t *testing.T) {
	base := errors.New("no such model")
	err := Permanent("unknown_model", base)
	if PermanentReason(err) != "unknown_model" || !errors.Is(err, base) {
		t.Errorf("%v has reason %q", err, PermanentReason(err))
	}
	if got := PermanentReason(fmt.Errorf("retrain: %w", err)); got != "unknown_model" {
		t.Errorf("wrapped: reason %q", got)
	}
	if got := PermanentReason(errors.Join(base, err)); got != "unknown_model" {
		t.Errorf("joined: reason %q", got)
	}
	if Permanent("x", nil) != nil || PermanentReason(base) != "" || PermanentReason(nil) != "" {
		t.Error("an error that nobody marked is permanent")
	}
}

func TestHandlerFunc(t *testing.T) {
	want := errors.New("later")
	var h Handler = HandlerFunc(func(context.Context, Event) error { return want })
	if err := h.Handle(t.Context(), newEvent(t)); !errors.Is(err, want) {
		t.Errorf("Handle = %v, want %v", err, want)
	}
	if got := (Position{Topic: "t", Partition: 1, Offset: 2}).String(); got != "t/1/2" {
		t.Errorf("position = %s", got)
	}
}
