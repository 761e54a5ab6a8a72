package tune_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/consumers/train/backendtest"
	"github.com/signalbox-ml/signalbox/consumers/tune"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/buckettest"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/registrytest"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

type signer struct{}

func (signer) SignGet(_ context.Context, key string, _ time.Duration) (bucket.Signed, error) {
	return bucket.Signed{Method: "GET", URL: "signed:" + key}, nil
}

func (signer) SignPut(_ context.Context, key string, _ [32]byte, _ int64, _ time.Duration) (bucket.Signed, error) {
	return bucket.Signed{Method: "PUT", URL: "signed:" + key}, nil
}

type tokens struct{}

func (tokens) Mint(registry.RunID, int) (string, error) { return "token", nil }

// params are what the jobs of the tests are told.
type params struct {
	X     float64 `json:"x"`
	Steps int     `json:"steps"` // a second each
	Kept  string  `json:"kept"`
}

// quality is best, 1, at x = 0.7.
func (p params) quality() float64 { return 1 - math.Abs(p.X-0.7) }

// after is the figure at a step: jobs differ early on, and get better.
func (p params) after(step int) float64 { return p.quality() * (1 - math.Exp(-float64(step)/20)) }

// job is one job of the world.
type job struct {
	w *world
	params
	run     registry.RunID
	attempt int
}

// behaviour is what a job does; its error is a failure that no retry mends.
type behaviour func(ctx context.Context, j job) error

// world is a worker with a machine that trains, and jobs that are goroutines.
type world struct {
	t       *testing.T
	reg     *registry.Registry
	catalog *registrytest.Memory
	bucket  *buckettest.Faulty
	dataset registry.Dataset

	mu    sync.Mutex
	steps int // of all jobs
	busy  int
	most  int // at once
}

