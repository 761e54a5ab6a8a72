package pyworker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/inference/runtime"
	"github.com/signalbox-ml/signalbox/services/inference/runtime/runtimetest"
)

// testConfig runs the worker of testdata, which needs nothing but Python.
func testConfig(t testing.TB) Config {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatalf("the tests need python3: %v", err)
	}
	script, err := filepath.Abs("testdata/worker.py")
	if err != nil {
		t.Fatal(err)
	}
	return Config{Log: slog.New(newRecording()), Python: python, Args: []string{script}, MinBackoff: 5 * time.Millisecond, Deadline: 20 * time.Second}
}

func testPackage(t testing.TB) runtimetest.Package {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "model.pkl", `{"weights": [2, 0.5, 1], "outputs": ["score"]}`)
	write(t, dir, "golden.jsonl", strings.Join([]string{
		`{"input":{"x":1,"y":2,"note":"abc"},"output":{"score":5}}`,
		`{"input":{"x":-1,"y":null,"note":""},"output":{"score":-3.5}}`,
		`{"input":{"x":0.25,"y":0,"note":"é"},"output":{"score":0.5}}`,
		`{"input":{"x":100,"y":7,"note":null},"output":{"score":202.5}}`,
	}, "\n"))
	return runtimetest.Package{Dir: dir, Signature: manifest.Signature{
		Runtime: manifest.RuntimePython, Format: manifest.FormatPickle, Model: "model.pkl", Golden: "golden.jsonl",
		Inputs: []manifest.Column{
			{Name: "x", Type: manifest.Number}, {Name: "y", Type: manifest.Number, Nullable: true},
			{Name: "note", Type: manifest.String, Nullable: true},
		},
		Outputs: []manifest.Column{{Name: "score", Type: manifest.Number}},
	}}
}

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func load(t testing.TB, cfg Config) *Model {
	t.Helper()
	rt, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p := testPackage(t)
	m, err := rt.Load(t.Context(), p.Dir, p.Signature)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m.(*Model)
}

// one is a row whose first column is x. The model answers 2x.
func one(x float64) runtime.Batch {
	return runtime.Batch{Rows: 1, Width: 3, Values: []float64{x, 0, math.NaN()}, Text: []string{"", "", "a"}}
}

// answers asks for x and wants 2x.
func answers(t *testing.T, m *Model, x float64) {
	t.Helper()
	out, err := m.Predict(t.Context(), one(x))
	if err != nil {
		t.Fatalf("row %v: %v", x, err)
	}
	if out.Rows != 1 || out.Width != 1 || out.Values[0] != 2*x {
		t.Fatalf("row %v: got %+v", x, out)
	}
}

func TestSuite(t *testing.T) {
	rt, err := New(testConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	runtimetest.Run(t, rt, testPackage(t))
}

func TestTwoWorkers(t *testing.T) {
	cfg := testConfig(t)
	cfg.Workers = 2
	rt, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	runtimetest.Run(t, rt, testPackage(t))
}

func TestDeadWorkerIsStartedAgain(t *testing.T) {
	m := load(t, testConfig(t))
	answers(t, m, 1)
	if _, err := m.Predict(t.Context(), one(666)); !errors.Is(err, ErrPoison) {
		t.Fatalf("got %v, want ErrPoison", err)
	}
	answers(t, m, 2)
}

func TestHangingWorkerIsKilled(t *testing.T) {
	cfg := testConfig(t)
	cfg.Deadline = 300 * time.Millisecond
	m := load(t, cfg)
	if _, err := m.Predict(t.Context(), one(777)); !errors.Is(err, ErrPoison) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %v, want ErrPoison by the deadline", err)
	}
	answers(t, m, 2)
}

func TestProtocolBreachEndsTheWorker(t *testing.T) {
	m := load(t, testConfig(t))
	if _, err := m.Predict(t.Context(), one(999)); !errors.Is(err, ErrPoison) || !errors.Is(err, errProtocol) {
		t.Fatalf("got %v", err)
	}
	answers(t, m, 2)
}

