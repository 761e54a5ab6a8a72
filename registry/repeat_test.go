package registry_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
)

func TestRepeatRun(t *testing.T) {
	b, run := running(t)
	if _, _, err := b.RepeatRun(t.Context(), run.ID, "k"); !errors.Is(err, registry.ErrNoRepeat) {
		t.Errorf("repeat of a run under way: %v, want ErrNoRepeat", err)
	}
	must(b.FailRun(t.Context(), run.ID, 1, events.Exception{Type: "ValueError"}, nil))(t)
	again, created, err := b.RepeatRun(t.Context(), run.ID, "k")
	if err != nil || !created || again.ID == run.ID || again.RetryOf != run.ID || again.State != registry.RunRequested {
		t.Fatalf("RepeatRun = %+v, created %v, %v", again, created, err)
	}
	if string(again.Request) != string(run.Request) || again.Dataset != run.Dataset || again.Workflow != run.Workflow {
		t.Errorf("it repeats %s, not %s", again.Request, run.Request)
	}
	if same, created, err := b.RepeatRun(t.Context(), run.ID, "k"); err != nil || created || same.ID != again.ID {
		t.Errorf("the same nonce: %s, created %v, %v", same.ID, created, err)
	}
	if other, _, err := b.RepeatRun(t.Context(), run.ID, "l"); err != nil || other.ID == again.ID || other.RetryOf != run.ID {
		t.Errorf("another nonce: %+v, %v", other, err)
	}
	must(b.CancelRun(t.Context(), again.ID, ""))(t)
	if third, _, err := b.RepeatRun(t.Context(), again.ID, "k"); err != nil || third.RetryOf != again.ID {
		t.Errorf("repeat of a repeat: %+v, %v", third, err)
	}
}

func TestRepeatNothing(t *testing.T) {
	b, run := running(t)
	must(b.CompleteRun(t.Context(), run.ID, 1, made(t, b, run, "model").ID, nil))(t)
	if _, _, err := b.RepeatRun(t.Context(), run.ID, "k"); !errors.Is(err, registry.ErrNoRepeat) {
		t.Errorf("repeat of a complete run: %v, want ErrNoRepeat", err)
	}
	if _, _, err := b.RepeatRun(t.Context(), registry.RunID{1}, "k"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("repeat of no run: %v, want ErrNotFound", err)
	}
}

func TestFence(t *testing.T) {
	free := registry.Run{State: registry.RunRunning, Attempt: 2}
	owned := registry.Run{State: registry.RunComplete, Attempt: 2, Executor: "pod"}
	cancelled := registry.Run{State: registry.RunCancelled, Attempt: 2, Executor: "pod"}
	for name, tc := range map[string]struct {
		run      registry.Run
		attempt  int
		executor string
		ok       bool
	}{
		"nobody's attempt":            {free, 2, "", true},
		"nobody's attempt by a pod":   {free, 2, "pod", true},
		"earlier attempt":             {free, 1, "", false},
		"later attempt":               {free, 3, "", false},
		"its executor, again":         {owned, 2, "pod", true},
		"another executor":            {owned, 2, "pod-2", false},
		"nobody on a claimed attempt": {owned, 2, "", false},
		"cancelled":                   {cancelled, 2, "pod", false},
	} {
		if err := tc.run.Fence(tc.attempt, tc.executor); (err == nil) != tc.ok || err != nil && !errors.Is(err, registry.ErrRunMoved) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRunCursor(t *testing.T) {
	c := registry.RunCursor{Created: time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC), ID: registry.RunID{1, 2, 255}}
	if got, err := registry.ParseRunCursor(c.String()); err != nil || got != c {
		t.Errorf("%s is read as %+v, %v", c, got, err)
	}
	if s := (registry.RunCursor{}).String(); s != "" {
		t.Errorf("the beginning is %q", s)
	}
	far := base64.RawURLEncoding.EncodeToString(append([]byte{127, 255, 255, 255, 255, 255, 255, 255}, make([]byte, 16)...))
	for _, bad := range []string{"", "x", c.String() + "AA", c.String() + "=", " " + c.String(), strings.Repeat("A", 1000), far} {
		if got, err := registry.ParseRunCursor(bad); !errors.Is(err, registry.ErrBadCursor) {
			t.Errorf("%q is read as %+v, %v", bad, got, err)
		}
	}
}

func FuzzParseRunCursor(f *testing.F) {
	f.Add(registry.RunCursor{Created: time.UnixMicro(1), ID: registry.RunID{7}}.String())
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := registry.ParseRunCursor(s); err == nil && c.String() != s {
			t.Errorf("%q is read as %q", s, c)
		}
	})
}

// A name that stands for a dataset is replaced, and every other byte stays: white space, digits, escapes and all.
func TestRequestKeepsItsBytes(t *testing.T) {
	b := newBench(t)
	b.apply(t, workflowYAML)
	d := b.dataset(t, "flights", 0)
	form := `{ "model_name":"fraud", "zeta": 1.50, "html": "<&>", "u": "\u00e9\u2028", "Model_Name": "other",
  "data": {"features": [{"path":"flights@latest"}, {"dataset" : "flights@latest"},{"dataset":"\u0066lights@latest"}], "dataset":"flights@latest"},
	"train":{"workflow_name":"FlightDelay","classifier_features":["a"],"label":"y","custom_params":{"big":9007199254740992,"e":1E+2}} }`
	run, _, err := b.RequestRun(t.Context(), registry.RunRequest{Request: json.RawMessage(form)})
	if err != nil {
		t.Fatal(err)
	}
	id := d.ID.String()
	want := strings.Replace(form, `"dataset" : "flights@latest"`, `"dataset" : "`+id+`"`, 1)
	want = strings.Replace(want, `"\u0066lights@latest"`, `"`+id+`"`, 1)
	if string(run.Request) != want {
		t.Errorf("request = %s\nwant %s", run.Request, want)
	}
	if run.Model != "fraud" {
		t.Errorf("the model is %s: a member that only looks like model_name was read", run.Model)
	}
}
