package train_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/consumers/train/backendtest"
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

// signer signs with words, until it is told to fail.
type signer struct {
	mu  sync.Mutex
	err error
}

func (s *signer) SignGet(_ context.Context, key string, ttl time.Duration) (bucket.Signed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bucket.Signed{Method: "GET", URL: "signed:" + key, Expires: time.Now().Add(ttl)}, s.err
}

func (s *signer) SignPut(context.Context, string, [32]byte, int64, time.Duration) (bucket.Signed, error) {
	return bucket.Signed{}, errors.New("the machine signs no writes")
}

func (s *signer) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

type tokens struct{}

func (tokens) Mint(run registry.RunID, attempt int) (string, error) {
	return fmt.Sprintf("token:%s/%d", run, attempt), nil
}

// world is a machine with everything around it; its jobs are goroutines.
type world struct {
	t       *testing.T
	reg     *registry.Registry
	catalog *registrytest.Memory
	bucket  *buckettest.Faulty
	signer  *signer
	backend *backendtest.Memory
	dataset registry.Dataset
	cfg     train.Config
}

const workflowYAML = `apiVersion: signalbox.dev/v1
kind: Workflow
metadata: {name: flight-delay}
spec:
  entrypoint: delay:FlightDelay
  files: {delay.py: {content: "class FlightDelay: pass\n"}, more.py: {content: "x = 1\n"}}
`

// newWorld returns a world whose jobs do what program says. It must be made inside a synctest bubble.
func newWorld(t *testing.T, program func(w *world) backendtest.Program) *world {
	t.Helper()
	w := &world{t: t, catalog: registrytest.NewMemory(), signer: &signer{}}
	w.bucket = buckettest.NewFaulty(membucket.New())
	reg, err := registry.New(registry.Config{Catalog: w.catalog, Store: cas.NewStore(w.bucket), Signer: w.signer})
	if err != nil {
		t.Fatal(err)
	}
	w.reg = reg
	w.backend = backendtest.NewMemory(program(w))
	t.Cleanup(w.backend.Close)
	docs, err := spec.Parse([]byte(workflowYAML))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reg.Apply(t.Context(), docs, false); err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	sum := cas.Sum([]byte("part"))
	w.dataset, _, err = reg.PublishDataset(t.Context(), manifest.Dataset{
		Name: "flights", Plan: sum, Spec: sum, Compiler: "test/1", Start: start, End: start.Add(time.Hour), Watermark: start.Add(time.Hour),
		Rows: 2, Columns: []manifest.Column{{Name: "delay", Type: manifest.Number}, {Name: "late", Type: manifest.Boolean}}, Label: "late",
		Parts: []manifest.Part{{Key: "datasets/flights/p/part-0.parquet", Digest: sum, Bytes: 10, Rows: 2}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.cfg = train.Config{
		Runs: reg, Inputs: reg, Classes: []train.Class{{Name: "CPU", Backend: w.backend}, {Name: "GPU", Backend: w.backend}}, Bucket: w.bucket, Signer: w.signer, Tokens: tokens{},
		API: "http://control.test", BucketName: "signalbox", Deadline: time.Hour,
	}
	return w
}

// start runs a machine until the returned function is called, or the test ends.
func (w *world) start(change ...func(*train.Config)) (m *train.Machine, stop func()) {
	w.t.Helper()
	cfg := w.cfg
	for _, f := range change {
		f(&cfg)
	}
	m, err := train.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := m.Run(ctx); err != nil {
			w.t.Errorf("run: %v", err)
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	w.t.Cleanup(stop)
	return m, stop
}

// request asks for a run; each nonce is a run of its own.
func (w *world) request(nonce string, change ...func(map[string]any)) registry.Run {
	w.t.Helper()
	body := map[string]any{
		"model_name": "flight-delay", "owner": "tests", "unknown": map[string]any{"kept": true},
		"data":  map[string]any{"features": []any{map[string]any{"dataset": w.dataset.ID.String()}}},
		"train": map[string]any{"workflow_name": "FlightDelay", "classifier_features": []string{"delay"}, "label": "late", "custom_params": map[string]any{"seed": 7}},
	}
	for _, f := range change {
		f(body)
	}
	b, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	run, _, err := w.reg.RequestRun(w.t.Context(), registry.RunRequest{Request: b, Nonce: nonce})
	if err != nil {
		w.t.Fatal(err)
	}
	return run
}

// run returns a run once nothing moves any more for d of virtual time.
func (w *world) run(id registry.RunID, d time.Duration) registry.Run {
	w.t.Helper()
	sleep(w.t.Context(), d)
	synctest.Wait()
	run, err := w.reg.Run(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return run
}

func (w *world) want(run registry.Run, state registry.RunState, attempt int) {
	w.t.Helper()
	if run.State != state || run.Attempt != attempt {
		w.t.Fatalf("run is %s at attempt %d, want %s at %d; history %+v, exception %+v", run.State, run.Attempt, state, attempt, run.History, run.Exception)
	}
}

// object returns the content of a key, or "" with false.
func (w *world) object(key string) (string, bool) {
	w.t.Helper()
	r, _, err := w.bucket.Get(w.t.Context(), key, bucket.Range{})
	if errors.Is(err, bucket.ErrNotFound) {
		return "", false
	}
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b), true
}

func (w *world) wantLog(run registry.Run, attempt int, want string) {
	w.t.Helper()
	got, ok := w.object(registry.ArtifactKey(run.ID, attempt, registry.ArtifactLogs))
	if !ok || got != want {
		w.t.Errorf("log of attempt %d = %q (there: %v), want %q", attempt, got, ok, want)
	}
}

// complete does what a job does that has made a package.
func (w *world) complete(ctx context.Context, j train.Job) error {
	id := cas.Sum(j.Spec)
	if _, err := w.catalog.PutPackage(ctx, registry.Package{ID: id, Model: "flight-delay", Manifest: []byte("{}")}); err != nil {
		return err
	}
	if _, err := w.reg.StartRun(ctx, j.Run, j.Attempt, nil); err != nil {
		return err
	}
	_, err := w.reg.CompleteRun(ctx, j.Run, j.Attempt, id, nil)
	return err
}

// exits is a program that prints and ends after a while without a report.
func exits(code int, after time.Duration) func(*world) backendtest.Program {
	return func(*world) backendtest.Program {
		return func(ctx context.Context, j train.Job, out io.Writer) int {
			fmt.Fprintf(out, "attempt %d\n", j.Attempt)
			sleep(ctx, after)
			return code
		}
	}
}

// completes is a program that prints a line a second and then completes.
func completes(lines int) func(*world) backendtest.Program {
	return func(w *world) backendtest.Program {
		return func(ctx context.Context, j train.Job, out io.Writer) int {
			for i := range lines {
				fmt.Fprintf(out, "line %d\n", i)
				if !sleep(ctx, time.Second) {
					return 143
				}
			}
			if err := w.complete(ctx, j); err != nil {
				fmt.Fprintln(out, err)
				return 1
			}
			return 0
		}
	}
}

// sleep reports false where ctx ended first.
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

// hint is the event of a run.
func hint() events.Event { return events.Blank() }
