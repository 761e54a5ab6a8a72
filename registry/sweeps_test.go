package registry_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
)

const searchJSON = `{"metric":"auc","goal":"maximize","algorithm":"random","seed":1,"trials":3,"parallel":2,"parameters":{
  "num_leaves":{"type":"integer","min":8,"max":256,"scale":"log"},"boosting":{"type":"choice","values":["gbdt","dart"]}}}`

// swept is a bench with a sweep.
func swept(t *testing.T) (bench, registry.Sweep) {
	t.Helper()
	b := newBench(t)
	b.apply(t, workflowYAML)
	b.dataset(t, "flights", 0)
	q := registry.SweepRequest{Request: request("flights@latest").Request, Search: json.RawMessage(searchJSON), Nonce: "n"}
	s, created, err := b.StartSweep(t.Context(), q)
	if err != nil || !created {
		t.Fatalf("StartSweep: created %v, %v", created, err)
	}
	return b, s
}

// completed takes a run of whatever kind to its end.
func completed(t *testing.T, b bench, run registry.Run) registry.Run {
	t.Helper()
	must(b.QueueRun(t.Context(), run.ID, "CPU"))(t)
	p := made(t, b, run, run.ID.String())
	return must(b.CompleteRun(t.Context(), run.ID, 1, p.ID, nil))(t)
}

func trialOf(t *testing.T, b bench, s registry.Sweep, n int) registry.Run {
	t.Helper()
	run, _, err := b.RequestTrial(t.Context(), s, n)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func TestStartSweep(t *testing.T) {
	b, s := swept(t)
	d := must(b.Datasets(t.Context(), registry.DatasetFilter{}))(t)[0]
	if s.State != registry.SweepRunning || s.Dataset != d.ID || s.Workflow.IsZero() || !strings.Contains(string(s.Request), d.ID.String()) {
		t.Errorf("sweep %+v", s)
	}
	if ev := last[events.SweepChanged](t, b, events.TypeSweepStarted); ev.SweepID != s.ID.String() || ev.Model != "flight-delay" || ev.State != "running" {
		t.Errorf("event %+v", ev)
	}
	// The same nonce is the same sweep, whatever else it comes with.
	again, created, err := b.StartSweep(t.Context(), registry.SweepRequest{Nonce: "n"})
	if err != nil || created || again.ID != s.ID {
		t.Errorf("repeat: %s created %v, %v", again.ID, created, err)
	}
	_, _, err = b.StartSweep(t.Context(), registry.SweepRequest{Request: json.RawMessage(`{"model_name":"m","train":{}}`), Search: json.RawMessage(`{}`), Nonce: "o"})
	wantInvalid(t, "bad request and search", err, "/request/train/workflow_name")
	wantInvalid(t, "bad request and search", err, "/search/metric")
}

// A trial is what the sweep was when it started, and the same whenever it is asked for.
func TestRequestTrial(t *testing.T) {
	b, s := swept(t)
	first := trialOf(t, b, s, 1)
	b.apply(t, strings.Replace(workflowYAML, "pass", "x = 1", 1))
	b.dataset(t, "flights", 1)
	second, same := trialOf(t, b, s, 2), trialOf(t, b, s, 1)
	if same.ID != first.ID || second.ID == first.ID || second.Workflow != first.Workflow || second.Dataset != first.Dataset ||
		second.Sweep != s.ID || second.Trial != 2 || second.State != registry.RunRequested {
		t.Errorf("trials %+v and %+v", first, second)
	}
	params := must(s.Search.Params(second.Request))(t)
	for name, want := range s.Search.Draw(2) {
		if string(params[name]) != string(want) {
			t.Errorf("%s is %s in the request, drawn as %s", name, params[name], want)
		}
	}
	var before, after map[string]any
	if err := errors.Join(json.Unmarshal(s.Request, &before), json.Unmarshal(second.Request, &after)); err != nil {
		t.Fatal(err)
	}
	for name := range before {
		if name != "train" && string(must(json.Marshal(before[name]))(t)) != string(must(json.Marshal(after[name]))(t)) {
			t.Errorf("%s of the request has changed", name)
		}
	}
	if n := len(b.events(t)); n != 5 { // two datasets, the sweep, two runs
		t.Errorf("%d events: %q", n, b.outbox(t))
	}
}

// Nobody hears of a trial's package but of the best one's, once, and with the event of a run of its own.
func TestCompleteSweepAnnouncesTheBest(t *testing.T) {
	b, s := swept(t)
	completed(t, b, trialOf(t, b, s, 1))
	best := completed(t, b, trialOf(t, b, s, 2))
	for _, line := range b.outbox(t) {
		if strings.HasPrefix(line, "package.published") {
			t.Errorf("announced before the end: %s", line)
		}
	}
	own := completed(t, b, must(b.Registry.Run(t.Context(), runOf(t, b, s)))(t))
	if _, err := b.CompleteSweep(t.Context(), s.ID, own.ID, ""); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("a run of its own as the best trial: %v", err)
	}
	if _, err := b.CompleteSweep(t.Context(), s.ID, trialOf(t, b, s, 3).ID, ""); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("a trial that is not complete: %v", err)
	}
	for range 2 { // the first answer was lost
		done, err := b.CompleteSweep(t.Context(), s.ID, best.ID, "3 trials")
		if err != nil || done.State != registry.SweepComplete || done.Best != best.ID {
			t.Fatalf("CompleteSweep = %+v, %v", done, err)
		}
	}
	ev := last[events.SweepChanged](t, b, events.TypeSweepEnded)
	if ev.Best != best.ID.String() || ev.Package != best.Package.String() || ev.State != "complete" || ev.Reason != "3 trials" {
		t.Errorf("event %+v", ev)
	}
	var announced []string
	for _, line := range b.outbox(t) {
		if strings.HasPrefix(line, "package.published") {
			announced = append(announced, line)
		}
	}
	if want := []string{"package.published " + own.ID.String() + "/published", "package.published " + best.ID.String() + "/published"}; strings.Join(announced, ",") != strings.Join(want, ",") {
		t.Errorf("announced %q, want %q", announced, want)
	}
	if _, err := b.CancelSweep(t.Context(), s.ID, "late"); !errors.Is(err, registry.ErrSweepMoved) {
		t.Errorf("cancel of a complete sweep: %v", err)
	}
}

