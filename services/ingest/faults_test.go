package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

// hasty gives up on Kafka early.
func hasty(_ *Config, p *kafka.ProducerConfig) { p.DeliveryTimeout = time.Second }

// until posts an event until it is taken, as a client does that is told to come back.
func (w *world) until(body string) {
	w.t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		a := w.structured(body)
		if a.status == 202 {
			return
		}
		if a.header.Get("Retry-After") == "" {
			w.t.Fatalf("%d %s without Retry-After", a.status, a.body)
		}
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("never taken: %s", a.body)
		}
	}
}

func TestBrokerAway(t *testing.T) {
	w := newWorld(t, hasty)
	w.cable.set(cut)
	a := w.structured(flight("a", ""))
	if a.status != 503 || a.doc.Code != "unacknowledged" || a.header.Get("Retry-After") != "2" || !strings.Contains(a.doc.Detail, "same id") {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	a = w.batch("[" + flight("b", "") + "," + flight("c", "") + "]")
	if a.status != 503 || a.header.Get("Retry-After") != "2" || len(a.doc.Results) != 2 || !a.doc.Results[1].Retryable || a.doc.Results[1].Position != "" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	for _, word := range []string{"cable", "dial", "localhost", "9092"} {
		if strings.Contains(a.body, word) {
			t.Errorf("the answer names %q: %s", word, a.body)
		}
	}
	w.cable.set(whole)
	w.until(flight("a", ""))
	if n := w.count("events.flights"); n["a"] == 0 {
		t.Errorf("logged %v", n)
	}
}

// TestAnswerLost: the event is in the log, and nobody knows. The same id makes the repeat harmless.
func TestAnswerLost(t *testing.T) {
	w := newWorld(t, hasty)
	w.until(flight("first", ""))
	w.cable.set(mute)
	if a := w.structured(flight("a", "")); a.status != 503 || a.doc.Code != "unacknowledged" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if n := w.count("events.flights"); n["a"] == 0 {
		t.Errorf("the event did not reach the log, so this test shows nothing: %v", n)
	}
	w.cable.set(whole)
	w.until(flight("a", ""))
	if n := w.count("events.flights"); n["a"] < 1 || n["first"] != 1 {
		t.Errorf("logged %v", n)
	}
}

func TestFullBuffer(t *testing.T) {
	w := newWorld(t, func(c *Config, p *kafka.ProducerConfig) { hasty(c, p); p.MaxBufferedRecords = 10 })
	w.until(flight("first", ""))
	w.cable.set(cut)
	var list []string
	for i := range 50 {
		list = append(list, flight(fmt.Sprint(i), ""))
	}
	a := w.batch("[" + strings.Join(list, ",") + "]")
	count := map[string]int{}
	for _, r := range a.doc.Results {
		count[r.Code]++
		if !r.Retryable || r.Status != map[string]int{"buffer_full": 429, "unacknowledged": 503}[r.Code] {
			t.Errorf("%+v", r)
		}
	}
	if a.status != 503 || count["buffer_full"] != 40 || count["unacknowledged"] != 10 {
		t.Errorf("%d %v", a.status, count)
	}
}

// TestFullBufferIsAnsweredAtOnce: who finds the buffer full does not wait for those who are in it.
func TestFullBufferIsAnsweredAtOnce(t *testing.T) {
	w := newWorld(t, func(_ *Config, p *kafka.ProducerConfig) {
		p.MaxBufferedRecords = 40
		p.DeliveryTimeout = 9 * time.Second
	})
	w.until(flight("first", ""))
	w.cable.set(cut)
	list := make([]string, 100)
	for i := range list {
		list[i] = flight(fmt.Sprint("held", i), "")
	}
	held := make(chan answer, 1)
	go func() { held <- w.batch("[" + strings.Join(list, ",") + "]") }()
	w.fill()
	for _, a := range []answer{w.structured(flight("x", "")), w.batch("[" + flight("x", "") + "," + flight("x", "") + "]")} {
		if a.status != 429 || a.doc.Code != "buffer_full" || a.header.Get("Retry-After") != "1" {
			t.Errorf("%d %v %s", a.status, a.header, a.body)
		}
	}
	select {
	case a := <-held:
		t.Errorf("nobody was in the buffer any more, so this test shows nothing: %d %s", a.status, a.body)
	default:
	}
	w.cable.set(whole)
	if a := <-held; a.status != 207 || a.header.Get("Retry-After") == "" || a.doc.Results[0].Status != 202 || a.doc.Results[99].Code != "buffer_full" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if n := w.count("events.flights"); n["held0"] != 1 || n["held99"] != 0 || n["x"] != 0 {
		t.Errorf("logged %v", n)
	}
}

// fill waits until the publisher's buffer is full.
func (w *world) fill() {
	w.t.Helper()
	probe := decodeJSON([]byte(flight("probe", ""))).ev
	for range 1000 {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		outs := w.server.cfg.Publisher.Append(ctx, "events.flights", []events.Event{probe})
		cancel()
		if errors.Is(outs[0].Err, events.ErrBufferFull) {
			return
		}
	}
	w.t.Fatal("the buffer never fills")
}

func TestTopicIsNotThereYet(t *testing.T) {
	w := newWorld(t, nil)
	w.apply(strings.NewReplacer("name: orders", "name: absent", paid, "com.example.absent").Replace(strings.Split(declared, "---")[1]))
	body := strings.Replace(flight("x", ""), arrived, "com.example.absent", 1)
	if a := w.structured(body); a.status != 503 || a.doc.Code != "no_topic" || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	// A neighbour in another topic is not held up, and the batch says which one to send again.
	a := w.batch("[" + body + "," + flight("ok", "") + "]")
	if a.status != 207 || a.header.Get("Retry-After") == "" || !a.doc.Results[0].Retryable || a.doc.Results[1].Status != 202 {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
}

// TestOverload: what is under way is bounded, and who comes on top is told so at once.
func TestOverload(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *kafka.ProducerConfig) { c.MaxBytes, c.MaxEvents = maxBody+2, maxBatch })
	whole := "[" + strings.Repeat(" ", maxBody-4) + "7]"
	body, feed := io.Pipe()
	done := make(chan answer, 1)
	go func() { done <- w.send("/v1/events", body, "Content-Type", mediaBatch) }()
	if _, err := io.WriteString(feed, whole[:maxBody-10]); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for w.server.bytes.left.Load() > 1000 {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the body never arrives")
		}
	}
	for _, a := range []answer{w.structured(flight("x", "")), w.batch("[" + flight("x", "") + "]")} {
		if a.status != 429 || a.doc.Code != "overloaded" || a.header.Get("Retry-After") != "1" {
			t.Errorf("%d %v %s", a.status, a.header, a.body)
		}
	}
	if _, err := io.WriteString(feed, whole[maxBody-10:]); err != nil {
		t.Fatal(err)
	}
	if err := feed.Close(); err != nil {
		t.Fatal(err)
	}
	if a := <-done; a.status != 400 { // the one event of it is a number
		t.Errorf("the first: %d %s", a.status, a.body)
	}
	w.until(flight("x", ""))

	held := w.server.events.lease()
	held.take(maxBatch)
	if a := w.structured(flight("y", "")); a.status != 429 {
		t.Errorf("no slot: %d %s", a.status, a.body)
	}
	held.end()
	// What cannot be taken is not looked into: neither a batch that finds too few slots, nor anything that finds none.
	held.take(maxBatch - 1)
	if a := w.batch("[1,2]"); a.status != 429 || a.header.Get("Retry-After") != "1" {
		t.Errorf("too few slots: %d %s", a.status, a.body)
	}
	held.take(1)
	if a := w.batch("no array"); a.status != 429 || a.header.Get("Retry-After") != "1" {
		t.Errorf("no slots: %d %s", a.status, a.body)
	}
	held.end()
	w.until(flight("y", ""))
	if n := w.count("events.flights"); n["x"] != 1 || n["y"] != 1 {
		t.Errorf("logged %v", n)
	}
}

func TestSlowBody(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *kafka.ProducerConfig) { c.ReadTimeout = 50 * time.Millisecond })
	body, feed := io.Pipe()
	defer feed.Close()
	if a := w.send("/v1/events", body, "Content-Type", mediaStructured); a.status != 408 || a.doc.Code != "timeout" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// forgetful answers for fewer events than it was given, or without a position.
type forgetful struct{ outs []events.Outcome }

func (f forgetful) Append(context.Context, string, []events.Event) []events.Outcome { return f.outs }

func TestNoAnswerIsNoSuccess(t *testing.T) {
	for name, outs := range map[string][]events.Outcome{
		"nothing": nil, "no position": {{}}, "other topic": {{Position: events.Position{Topic: "events.orders", Offset: 1}}},
	} {
		w := newWorld(t, func(c *Config, _ *kafka.ProducerConfig) { c.Publisher = forgetful{outs} })
		if a := w.structured(flight("x", "")); a.status != 503 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}
