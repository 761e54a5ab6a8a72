package train_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/consumers/train/backendtest"
	"github.com/signalbox-ml/signalbox/registry"
)

const gib = 1 << 30

// hogs is a program that runs out of memory on every class but the one that is named.
func hogs(enough string) func(*world) backendtest.Program {
	return func(w *world) backendtest.Program {
		return func(ctx context.Context, j train.Job, _ io.Writer) int {
			if j.ComputeClass != enough {
				go w.backend.Fail(j.Run, j.Attempt, "out of memory: limit of "+j.ComputeClass, train.CauseOutOfMemory)
				<-ctx.Done()
				return 137
			}
			if w.complete(ctx, j) != nil {
				return 1
			}
			return 0
		}
	}
}

func sized(w *world) []train.Class {
	return []train.Class{
		{Name: "HUGE", Backend: w.backend, Memory: 64 * gib},
		{Name: "CPU", Backend: w.backend, Memory: 2 * gib},
		{Name: "GPU", Backend: w.backend, Memory: 4 * gib, Kind: "gpu"},
		{Name: "HIGH_MEMORY", Backend: w.backend, Memory: 16 * gib},
	}
}

func TestOutOfMemoryTakesTheNextLargerClass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, hogs("HUGE"))
		w.start(func(c *train.Config) { c.Classes = sized(w) })
		done := w.run(w.request("a").ID, time.Minute)
		w.want(done, registry.RunComplete, 3)
		var went []string
		for _, h := range done.History {
			if h.State == registry.RunQueued {
				went = append(went, h.ComputeClass+" "+h.Reason)
			}
		}
		want := "CPU |HIGH_MEMORY OutOfMemory: out of memory: limit of CPU|HUGE OutOfMemory: out of memory: limit of HIGH_MEMORY"
		if got := strings.Join(went, "|"); got != want {
			t.Errorf("classes %q, want %q", got, want)
		}
	})
}

func TestOutOfMemoryOnTheLargestClassFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, hogs("NONE"))
		w.start(func(c *train.Config) { c.Classes = sized(w) })
		run := w.run(w.request("a", func(q map[string]any) { q["compute_resource"] = "GPU" }).ID, time.Minute)
		w.want(run, registry.RunFailed, 1) // the larger ones are of another kind
		if e := run.Exception; e.Type != train.ExceptionOutOfMemory || e.Retryable || !strings.Contains(e.Message, "more memory than GPU") {
			t.Errorf("exception %+v", *e)
		}
	})
}

func TestClassThatIsNotOfferedFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, completes(1))
		w.start()
		run := w.run(w.request("a", func(q map[string]any) { q["compute_resource"] = "TPU" }).ID, time.Minute)
		w.want(run, registry.RunFailed, 0)
		if e := run.Exception; e.Type != train.ExceptionInvalid || !strings.Contains(e.Message, `"TPU"`) {
			t.Errorf("exception %+v", *e)
		}
	})
}

// A host that is lost is not the run's fault: such attempts do not count up to MaxAttempts.
func TestDisruptedAttemptsDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(w *world) backendtest.Program {
			return func(ctx context.Context, j train.Job, _ io.Writer) int {
				if j.Attempt < 6 {
					go w.backend.Fail(j.Run, j.Attempt, "evicted: node is low on memory", train.CauseDisrupted)
					<-ctx.Done()
					return 137
				}
				if w.complete(ctx, j) != nil {
					return 1
				}
				return 0
			}
		})
		w.start(func(c *train.Config) { c.MaxAttempts = 2 })
		w.want(w.run(w.request("a").ID, 5*time.Minute), registry.RunComplete, 6)
	})
}

func TestClassConfigListsEveryFault(t *testing.T) {
	b := backendtest.NewMemory(nil)
	_, err := train.New(train.Config{Classes: []train.Class{
		{Name: "A", Backend: b}, {Name: "A", Backend: b}, {Name: "B"}, {Name: "C", Backend: b, Memory: -1},
	}})
	for _, want := range []string{`class "A"`, "class B: backend", "class C: a limit"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %q", err, want)
		}
	}
}