// TestPoisonSparesItsNeighbours fills one call with good rows and a deadly one: only that one fails.
func TestPoisonSparesItsNeighbours(t *testing.T) {
	for name, c := range map[string]struct {
		bad  float64
		want func(error) bool
	}{
		"crash": {666, func(err error) bool { return errors.Is(err, ErrPoison) }},
		"error": {888, func(err error) bool {
			var e *ModelError
			return errors.As(err, &e) && e.Message == "this row is no good"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			m := load(t, cfg)
			release := occupy(t, m)
			var wg sync.WaitGroup
			for i := range 12 {
				wg.Go(func() {
					if i == 5 {
						if _, err := m.Predict(t.Context(), one(c.bad)); !c.want(err) {
							t.Errorf("bad row: %v", err)
						}
						return
					}
					out, err := m.Predict(t.Context(), one(float64(i)))
					if err != nil || out.Values[0] != float64(2*i) {
						t.Errorf("row %d: %v %v", i, out.Values, err)
					}
				})
			}
			waitFor(t, "a full queue", func() bool { return m.waiting.Load() == 12 })
			release()
			wg.Wait()
		})
	}
}

// occupy stops the worker process, so that what is asked meanwhile waits, until release.
func occupy(t *testing.T, m *Model) (release func()) {
	t.Helper()
	pid := workerPid(t, m)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = m.Predict(context.Background(), one(1))
	}()
	waitFor(t, "the worker to be busy", func() bool { return len(m.queue) == 0 && m.busy() })
	return func() {
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Error(err)
		}
		<-done
	}
}

func (m *Model) busy() bool {
	m.idle.L.Lock()
	defer m.idle.L.Unlock()
	return m.active > 0 && m.waiting.Load() == 0
}

// workerPid is the process that became ready last, as the log says.
func workerPid(t *testing.T, m *Model) int {
	t.Helper()
	var pid int
	for entry := range strings.Lines(m.log.Handler().(*recording).out.String()) {
		var e struct {
			Msg string
			Pid int
		}
		if err := json.Unmarshal([]byte(entry), &e); err != nil {
			t.Fatal(err)
		}
		if e.Msg == "worker ready" {
			pid = e.Pid
		}
	}
	if pid == 0 {
		t.Fatal("no worker")
	}
	return pid
}

// recording is a log that can be read.
type recording struct {
	slog.Handler
	out *syncBuffer
}

func newRecording() *recording {
	out := new(syncBuffer)
	return &recording{slog.NewJSONHandler(out, nil), out}
}

func (r *recording) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &recording{r.Handler.WithAttrs(attrs), r.out}
}

func TestQueueIsBounded(t *testing.T) {
	cfg := testConfig(t)
	cfg.MaxQueue = 4
	m := load(t, cfg)
	release := occupy(t, m)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			if _, err := m.Predict(t.Context(), one(float64(i))); err != nil {
				t.Error(err)
			}
		})
	}
	waitFor(t, "a full queue", func() bool { return m.waiting.Load() == 4 })
	if _, err := m.Predict(t.Context(), one(9)); !errors.Is(err, runtime.ErrOverloaded) {
		t.Errorf("got %v, want ErrOverloaded", err)
	}
	release()
	wg.Wait()
	answers(t, m, 9)
}

func TestCallerThatLeavesIsForgotten(t *testing.T) {
	m := load(t, testConfig(t))
	pid := workerPid(t, m)
	release := occupy(t, m)
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := m.Predict(ctx, one(666)) // it would kill the worker, if anybody asked it
		left <- err
	}()
	waitFor(t, "a queued call", func() bool { return m.waiting.Load() == 1 })
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	release()
	answers(t, m, 3)
	if got := workerPid(t, m); got != pid {
		t.Errorf("worker %d was replaced by %d", pid, got)
	}
}

func TestIdleWorkerThatDiesIsReplaced(t *testing.T) {
	m := load(t, testConfig(t))
	pid := workerPid(t, m)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	answers(t, m, 4)
	waitFor(t, "another process", func() bool { return workerPid(t, m) != pid })
}

