package registry_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// request is a training request on one dataset. Every change is a pair of old and new text.
func request(ref string, changes ...string) registry.RunRequest {
	text := `{"model_name": "flight-delay", "owner": "ops", "project": "demo", "trainer": "kelley",
 "data": {"features": [{"names": ["delay"], "dataset": "` + ref + `"}], "holdout_sampling": {"sampling_function": "RANDOM"}},
 "train": {"workflow_name": "FlightDelay", "classifier_features": ["delay"], "label": "late", "custom_params": {"eta": 0.10}}}`
	return registry.RunRequest{Request: json.RawMessage(strings.NewReplacer(changes...).Replace(text))}
}

func TestRequestRun(t *testing.T) {
	b := newBench(t)
	b.apply(t, workflowYAML)
	d := b.dataset(t, "flights", 0)
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	ctx := trace.ContextWithSpanContext(t.Context(), sc)
	q := request(d.ID.String())
	run, created, err := b.RequestRun(ctx, q)
	if err != nil || !created {
		t.Fatalf("RequestRun = %v, %v", created, err)
	}
	if run.Model != "flight-delay" || run.Dataset != d.ID || run.State != registry.RunRequested || run.Attempt != 0 ||
		string(run.Request) != string(q.Request) || run.Cause == "" {
		t.Errorf("run = %+v", run)
	}
	ev := last[events.RunChanged](t, b, events.TypeRunRequested)
	if ev.RunID != run.ID.String() || ev.RunKey != run.Key.String() || ev.Dataset != d.ID.String() || ev.State != "requested" {
		t.Errorf("event = %+v", ev)
	}
	evs := b.events(t)
	link, ok := events.TraceLink(evs[len(evs)-1])
	if !ok || link.SpanContext.TraceID() != sc.TraceID() || evs[len(evs)-1].ID() != run.ID.String() {
		t.Errorf("event %s is linked to %+v", evs[len(evs)-1].ID(), link.SpanContext)
	}
	// The job finds its code by the digest, whatever is applied later.
	b.apply(t, strings.Replace(workflowYAML, "pass", "x = 1", 1))
	w, err := b.Workflow(t.Context(), run.Workflow)
	if err != nil || w.Files["delay.py"].Content != "class FlightDelay: pass\n" {
		t.Errorf("workflow = %+v, %v", w, err)
	}
}

// One dataset gives one run per model and content, however it is asked for.
func TestRunKey(t *testing.T) {
	b := newBench(t)
	b.apply(t, workflowYAML)
	d, e := b.dataset(t, "flights", 0), b.dataset(t, "flights", 1)
	ref := d.ID.String()
	first, _, err := b.RequestRun(t.Context(), request(ref))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		q    registry.RunRequest
		same bool
	}{
		"the same":                           {request(ref), true},
		"other white space":                  {request(ref, "\n", "  "), true},
		"other number format":                {request(ref, "0.10", "1e-1"), true},
		"another trainer":                    {request(ref, "kelley", "rob"), true},
		"another description":                {request(ref, `"owner"`, `"model_description": "d", "owner"`), true},
		"other hardware":                     {request(ref, `"owner"`, `"compute_resource": "GPU", "owner"`), true},
		"another workflow name for the same": {request(ref, "FlightDelay", "flight-delay"), false}, // part of what the workflow sees
		"another model":                      {request(ref, `"model_name": "flight-delay"`, `"model_name": "other"`), false},
		"another dataset":                    {request(e.ID.String()), false},
		"the newest dataset":                 {request("flights@latest"), false},
		"another parameter":                  {request(ref, "0.10", "0.11"), false},
		"other sampling":                     {request(ref, "RANDOM", "HASH"), false},
		"a member of its own":                {request(ref, `"owner"`, `"seed": 7, "owner"`), false},
		"a nonce":                            {registry.RunRequest{Request: request(ref).Request, Nonce: "n"}, false},
	} {
		run, created, err := b.RequestRun(t.Context(), tc.q)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if (run.ID == first.ID) != tc.same {
			t.Errorf("%s: run %s created %v, the first is %s", name, run.ID, created, first.ID)
		}
	}
	// New code is another run on the same dataset.
	b.apply(t, strings.Replace(workflowYAML, "pass", "x = 1", 1))
	if run, _, err := b.RequestRun(t.Context(), request(ref)); err != nil || run.ID == first.ID {
		t.Errorf("with other code: run %s, %v", run.ID, err)
	}
}

