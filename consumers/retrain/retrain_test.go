package retrain_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/retrain"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/registrytest"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

const specs = `apiVersion: signalbox.dev/v1
kind: Workflow
metadata: {name: delay}
spec: {entrypoint: "delay:Delay", files: {delay.py: {content: "class Delay: pass"}}}
---
apiVersion: signalbox.dev/v1
kind: Model
metadata: {name: delay}
spec:
  owner: ops
  project: demo
  trainer: kelley
  description: Predicts delays
  dataset: flights
  data: {holdout_sampling: {sampling_function: RANDOM}, features: [{path: extra}]}
  train: {workflow_name: delay, classifier_features: [a], label: y, custom_params: {depth: 6}}
  compute_resource: GPU
  evaluation: {tag: production, metric: auc}
---
apiVersion: signalbox.dev/v1
kind: Model
metadata: {name: cancellation}
spec:
  owner: ops
  project: demo
  dataset: flights
  train: {workflow_name: delay, classifier_features: [a], label: z}
  evaluation: {tag: production, metric: auc}
---
apiVersion: signalbox.dev/v1
kind: Model
metadata: {name: other}
spec:
  owner: ops
  project: demo
  dataset: trains
  train: {workflow_name: delay, classifier_features: [a], label: z}
  evaluation: {tag: production, metric: auc}
`

type noSigner struct{}

func (noSigner) SignGet(context.Context, string, time.Duration) (bucket.Signed, error) {
	return bucket.Signed{}, errors.ErrUnsupported
}

func (noSigner) SignPut(context.Context, string, [32]byte, int64, time.Duration) (bucket.Signed, error) {
	return bucket.Signed{}, errors.ErrUnsupported
}

// bench is a registry with the declared models, and a handler over it.
type bench struct {
	*registry.Registry
	catalog *registrytest.Memory
	handler *retrain.Handler
}

func newBench(t *testing.T) bench {
	t.Helper()
	c := registrytest.NewMemory()
	r, err := registry.New(registry.Config{Catalog: c, Store: cas.NewStore(membucket.New()), Signer: noSigner{}})
	if err != nil {
		t.Fatal(err)
	}
	docs, err := spec.Parse([]byte(specs))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Apply(t.Context(), docs, false); err != nil {
		t.Fatal(err)
	}
	h, err := retrain.New(retrain.Config{Registry: r})
	if err != nil {
		t.Fatal(err)
	}
	return bench{r, c, h}
}