// runOf requests a run with the sweep's request.
func runOf(t *testing.T, b bench, s registry.Sweep) registry.RunID {
	t.Helper()
	run, _, err := b.RequestRun(t.Context(), registry.RunRequest{Request: s.Request})
	if err != nil || !run.Sweep.IsZero() {
		t.Fatalf("run of sweep %s, %v", run.Sweep, err)
	}
	return run.ID
}

// A trial that is run again is a run of its own.
func TestRepeatOfATrial(t *testing.T) {
	b, s := swept(t)
	trial := trialOf(t, b, s, 1)
	must(b.CancelRun(t.Context(), trial.ID, "by hand"))(t)
	again, created, err := b.RepeatRun(t.Context(), trial.ID, "k")
	if err != nil || !created || !again.Sweep.IsZero() || again.Trial != 0 || string(again.Request) != string(trial.Request) {
		t.Errorf("repeat %+v, %v", again, err)
	}
}

func TestEndSweep(t *testing.T) {
	b, s := swept(t)
	if done, err := b.FailSweep(t.Context(), s.ID, "no trial is complete"); err != nil || done.State != registry.SweepFailed {
		t.Errorf("FailSweep = %s, %v", done.State, err)
	}
	if _, err := b.CompleteSweep(t.Context(), s.ID, completed(t, b, trialOf(t, b, s, 1)).ID, ""); !errors.Is(err, registry.ErrSweepMoved) {
		t.Errorf("complete after failed: %v", err)
	}
	if _, err := b.CancelSweep(t.Context(), registry.SweepID{1}, ""); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("unknown sweep: %v", err)
	}
}
