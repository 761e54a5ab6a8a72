package client_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/services/client"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

func TestTrainWaitPredict(t *testing.T) {
	w, ctx := start(t), t.Context()
	w.trains()
	c := w.client()
	asked, err := c.Train(ctx, wanted())
	if err != nil || asked.ID == "" || asked.Model != "flight-delay" {
		t.Fatalf("train: %+v, %v", asked, err)
	}
	run, err := c.Wait(ctx, asked.ID)
	if err != nil || run.State != client.Complete || run.Package.IsZero() || len(run.History) != 4 || run.ComputeClass != "CPU" {
		t.Fatalf("wait: %+v, %v", run, err)
	}
	var back client.TrainRequest
	if err := back.UnmarshalJSON(run.Request); err != nil || back.Owner != "tests" || !strings.HasPrefix(back.Data.Features[0].Dataset, "sha256.") {
		t.Errorf("request of the run: %+v, %v", back, err)
	}

	status, err := c.Status(ctx, run.ID)
	if err != nil || status.State != client.Complete || status.Transition.At.IsZero() || status.Attempt != 1 {
		t.Errorf("status: %+v, %v", status, err)
	}
	result, err := c.Result(ctx, run.ID)
	if err != nil || result.Result == nil || result.Result.Package != run.Package || result.Exception != nil || result.Status.Workflow != run.Workflow {
		t.Errorf("result: %+v, %v", result, err)
	}
	m, err := c.Metrics(ctx, run.ID, 0)
	if err != nil || len(m.Series["auc"]) != 1 || m.Series["auc"][0].Value != 0.5 || *m.Series["auc"][0].Step != 1 || m.Process.PeakMemory != 99 || string(m.Own["note"]) != `"fine"` {
		t.Errorf("metrics: %+v, %v", m, err)
	}

	p, err := c.Predict(ctx, client.PredictRequest{Model: "flight-delay", Rows: []client.Row{{"delay": 20}}, MinGeneration: 1, Strict: true, Key: "me"})
	if err != nil || p.Predictions[0]["late"] != late || p.Package != run.Package || p.Generation != 1 || len(p.IDs) != 1 {
		t.Errorf("predict: %+v, %v", p, err)
	}
	p, err = c.PredictPackage(ctx, "flight-delay", run.Package, []client.Row{{"delay": 20}, {"delay": 20}}, true)
	if err != nil || len(p.Predictions) != 2 || p.Generation != 0 {
		t.Errorf("predict with the package: %+v, %v", p, err)
	}
	tag, err := c.Tag(ctx, "flight-delay", "production")
	if err != nil || tag.Arms[0].Package != run.Package || tag.Generation != 1 || tag.Name != "flight-delay/production" {
		t.Errorf("tag: %+v, %v", tag, err)
	}
	tags, err := c.Tags(ctx)
	history, herr := c.TagHistory(ctx, "flight-delay", "production")
	packages, perr := c.Packages(ctx, "flight-delay", 5)
	if err = errors.Join(err, herr, perr); err != nil || len(tags) != 1 || len(history) != 1 || len(packages) != 1 || packages[0].ID != run.Package {
		t.Errorf("tags %+v, history %+v, packages %+v, %v", tags, history, packages, err)
	}
}

// However often the answer is lost, one run is asked for.
func TestOneRunForOneCall(t *testing.T) {
	w, ctx := start(t), t.Context()
	w.wire.next(step{"POST", "/train", lose}, step{"POST", "/train", refuse}, step{"POST", "/train", answer(503, "busy", "Retry-After", "0")})
	c := w.client()
	run, err := c.Train(ctx, wanted())
	if err != nil || w.wire.left() != 0 {
		t.Fatalf("%v; %d faults did not happen", err, w.wire.left())
	}
	keys := map[string]bool{}
	for _, r := range w.wire.requests("POST", "/train") {
		keys[r.Header.Get("Idempotency-Key")] = true
	}
	if runs := collect(t, c, client.RunFilter{}); len(runs) != 1 || runs[0].ID != run.ID || len(keys) != 1 || keys[""] {
		t.Errorf("%d runs with keys %v", len(runs), keys)
	}
	again, err := c.Train(ctx, wanted())
	if err != nil || again.ID == run.ID {
		t.Errorf("another call gave the run %s, %v", again.ID, err)
	}
	named := wanted()
	named.Key = "nightly"
	one, err := c.Train(ctx, named)
	two, err2 := c.Train(ctx, named)
	if err = errors.Join(err, err2); err != nil || one.ID != two.ID {
		t.Errorf("one key, two runs: %s and %s, %v", one.ID, two.ID, err)
	}
}

func collect(t *testing.T, c *client.Client, f client.RunFilter) []client.Run {
	t.Helper()
	var out []client.Run
	for run, err := range c.Runs(t.Context(), f) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, run)
	}
	return out
}

