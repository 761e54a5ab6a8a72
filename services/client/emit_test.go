package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/services/client"
)

func departed(delay any) client.Event {
	return client.Event{
		Source: "/airports/ewr", Type: "flight.departed", Subject: "N14228", Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Data: map[string]any{"delay": delay}, Extensions: map[string]any{"partitionkey": "N14228"},
	}
}

func TestEmit(t *testing.T) {
	w, ctx := start(t), t.Context()
	c := w.client()
	var list []client.Event
	for i := range 1003 { // more than a request may have
		list = append(list, departed(i))
	}
	list[7].Data = map[string]any{"delay": "two"}
	w.wire.next(step{"POST", "/v1/events", lose}, step{"POST", "/v1/events", answer(429, "{}", "Retry-After", "0")})
	results, err := c.Emit(ctx, list...)
	var failed *client.EmitError
	if !errors.As(err, &failed) || len(failed.Failed) != 1 || failed.Failed[0].Index != 7 || failed.Failed[0].Code != "schema_violation" ||
		failed.Failed[0].Errors[0].Pointer != "/delay" || failed.Of != 1003 {
		t.Fatalf("one of %d is wrong: %v", len(list), err)
	}
	for i, r := range results {
		if taken := r.Status == http.StatusAccepted; r.Index != i || taken == (i == 7) || taken != strings.HasPrefix(r.Position, "events.flights/0/") || r.ID == "" {
			t.Fatalf("event %d: %+v", i, r)
		}
	}
	if n := len(w.wire.requests("POST", "/v1/events")); n != 4 {
		t.Errorf("%d requests, want 4: two of them were lost or refused", n)
	}
	if results, err := c.Emit(ctx); err != nil || len(results) != 0 {
		t.Errorf("no events: %v, %v", results, err)
	}
	if _, err := c.Emit(ctx, departed(make(chan int))); err == nil {
		t.Error("data that is no JSON was emitted")
	}
	unknown := departed(1)
	unknown.Type = "flight.vanished"
	if _, err := c.Emit(ctx, unknown, unknown); !errors.As(err, &failed) || failed.Failed[1].Code != "unknown_type" {
		t.Errorf("events of no stream: %v", err)
	}
	if _, err := w.client(func(cfg *client.Config) { cfg.Token = "none" }).Emit(ctx, departed(1)); !errors.Is(err, client.ErrDenied) {
		t.Errorf("without a token: %v", err)
	}
}

// Only what the log did not take is sent again, and under the same id.
func TestEmitSendsTheRestAgain(t *testing.T) {
	w := start(t)
	var sent [][]string
	note := func(r *http.Request) error {
		b, err := io.ReadAll(r.Body)
		var list []struct{ ID string }
		if err = errors.Join(err, json.Unmarshal(b, &list)); err != nil {
			return err
		}
		var ids []string
		for _, e := range list {
			ids = append(ids, e.ID)
		}
		sent = append(sent, ids)
		r.Body = io.NopCloser(strings.NewReader(string(b)))
		return nil
	}
	partly := func(rw http.ResponseWriter, r *http.Request, _ http.Handler) {
		err := note(r)
		answer(207, `{"results":[{"index":0,"id":"","status":202,"position":"events.flights/0/0"},`+
			`{"index":1,"id":"","status":503,"code":"unacknowledged","retryable":true},{"index":2,"id":"","status":422,"code":"schema_violation"}]}`)(rw, r, nil)
		if err != nil {
			t.Error(err)
		}
	}
	none := func(rw http.ResponseWriter, r *http.Request, _ http.Handler) {
		answer(503, `{"code":"unacknowledged","results":[{"index":0,"id":"","status":503,"code":"unacknowledged","retryable":true}]}`)(rw, r, nil)
	}
	last := func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
		if err := note(r); err != nil {
			t.Error(err)
		}
		next.ServeHTTP(rw, r)
	}
	w.wire.next(step{"POST", "/v1/events", partly}, step{"POST", "/v1/events", none}, step{"POST", "/v1/events", last})
	results, err := w.client().Emit(t.Context(), departed(1), departed(2), departed("x"))
	var failed *client.EmitError
	if !errors.As(err, &failed) || len(failed.Failed) != 1 || results[1].Status != 202 || results[1].Index != 1 || results[2].Status != 422 {
		t.Fatalf("%+v, %v", results, err)
	}
	if len(sent) != 2 || len(sent[1]) != 1 || sent[1][0] != sent[0][1] || results[1].ID != sent[0][1] {
		t.Errorf("sent %v", sent)
	}
}

func TestEmitGivesUp(t *testing.T) {
	w := start(t)
	busy := answer(503, `{"code":"unacknowledged","results":[{"index":0,"id":"","status":503,"code":"unacknowledged","detail":"not in time","retryable":true}]}`)
	w.wire.next(step{"POST", "/v1/events", busy}, step{"POST", "/v1/events", busy}, step{"POST", "/v1/events", refuse}, step{"POST", "/v1/events", refuse})
	c := w.client(func(cfg *client.Config) { cfg.Tries = 2 })
	results, err := c.Emit(t.Context(), departed(1))
	var failed *client.EmitError
	if !errors.As(err, &failed) || !results[0].Retryable || !strings.Contains(err.Error(), "1 of 1 events are not known to be in the log") {
		t.Errorf("a log that takes nothing: %+v, %v", results, err)
	}
	results, err = c.Emit(t.Context(), departed(1))
	if err == nil || errors.As(err, &failed) || results[0].Code != "unknown" || results[0].ID == "" {
		t.Errorf("a server that is away: %+v, %v", results, err)
	}
	if w.wire.left() != 0 {
		t.Error(fmt.Sprint(w.wire.left(), " faults did not happen"))
	}
}
