package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

const trainRequest = `{
  "model_name": "delay", "owner": "tests",
  "data": {"features": [{"dataset": "flights@latest"}], "date_column": "event_time",
    "holdout_sampling": {"sampling_function": "DATE_RANGE", "date_range_sampling": {"last": "7d"}}},
  "train": {"workflow_name": "Delay", "classifier_features": ["delay"], "label": "late"}
}`

// declare makes what trainRequest names.
func (w *world) declare() {
	w.t.Helper()
	dir := w.t.TempDir()
	write(w.t, dir, "code/delay.py", "class Delay: pass\n")
	w.run("apply", "-f", write(w.t, dir, "specs/w.yaml", workflowDoc)).ok(w.t)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	sum := cas.Sum([]byte("part"))
	_, _, err := w.reg.PublishDataset(w.t.Context(), manifest.Dataset{
		Name: "flights", Plan: sum, Spec: sum, Compiler: "test/1", Start: start, End: start.Add(time.Hour), Watermark: start.Add(time.Hour),
		Rows: 2, Label: "late", Columns: []manifest.Column{
			{Name: "event_time", Type: manifest.Timestamp}, {Name: "delay", Type: manifest.Number}, {Name: "late", Type: manifest.Boolean},
		},
		Parts: []manifest.Part{{Key: "datasets/flights/p/part-0.parquet", Digest: sum, Bytes: 10, Rows: 2}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) train(args ...string) result {
	return execute(w.t.Context(), w.env, trainRequest, append([]string{"train", "-f", "-"}, args...)...)
}

func TestTrainGivesOneRunForOneKey(t *testing.T) {
	w := newWorld(t)
	w.declare()
	first := w.train("--key", "nightly").ok(t)
	if _, err := registry.ParseRunID(strings.TrimSpace(first)); err != nil {
		t.Fatal(err)
	}
	if again := w.train("--key", "nightly").ok(t); again != first {
		t.Errorf("got %s, want %s", again, first)
	}
	if other := w.train("-o", "json").ok(t); other == first || !strings.HasPrefix(other, `"`) {
		t.Errorf("got %s", other)
	}
}

func TestTrainRefuses(t *testing.T) {
	w := newWorld(t)
	w.declare()
	bad := strings.Replace(trainRequest, `"label": "late"`, `"label": ""`, 1)
	r := execute(t.Context(), w.env, bad, "train", "-f", "-")
	r.fails(t, "train: 422 Unprocessable Entity", "/train/label")
	if strings.Count(r.err, "\n") != 1 || strings.Count(r.err, "/train/label") != 1 {
		t.Errorf("want one line that says it once: %s", r.err)
	}
	execute(t.Context(), w.env, "{", "train", "-f", "-").fails(t, "is not JSON")
	w.run("train", "-f", "/nowhere").fails(t, "/nowhere")
}

// watched is what a command has printed so far.
type watched struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// eventually waits for a condition, bounded.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	over := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-over:
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// log writes an attempt's log, as its job's backend does, and closes it.
func (w *world) log(id registry.RunID, attempt int, text string) {
	w.t.Helper()
	for _, key := range []string{registry.AttemptPrefix(id, attempt) + registry.LogDir + "/00000000", registry.ArtifactKey(id, attempt, registry.ArtifactLogs)} {
		if _, err := w.bucket.Put(w.t.Context(), key, strings.NewReader(text), int64(len(text)), bucket.PutOptions{}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// started starts following and returns the run, the output so far and the exit code once there is one.
func (w *world) started() (registry.RunID, *watched, func() int) {
	w.t.Helper()
	out, done := &watched{}, make(chan int, 1)
	s := newSession(strings.NewReader(trainRequest), out, out, func(k string) (string, bool) { v, ok := w.env[k]; return v, ok })
	s.poll = time.Millisecond
	go func() {
		root := rootOf(s)
		root.SetArgs([]string{"train", "-f", "-", "--follow"})
		code := 0
		if err := root.ExecuteContext(w.t.Context()); err != nil {
			code = s.complain(err)
		}
		done <- code
	}()
	eventually(w.t, "the run's id", func() bool { return strings.Contains(out.String(), "\n") })
	id, err := registry.ParseRunID(strings.TrimSpace(out.String()))
	if err != nil {
		w.t.Fatal(err)
	}
	return id, out, func() int {
		select {
		case code := <-done:
			return code
		case <-time.After(20 * time.Second):
			w.t.Fatalf("does not end: %s", out)
			return 0
		}
	}
}

func TestFollowGoesThroughAllAttempts(t *testing.T) {
	w := newWorld(t)
	w.declare()
	id, out, code := w.started()
	step := func(_ registry.Run, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	step(w.reg.QueueRun(t.Context(), id, "CPU"))
	step(w.reg.StartRun(t.Context(), id, 1, nil))
	w.log(id, 1, "one\ntwo\n")
	eventually(t, "the first log", func() bool { return strings.Contains(out.String(), "two\n") })
	step(w.reg.RetryRun(t.Context(), id, 1, "", "out of memory"))
	step(w.reg.StartRun(t.Context(), id, 2, nil))
	w.log(id, 2, "three\n")
	pkg := w.publish("p")
	eventually(t, "the second log", func() bool { return strings.Contains(out.String(), "three\n") })
	step(w.reg.CompleteRun(t.Context(), id, 2, pkg, nil))
	if got := code(); got != 0 {
		t.Errorf("exit code %d", got)
	}
	same(t, out.String(), id.String()+"\none\ntwo\nthree\nrun "+id.String()+" is complete: package "+pkg.String())
}

func TestFollowFailsWithTheRun(t *testing.T) {
	w := newWorld(t)
	w.declare()
	id, out, code := w.started()
	if _, err := w.reg.FailRun(t.Context(), id, 0, events.Exception{Type: "ValueError", Message: "no rows\nat all", Step: "fetch"}, nil); err != nil {
		t.Fatal(err)
	}
	if got := code(); got != 1 {
		t.Errorf("exit code %d: %s", got, out)
	}
	if text := out.String(); !strings.Contains(text, "signalbox: run "+id.String()+" is failed: ValueError in step fetch: no rows") {
		t.Error(text)
	}
}