func TestRequestRunNonce(t *testing.T) {
	b := newBench(t)
	b.apply(t, workflowYAML)
	d := b.dataset(t, "flights", 0)
	ask := func(nonce string) (registry.Run, bool) {
		q := request("flights@latest")
		q.Nonce = nonce
		run, created, err := b.RequestRun(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return run, created
	}
	one, created := ask("one")
	if !created || one.Dataset != d.ID || !strings.Contains(string(one.Request), d.ID.String()) || strings.Contains(string(one.Request), "@latest") {
		t.Errorf("run on %s created %v, request %s", one.Dataset, created, one.Request)
	}
	two, created := ask("two")
	if !created || two.ID == one.ID {
		t.Error("another nonce gives the same run")
	}
	// A client that tries again gets its run, though @latest is another dataset by now.
	b.dataset(t, "flights", 1)
	if again, created := ask("one"); created || again.ID != one.ID || again.Dataset != d.ID {
		t.Errorf("the same nonce gives run %s on %s, created %v", again.ID, again.Dataset, created)
	}
}

func TestRequestRunRefused(t *testing.T) {
	b := newBench(t)
	b.apply(t, workflowYAML)
	ref := b.dataset(t, "flights", 0).ID.String()
	for name, tc := range map[string]struct {
		q    registry.RunRequest
		want string
	}{
		"no JSON":           {registry.RunRequest{Request: json.RawMessage("{")}, "JSON"},
		"nothing":           {registry.RunRequest{}, "JSON"},
		"member twice":      {request(ref, `"owner"`, `"owner":"x","owner"`), "Duplicate"},
		"wrong type":        {request(ref, `"flight-delay"`, `7`), "training request"},
		"bad name":          {request(ref, `"flight-delay"`, `"Flight Delay"`), "/model_name"},
		"no workflow":       {request(ref, "FlightDelay", "Nobody"), "/train/workflow_name"},
		"label as feature":  {request(ref, `["delay"], "label"`, `["late"], "label"`), "/train/classifier_features/0"},
		"unknown dataset":   {request(cas.Sum(nil).String()), "/data/features/0/dataset"},
		"unknown name":      {request("nobody@latest"), "/data/features/0/dataset"},
		"bad dataset name":  {request("No Body@latest"), "/data/features/0/dataset"},
		"name without tail": {request("flights"), "/data/features/0/dataset"},
		"features no list":  {request(ref, `"features": [`, `"features": 7, "x": [`), "/data/features"},
		"data no object":    {request(ref, `"data": {`, `"data": 7, "x": {`), "/data"},
		"too large":         {request(ref, "ops", strings.Repeat("x", registry.MaxRequest)), "at most"},
	} {
		_, _, err := b.RequestRun(t.Context(), tc.q)
		wantInvalid(t, name, err, tc.want)
	}
	if runs := must(b.Runs(t.Context(), registry.RunFilter{}))(t); len(runs) != 0 {
		t.Errorf("%d runs of refused requests", len(runs))
	}
}

func TestFindWorkflow(t *testing.T) {
	b := newBench(t)
	b.apply(t, workflowYAML)
	b.apply(t, strings.NewReplacer("name: flight-delay", "name: flight-delay-2", "pass", "y").Replace(workflowYAML))
	if s, w, err := b.FindWorkflow(t.Context(), "flight-delay"); err != nil || s.Name != "flight-delay" || w.Class() != "FlightDelay" {
		t.Errorf("by name: %s, %v", s.Name, err)
	}
	_, _, err := b.FindWorkflow(t.Context(), "FlightDelay")
	wantInvalid(t, "by the class of two", err, "2 workflows")
	if _, _, err := b.FindWorkflow(t.Context(), "Nobody"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("unknown: %v, want ErrNotFound", err)
	}
	if _, err := b.Spec(t.Context(), spec.KindWorkflow, "flight-delay"); err != nil {
		t.Error(err)
	}
}