func TestCloseDoesNotWaitForAWorkerThatNeverComes(t *testing.T) {
	cfg := testConfig(t)
	cfg.MinBackoff, cfg.MaxBackoff = time.Hour, time.Hour
	rt, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p := testPackage(t)
	loaded, err := rt.Load(t.Context(), p.Dir, p.Signature)
	if err != nil {
		t.Fatal(err)
	}
	m := loaded.(*Model)
	asked := make(chan error, 1)
	go func() {
		_, err := m.Predict(t.Context(), one(666))
		asked <- err
	}()
	waitFor(t, "the worker to die", func() bool { return m.live.Load() == 0 })
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if err := <-asked; !errors.Is(err, runtime.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

func TestLoadRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(p *runtimetest.Package)
		want   string
	}{
		"bad model":         {func(p *runtimetest.Package) { write(t, p.Dir, "model.pkl", "nonsense") }, "model failed"},
		"other outputs":     {func(p *runtimetest.Package) { p.Signature.Outputs[0].Name = "other" }, "its signature says"},
		"another format":    {func(p *runtimetest.Package) { p.Signature.Format = "onnx" }, "not supported"},
		"outside directory": {func(p *runtimetest.Package) { p.Signature.Model = "../model.pkl" }, "escapes"},
	} {
		t.Run(name, func(t *testing.T) {
			rt, err := New(testConfig(t))
			if err != nil {
				t.Fatal(err)
			}
			p := testPackage(t)
			c.change(&p)
			if _, err := rt.Load(t.Context(), p.Dir, p.Signature); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestLoadDeadline(t *testing.T) {
	cfg := testConfig(t)
	cfg.Args, cfg.LoadDeadline = []string{"-c", "import time; time.sleep(600)"}, 200*time.Millisecond
	rt, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p := testPackage(t)
	if _, err := rt.Load(t.Context(), p.Dir, p.Signature); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestEnvironmentIsScrubbed(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("SIGNALBOX_TOKEN", "secret")
	cfg := testConfig(t)
	out := cfg.Log.Handler().(*recording).out
	cfg.Env = []string{"EXTRA=1"}
	rt, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p := testPackage(t)
	write(t, p.Dir, "model.pkl", `{"weights": [2, 0.5, 1], "outputs": ["score"], "env": true}`)
	m, err := rt.Load(t.Context(), p.Dir, p.Signature)
	if err != nil {
		t.Fatal(err)
	}
	answers(t, m.(*Model), 1)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	var line string
	for entry := range strings.Lines(out.String()) {
		var e struct{ Msg, Line string }
		if err := json.Unmarshal([]byte(entry), &e); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(e.Line, "environment") {
			line = e.Line
		}
	}
	if !strings.Contains(line, "EXTRA") || !strings.Contains(line, "PYTHONHASHSEED") {
		t.Errorf("environment is %q", line)
	}
	for _, secret := range []string{"AWS", "SIGNALBOX", "HOME"} {
		if strings.Contains(line, secret) {
			t.Errorf("worker saw %s: %q", secret, line)
		}
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestConfigFaultsAreListed(t *testing.T) {
	_, err := New(Config{Workers: -1, MaxBatch: -1, MaxQueue: -1, Deadline: -1})
	for _, want := range []string{"Python", "Workers", "MaxBatch", "MaxQueue", "duration"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s named", err, want)
		}
	}
}

// waitFor polls a condition; a test that needs it fails after a while.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited for %s", what)
		}
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 1, 0, 0, 0})
	f.Add([]byte{255, 255, 255, 255, 1, 0, 0, 0, 0, 0, 0, 0, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, payload, err := readFrame(bytes.NewReader(b), 1, nil)
		if err != nil {
			return
		}
		if len(payload) > len(b) {
			t.Fatalf("%d bytes out of %d", len(payload), len(b))
		}
		switch kind {
		case kindResult:
			if v, err := decodeResult(payload, 2, 1); err == nil && len(v) != 2 {
				t.Fatal(fmt.Sprint(v))
			}
		case kindError:
			_ = decodeError(payload)
		}
	})
}
