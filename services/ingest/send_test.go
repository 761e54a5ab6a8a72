package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/registry/remote"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

// answer is what a request got.
type answer struct {
	status int
	header http.Header
	body   string
	doc    struct {
		Code, Detail string
		Errors       []struct{ Pointer, Detail string }
		Results      []remote.EmitResult
	}
}

// post sends a body with headers, which come in pairs.
func (w *world) post(path, body string, headers ...string) answer {
	w.t.Helper()
	return w.send(path, strings.NewReader(body), headers...)
}

func (w *world) send(path string, body io.Reader, headers ...string) answer {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.tokens[auth.Producer])
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(b)}
	if len(b) > 0 {
		if err := json.Unmarshal(b, &a.doc); err != nil {
			w.t.Fatalf("%v: %s", err, b)
		}
	}
	return a
}

func (w *world) structured(body string) answer {
	w.t.Helper()
	return w.post("/v1/events", body, "Content-Type", mediaStructured)
}

func (w *world) batch(body string) answer {
	w.t.Helper()
	return w.post("/v1/events", body, "Content-Type", mediaBatch)
}

// logged returns what stands in a topic, in order within each partition.
func (w *world) logged(topic string) []events.Event {
	w.t.Helper()
	f, err := kafka.NewFollower(w.broker.Config())
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var out []events.Event
	done := false
	err = f.Follow(ctx, topic, func(ev events.Event) { out = append(out, ev) }, func() { done = true; cancel() })
	if err != nil || !done {
		w.t.Fatalf("read %s: %d events, %v", topic, len(out), err)
	}
	return out
}

// count returns how often each id stands in a topic.
func (w *world) count(topic string) map[string]int {
	w.t.Helper()
	out := map[string]int{}
	for _, ev := range w.logged(topic) {
		out[ev.ID()]++
	}
	return out
}

// flight is an event in the JSON format; more are members, each with a comma before it.
func flight(id, more string) string {
	return `{"specversion":"1.0","id":"` + id + `","source":"/test","type":"` + arrived + `","data":{"delay":3}` + more + `}`
}

func zipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, text)
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