// ready publishes a dataset and returns its event, as the outbox has it.
func (b bench) ready(t *testing.T, name string, hour int) events.Event {
	t.Helper()
	start := time.Date(2026, 1, 1, hour, 0, 0, 0, time.UTC)
	sum := cas.Sum([]byte(name + start.String()))
	_, _, err := b.PublishDataset(t.Context(), manifest.Dataset{
		Name: name, Plan: sum, Spec: sum, Compiler: "test/1", Start: start, End: start.Add(time.Hour), Watermark: start, Rows: 1,
		Columns: []manifest.Column{{Name: "y", Type: manifest.Number}}, Label: "y",
		Parts: []manifest.Part{{Key: "part", Digest: sum, Bytes: 1, Rows: 1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	evs, err := b.catalog.PendingEvents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return evs[len(evs)-1]
}

func (b bench) runs(t *testing.T) []registry.Run {
	t.Helper()
	runs, err := b.Runs(t.Context(), registry.RunFilter{})
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

func TestHandle(t *testing.T) {
	b := newBench(t)
	ev := b.ready(t, "flights", 0)
	if err := b.handler.Handle(t.Context(), ev); err != nil {
		t.Fatal(err)
	}
	runs := b.runs(t)
	i := slices.IndexFunc(runs, func(r registry.Run) bool { return r.Model == "delay" })
	if len(runs) != 2 || i < 0 {
		t.Fatalf("runs = %+v, want one of each model on the dataset", runs)
	}
	want := `{"model_description":"Predicts delays","model_name":"delay","owner":"ops","project":"demo","trainer":"kelley",` +
		`"data":{"features":[{"dataset":"` + runs[i].Dataset.String() + `"},{"path":"extra"}],"holdout_sampling":{"sampling_function":"RANDOM"}},` +
		`"train":{"classifier_features":["a"],"custom_params":{"depth":6},"label":"y","workflow_name":"delay"},"compute_resource":"GPU"}`
	if string(runs[i].Request) != want {
		t.Errorf("request =\n%s\nwant\n%s", runs[i].Request, want)
	}
}

// Each event comes ten times, in any order and several at once: one run per model and dataset.
func TestRepeatsAndDisorder(t *testing.T) {
	b := newBench(t)
	var deliveries []events.Event
	for hour := range 4 {
		for _, name := range []string{"flights", "trains", "nobodys"} {
			deliveries = append(deliveries, slices.Repeat([]events.Event{b.ready(t, name, hour)}, 10)...)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	rng.Shuffle(len(deliveries), func(i, j int) { deliveries[i], deliveries[j] = deliveries[j], deliveries[i] })
	var wg sync.WaitGroup
	for part := range slices.Chunk(deliveries, len(deliveries)/4) {
		wg.Go(func() {
			for _, ev := range part {
				if err := b.handler.Handle(t.Context(), ev); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	seen := map[string]int{}
	for _, r := range b.runs(t) {
		seen[string(r.Model)+" on "+r.Dataset.String()]++
	}
	if len(seen) != 4*3 || len(b.runs(t)) != 4*3 {
		t.Errorf("%d runs for %d pairs of model and dataset, want 12 of each", len(b.runs(t)), len(seen))
	}
	requested := 0
	evs, err := b.catalog.PendingEvents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, ev := range evs {
		if ev.Type() == events.TypeRunRequested {
			requested++
		}
	}
	if requested != 12 {
		t.Errorf("%d run.requested events, want 12", requested)
	}
}

func TestMalformed(t *testing.T) {
	b := newBench(t)
	for name, change := range map[string]func(*events.DatasetReady){
		"no digest":  func(d *events.DatasetReady) { d.Dataset = "" },
		"hex digest": func(d *events.DatasetReady) { d.Dataset = strings.Repeat("0", 64) },
		"no name":    func(d *events.DatasetReady) { d.Name = "" },
	} {
		var d events.DatasetReady
		ev := b.ready(t, "flights", 0)
		if err := ev.DataAs(&d); err != nil {
			t.Fatal(err)
		}
		change(&d)
		if err := ev.SetData("application/json", d); err != nil {
			t.Fatal(err)
		}
		if err := b.handler.Handle(t.Context(), ev); events.PermanentReason(err) != "malformed" {
			t.Errorf("%s: %v, want it permanent as malformed", name, err)
		}
	}
	ev := b.ready(t, "flights", 0)
	ev.DataEncoded = []byte("{")
	if err := b.handler.Handle(t.Context(), ev); events.PermanentReason(err) != "malformed" {
		t.Errorf("no JSON: %v, want it permanent as malformed", err)
	}
	ev = b.ready(t, "flights", 0)
	ev.SetType("dev.signalbox.dataset.retired")
	if err := b.handler.Handle(t.Context(), ev); err != nil || len(b.runs(t)) != 0 {
		t.Errorf("another type: %v and %d runs", err, len(b.runs(t)))
	}
}

// A dataset that nobody registered cannot be trained on, however often it is announced.
func TestUnknownDataset(t *testing.T) {
	b := newBench(t)
	ev, err := events.New(events.TypeDatasetReady, "/other", "flights", "", time.Now(),
		events.DatasetReady{Name: "flights", Dataset: cas.Sum(nil).String()})
	if err != nil {
		t.Fatal(err)
	}
	err = b.handler.Handle(t.Context(), ev)
	if events.PermanentReason(err) != "unrunnable_model" || !strings.Contains(err.Error(), "model delay") || !strings.Contains(err.Error(), "model cancellation") {
		t.Errorf("%v, want it permanent with both models", err)
	}
}

// flaky fails for one model, for good or for now.
type flaky struct {
	retrain.Registry
	model string
	err   error
}

func (f flaky) RequestRun(ctx context.Context, q registry.RunRequest) (registry.Run, bool, error) {
	var r registry.TrainRequest
	if err := json.Unmarshal(q.Request, &r); err != nil {
		return registry.Run{}, false, err
	}
	if r.ModelName == f.model {
		return registry.Run{}, false, f.err
	}
	return f.Registry.RequestRun(ctx, q)
}

func TestOneModelFails(t *testing.T) {
	for name, tc := range map[string]struct {
		err    error
		reason string
	}{
		"for now":  {errors.New("connection refused"), ""},
		"for good": {registry.ErrInvalid, "unrunnable_model"},
	} {
		b := newBench(t)
		h, err := retrain.New(retrain.Config{Registry: flaky{b.Registry, "cancellation", tc.err}})
		if err != nil {
			t.Fatal(err)
		}
		err = h.Handle(t.Context(), b.ready(t, "flights", 0))
		if err == nil || events.PermanentReason(err) != tc.reason || !errors.Is(err, tc.err) {
			t.Errorf("%s: %v with reason %q, want %q", name, err, events.PermanentReason(err), tc.reason)
		}
		if runs := b.runs(t); len(runs) != 1 || runs[0].Model != "delay" {
			t.Errorf("%s: runs = %+v, want the other model's", name, runs)
		}
	}
	if _, err := retrain.New(retrain.Config{}); err == nil {
		t.Error("a handler without registry is made")
	}
}