func TestRunsGoesThroughPages(t *testing.T) {
	w, ctx := start(t), t.Context()
	c := w.client()
	var ids []client.RunID
	for range 5 {
		run, err := c.Train(ctx, wanted())
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, run.ID)
	}
	if _, err := c.Cancel(ctx, ids[0]); err != nil {
		t.Fatal(err)
	}
	w.wire.next(step{"GET", "/v1/runs", refuse})
	all := collect(t, c, client.RunFilter{Page: 2, Owner: "tests", Workflow: "delay", Model: "flight-delay"})
	if len(all) != 5 || all[0].ID != ids[4] || all[4].ID != ids[0] || len(w.wire.requests("GET", "/v1/runs")) != 4 {
		t.Errorf("%d runs over %d requests", len(all), len(w.wire.requests("GET", "/v1/runs")))
	}
	if got := collect(t, c, client.RunFilter{States: []client.State{client.Cancelled, client.Failed}}); len(got) != 1 || got[0].ID != ids[0] {
		t.Errorf("by state: %d", len(got))
	}
	if got := collect(t, c, client.RunFilter{Until: all[1].Created, Since: all[3].Created}); len(got) != 2 {
		t.Errorf("by time: %d", len(got))
	}
	if got := collect(t, c, client.RunFilter{Dataset: all[0].Dataset}); len(got) != 5 {
		t.Errorf("by dataset: %d", len(got))
	}
	for range c.Runs(ctx, client.RunFilter{Page: 1}) {
		break // no more pages than are looked at
	}
	if n := len(w.wire.requests("GET", "/v1/runs")); n != 8 {
		t.Errorf("%d requests, want 8", n)
	}
	for _, err := range c.Runs(ctx, client.RunFilter{Model: "No Name"}) {
		if !errors.Is(err, client.ErrInvalid) {
			t.Errorf("a filter that is wrong: %v", err)
		}
	}
}

func TestEndsOfRuns(t *testing.T) {
	w, ctx := start(t), t.Context()
	c := w.client()
	run, err := c.Train(ctx, wanted())
	if err != nil {
		t.Fatal(err)
	}
	id, err := registry.ParseRunID(string(run.ID))
	if err = errors.Join(err, w.begin(id, 1), w.fail(id, 1)); err != nil {
		t.Fatal(err)
	}
	var ended *client.RunError
	if _, err := c.Wait(ctx, run.ID); !errors.As(err, &ended) || ended.Run.Exception.Step != "fetch" || !strings.HasSuffix(err.Error(), "is failed: ValueError: no rows (step fetch)") {
		t.Errorf("wait for one that failed: %v", err)
	}
	if r, err := c.Result(ctx, run.ID); err != nil || r.Result != nil || r.Exception.Type != "ValueError" {
		t.Errorf("result: %+v, %v", r, err)
	}
	if _, err := c.Cancel(ctx, run.ID); !errors.Is(err, client.ErrConflict) {
		t.Errorf("cancel of one that failed: %v", err)
	}
	w.wire.next(step{"POST", ":retry", lose})
	second, err := c.Retry(ctx, run.ID, "")
	if err != nil || second.RetryOf != run.ID || second.ID == run.ID || len(collect(t, c, client.RunFilter{})) != 2 {
		t.Errorf("retry: %+v, %v", second, err)
	}
	if _, err := c.Retry(ctx, second.ID, ""); !errors.Is(err, client.ErrConflict) {
		t.Errorf("retry of one that is not over: %v", err)
	}
	if _, err := c.Cancel(ctx, second.ID); err != nil {
		t.Error(err)
	}
	if _, err := c.Wait(ctx, second.ID); !errors.As(err, &ended) || !strings.Contains(err.Error(), "is cancelled: cancelled by a admin") {
		t.Errorf("wait for one that was cancelled: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	w, ctx := start(t), t.Context()
	c := w.client()
	bad := wanted()
	bad.ModelName, bad.Train.Label = "No Name", "lat"
	_, err := c.Train(ctx, bad)
	var p *client.Problem
	if !errors.As(err, &p) || !errors.Is(err, client.ErrInvalid) || p.Code != "invalid" || len(p.Errors) != 2 || p.RequestID == "" {
		t.Fatalf("a request with two faults: %v", err)
	}
	if text := err.Error(); !strings.Contains(text, "/model_name") || !strings.Contains(text, "/train/label") || !strings.Contains(text, p.RequestID) {
		t.Errorf("the error does not name both: %s", text)
	}
	if _, err := c.Run(ctx, "9081e64f-b2c0-455e-bcaa-c1c211fa124b"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("a run that is not there: %v", err)
	}
	viewer := w.client(func(cfg *client.Config) { cfg.Token = w.tokens[auth.Viewer] })
	if _, err := viewer.Train(ctx, wanted()); !errors.Is(err, client.ErrDenied) {
		t.Errorf("train as a viewer: %v", err)
	}
	none := w.client(func(cfg *client.Config) { cfg.Token = "" })
	if _, err := none.Tags(ctx); !errors.Is(err, client.ErrDenied) {
		t.Errorf("without a token: %v", err)
	}
	if _, err := c.Predict(ctx, client.PredictRequest{Model: "flight-delay"}); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("predict by a tag that is not there: %v", err)
	}
	lame := w.client(func(cfg *client.Config) { cfg.PredictURL = "" })
	if _, err := lame.Predict(ctx, client.PredictRequest{Model: "flight-delay"}); err == nil || !strings.Contains(err.Error(), "PredictURL") {
		t.Errorf("predict without an address: %v", err)
	}
	if n := len(w.wire.requests(http.MethodPost, "/train")); n != 2 {
		t.Errorf("what was refused was repeated: %d requests", n)
	}
}