// newWorld must be called inside a bubble.
func newWorld(t *testing.T, do behaviour) *world {
	t.Helper()
	w := &world{t: t, catalog: registrytest.NewMemory(), bucket: buckettest.NewFaulty(membucket.New())}
	reg, err := registry.New(registry.Config{Catalog: w.catalog, Store: cas.NewStore(w.bucket), Signer: signer{}})
	if err != nil {
		t.Fatal(err)
	}
	w.reg = reg
	w.apply("class FlightDelay: pass\n")
	start, sum := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), cas.Sum([]byte("part"))
	w.dataset, _, err = reg.PublishDataset(t.Context(), manifest.Dataset{
		Name: "flights", Plan: sum, Spec: sum, Compiler: "test/1", Start: start, End: start.Add(time.Hour), Watermark: start.Add(time.Hour),
		Rows: 2, Columns: []manifest.Column{{Name: "delay", Type: manifest.Number}, {Name: "late", Type: manifest.Boolean}}, Label: "late",
		Parts: []manifest.Part{{Key: "datasets/flights/p/part-0.parquet", Digest: sum, Bytes: 10, Rows: 2}},
	})
	if err != nil {
		t.Fatal(err)
	}
	backend := backendtest.NewMemory(func(ctx context.Context, j train.Job, out io.Writer) int { return w.execute(ctx, j, out, do) })
	t.Cleanup(backend.Close)
	m, err := train.New(train.Config{
		Runs: reg, Inputs: reg, Classes: []train.Class{{Name: "CPU", Backend: backend}}, Bucket: w.bucket, Signer: signer{}, Tokens: tokens{},
		API: "http://control.test", BucketName: "signalbox", MaxParallel: 100, Poll: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.work(m.Run)
	return w
}

// apply declares the workflow with this source.
func (w *world) apply(source string) {
	w.t.Helper()
	body, err := json.Marshal(spec.Workflow{Entrypoint: "delay:FlightDelay", Files: map[string]spec.WorkflowFile{"delay.py": {Content: source}}})
	if err != nil {
		w.t.Fatal(err)
	}
	doc := spec.Document{APIVersion: spec.APIVersion, Kind: spec.KindWorkflow, Metadata: spec.Metadata{Name: "flight-delay"}, Spec: body}
	if _, err := w.reg.Apply(w.t.Context(), []spec.Document{doc}, false); err != nil {
		w.t.Fatal(err)
	}
}

// work runs something until the returned function is called, or the test ends.
func (w *world) work(run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("run: %v", err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

// tune starts a worker.
func (w *world) tune(change ...func(*tune.Config)) (worker *tune.Worker, stop func()) {
	w.t.Helper()
	cfg := tune.Config{Sweeps: w.reg, Runs: w.reg, Bucket: w.bucket}
	for _, f := range change {
		f(&cfg)
	}
	worker, err := tune.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return worker, w.work(worker.Run)
}

// execute is a job from its start to its report.
func (w *world) execute(ctx context.Context, j train.Job, out io.Writer, do behaviour) int {
	var doc struct {
		Request struct {
			Train struct {
				Custom params `json:"custom_params"`
			} `json:"train"`
		} `json:"request"`
	}
	if err := json.Unmarshal(j.Spec, &doc); err != nil {
		fmt.Fprintln(out, err)
		return 1
	}
	w.mu.Lock()
	w.busy++
	w.most = max(w.most, w.busy)
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.busy--
	}()
	run := job{w: w, params: doc.Request.Train.Custom, run: j.Run, attempt: j.Attempt}
	err := do(ctx, run)
	if err == nil && ctx.Err() == nil {
		err = run.complete(ctx)
	} else if err != nil && ctx.Err() == nil {
		_, err = w.reg.FailRun(ctx, j.Run, j.Attempt, events.Exception{Type: "ValueError", Message: err.Error(), Step: "train"}, nil)
	}
	if err != nil {
		fmt.Fprintln(out, err)
		return 1
	}
	return 0
}

// measure leaves one chunk of figures.
func (j job) measure(ctx context.Context, step int, value float64) error {
	line := fmt.Sprintf(`{"name":"auc","value":%v,"step":%d,"at":%q}`+"\n", value, step, time.Now().UTC().Format(time.RFC3339Nano))
	return j.leave(ctx, fmt.Sprintf("%s/%08d", registry.SeriesDir, step), line)
}

func (j job) leave(ctx context.Context, name, text string) error {
	key := registry.AttemptPrefix(j.run, j.attempt) + name
	_, err := j.w.bucket.Put(ctx, key, bytes.NewReader([]byte(text)), int64(len(text)), bucket.PutOptions{})
	return err
}

func (j job) complete(ctx context.Context) error {
	id := cas.Sum([]byte(j.run.String()))
	if _, err := j.w.catalog.PutPackage(ctx, registry.Package{ID: id, Model: "flight-delay", Manifest: []byte("{}")}); err != nil {
		return err
	}
	_, err := j.w.reg.CompleteRun(ctx, j.run, j.attempt, id, nil)
	return err
}

// learns measures after each second.
func learns(ctx context.Context, j job) error {
	for step := 1; step <= j.Steps; step++ {
		if !sleep(ctx, time.Second) {
			return nil
		}
		j.w.mu.Lock()
		j.w.steps++
		j.w.mu.Unlock()
		if err := j.measure(ctx, step, j.after(step)); err != nil {
			return err
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// sweep starts a sweep over x whose jobs take so many steps.
func (w *world) sweep(steps int, search string) registry.Sweep {
	w.t.Helper()
	request := fmt.Sprintf(`{"model_name":"flight-delay","owner":"tests","data":{"features":[{"dataset":"flights@latest"}]},
		"train":{"workflow_name":"FlightDelay","classifier_features":["delay"],"label":"late","custom_params":{"steps":%d,"x":9,"kept":"<yes>"}}}`, steps)
	search = `{"metric":"auc","goal":"maximize","parameters":{"x":{"type":"number","min":0,"max":1}},` + search + `}`
	s, _, err := w.reg.StartSweep(w.t.Context(), registry.SweepRequest{Request: json.RawMessage(request), Search: json.RawMessage(search), Nonce: "n"})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// after returns a sweep and its trials, by number, once d of virtual time has passed.
func (w *world) after(s registry.Sweep, d time.Duration) (registry.Sweep, []registry.Run) {
	w.t.Helper()
	sleep(w.t.Context(), d)
	synctest.Wait()
	now, err := w.reg.Sweep(w.t.Context(), s.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	runs, err := w.reg.Runs(w.t.Context(), registry.RunFilter{Sweep: s.ID, Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.SortFunc(runs, func(a, b registry.Run) int { return a.Trial - b.Trial })
	return now, runs
}

// ended is after, for a sweep that must have ended by then.
func (w *world) ended(s registry.Sweep, d time.Duration, state registry.SweepState) (registry.Sweep, []registry.Run) {
	w.t.Helper()
	now, runs := w.after(s, d)
	if now.State != state {
		w.t.Fatalf("the sweep is %s (%s), want %s; %d trials %v", now.State, now.Reason, state, len(runs), states(runs))
	}
	return now, runs
}

func states(runs []registry.Run) map[registry.RunState]int {
	out := map[registry.RunState]int{}
	for _, r := range runs {
		out[r.State]++
	}
	return out
}

// drawn is what a trial was told.
func (w *world) drawn(run registry.Run) params {
	w.t.Helper()
	var q struct {
		Train struct {
			Custom params `json:"custom_params"`
		} `json:"train"`
	}
	if err := json.Unmarshal(run.Request, &q); err != nil {
		w.t.Fatal(err)
	}
	return q.Train.Custom
}

// count is how many events of a type were written.
func (w *world) count(typ string) int {
	w.t.Helper()
	evs, err := w.catalog.PendingEvents(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	n := 0
	for _, ev := range evs {
		if ev.Type() == typ {
			n++
		}
	}
	return n
}

// wantBest checks that a sweep chose the best of its complete trials, and told of no other.
func (w *world) wantBest(s registry.Sweep, runs []registry.Run) registry.Run {
	w.t.Helper()
	var best registry.Run
	for _, run := range runs {
		if run.State == registry.RunComplete && (best.Trial == 0 || w.drawn(run).quality() > w.drawn(best).quality()) {
			best = run
		}
	}
	if s.Best != best.ID {
		w.t.Errorf("best is %s, want trial %d, %s", s.Best, best.Trial, best.ID)
	}
	if n := w.count(events.TypePackagePublished); n != 1 {
		w.t.Errorf("%d packages were announced, want the best one's", n)
	}
	if n := w.count(events.TypeSweepEnded); n != 1 {
		w.t.Errorf("the sweep ended %d times", n)
	}
	return best
}

var errTest = errors.New("no rows")
