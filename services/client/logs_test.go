package client_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/services/client"
)

// running is a run at its first attempt.
func running(t *testing.T, w *world, c *client.Client) registry.RunID {
	t.Helper()
	run, err := c.Train(t.Context(), wanted())
	if err != nil {
		t.Fatal(err)
	}
	id, err := registry.ParseRunID(string(run.ID))
	if err = errors.Join(err, w.begin(id, 1)); err != nil {
		t.Fatal(err)
	}
	return id
}

// Every line comes once and in order, over connections that break in the middle of an event, fail, fall silent or ask to
// come again, and over attempts.
func TestFollowOverEverything(t *testing.T) {
	w := start(t)
	c := w.client(func(cfg *client.Config) { cfg.Quiet = 100 * time.Millisecond })
	id := running(t, w, c)
	if err := errors.Join(w.log(id, 1, 0, "one\ntwo\n\nfo"), w.log(id, 1, 1, "ur\r\nfive")); err != nil {
		t.Fatal(err)
	}
	const end = "/logs"
	w.wire.next(
		step{"GET", end, answer(503, "restarting")},
		step{"GET", end, breakOff(len("id: 4\ndata: one\n\nid: 8\ndata: t"))},
		step{"GET", end, refuse},
		step{"GET", end, hang},
		step{"GET", end, answer(200, "event: error\ndata: the log cannot be read at the moment: connect again\n\n")},
		step{"GET", end, answer(200, "id: 99\ndata: cut off before its end")},
		step{"GET", end, answer(200, "event: news\nid: 99\ndata: of a kind that is not known\n\n: still there\n\n")},
	)
	var got []string
	for line, err := range c.Follow(t.Context(), client.RunID(id.String()), client.From{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, line.Text)
		var err2 error
		switch line.Text {
		case "four":
			if line.Next != 15 || line.Attempt != 1 {
				t.Errorf("%+v", line)
			}
			err2 = errors.Join(w.logged(id, 1, "as above"), w.begin(id, 2), w.log(id, 2, 0, "second attempt\n"))
		case "second attempt":
			err2 = errors.Join(w.logged(id, 2, "as above"), w.fail(id, 2))
		}
		if err2 != nil {
			t.Fatal(err2)
		}
	}
	if want := []string{"one", "two", "", "four", "five", "second attempt"}; !slices.Equal(got, want) || w.wire.left() != 0 {
		t.Errorf("lines %q, want %q; %d faults did not happen", got, want, w.wire.left())
	}
	resumed := w.wire.requests("GET", end)[2].Header.Get("Last-Event-ID")
	if resumed != "4" {
		t.Errorf("went on behind %q, want 4", resumed)
	}
}

func TestFollowFromALine(t *testing.T) {
	w := start(t)
	c := w.client()
	id := running(t, w, c)
	if err := errors.Join(w.log(id, 1, 0, "one\ntwo\nthree\n"), w.logged(id, 1, "one\ntwo\nthree\n"), w.fail(id, 1)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line, err := range c.Follow(t.Context(), client.RunID(id.String()), client.From{Attempt: 1, Offset: 4}) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, line.Text); len(got) == 2 {
			break
		}
	}
	if !slices.Equal(got, []string{"two", "three"}) {
		t.Errorf("lines %q", got)
	}
	w.wire.next(step{"GET", "/logs", refuse})
	body, err := c.Logs(t.Context(), client.RunID(id.String()), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if b, err := io.ReadAll(body); err != nil || string(b) != "one\ntwo\nthree\n" {
		t.Errorf("the log is %q, %v", b, err)
	}
}

// A server that never comes back ends a log, and says for how long it was tried.
func TestFollowGivesUp(t *testing.T) {
	w := start(t)
	c := w.client(func(cfg *client.Config) { cfg.Patience = 50 * time.Millisecond })
	id := running(t, w, c)
	for range 20 {
		w.wire.next(step{"GET", "/logs", refuse})
	}
	var last error
	for _, err := range c.Follow(t.Context(), client.RunID(id.String()), client.From{}) {
		last = err
	}
	if last == nil || !strings.Contains(last.Error(), "tries") {
		t.Errorf("it ended with %v", last)
	}
	for _, err := range c.Follow(t.Context(), "9081e64f-b2c0-455e-bcaa-c1c211fa124b", client.From{}) {
		if !errors.Is(err, client.ErrNotFound) {
			t.Errorf("a run that is not there: %v", err)
		}
	}
}

// Every point comes once, over broken connections and attempts.
func TestFollowMetrics(t *testing.T) {
	w := start(t)
	c := w.client()
	id := running(t, w, c)
	point := func(attempt, chunk int, values ...float64) error {
		text := ""
		for _, v := range values {
			text += fmt.Sprintf(`{"name":"auc","value":%v,"at":"2026-11-23T14:00:00Z"}`+"\n", v)
		}
		return w.leave(fmt.Sprintf("%sseries.d/%08d", registry.AttemptPrefix(id, attempt), chunk), text)
	}
	if err := errors.Join(point(1, 0, 0.1, 0.2), point(1, 1, 0.3)); err != nil {
		t.Fatal(err)
	}
	w.wire.next(step{"GET", "/metrics", breakOff(90)}, step{"GET", "/metrics", refuse}, step{"GET", "/metrics", answer(200, "id: 9.9\ndata: {\"nam")})
	var got []float64
	for s, err := range c.FollowMetrics(t.Context(), client.RunID(id.String()), 0) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s.Value)
		var err2 error
		switch s.Value {
		case 0.3:
			err2 = errors.Join(w.logged(id, 1, "over"), w.begin(id, 2), point(2, 0, 0.4))
		case 0.4:
			if s.Attempt != 2 || s.Name != "auc" || s.Step != nil || s.At.IsZero() {
				t.Errorf("%+v", s)
			}
			err2 = errors.Join(w.logged(id, 2, "over"), w.fail(id, 2))
		}
		if err2 != nil {
			t.Fatal(err2)
		}
	}
	if !slices.Equal(got, []float64{0.1, 0.2, 0.3, 0.4}) || w.wire.left() != 0 {
		t.Errorf("points %v; %d faults did not happen", got, w.wire.left())
	}
	w.wire.next(step{"GET", "/metrics", answer(200, "id: 1.0\ndata: no JSON\n\n")})
	for _, err := range c.FollowMetrics(t.Context(), client.RunID(id.String()), 2) {
		if err == nil || !strings.Contains(err.Error(), `event "1.0"`) {
			t.Errorf("a point that is none: %v", err)
		}
	}
}
