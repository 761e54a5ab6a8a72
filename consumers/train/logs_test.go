package train_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/consumers/train/backendtest"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket/buckettest"
)

func TestFaultsOfTheBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, completes(20))
		broken := errors.New("503 SlowDown")
		w.bucket.Inject(
			buckettest.Fault{Op: buckettest.Put, Prefix: "runs/", Skip: 2, Times: 3, Err: broken},
			buckettest.Fault{Op: buckettest.Put, Prefix: "runs/", Skip: 4, Times: 2, Err: broken, After: true},
			buckettest.Fault{Op: buckettest.List, Prefix: "runs/", Times: 2, Err: broken},
			buckettest.Fault{Op: buckettest.Get, Prefix: "runs/", Times: 2, Err: broken},
		)
		w.start()
		run := w.run(w.request("a").ID, time.Minute)
		w.want(run, registry.RunComplete, 1)
		var want strings.Builder
		for i := range 20 {
			fmt.Fprintf(&want, "line %d\n", i)
		}
		w.wantLog(run, 1, want.String())
		if n := w.backend.Len(); n != 0 {
			t.Errorf("the backend still knows %d jobs", n)
		}
	})
}

func TestLogIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(w *world) backendtest.Program {
			return func(ctx context.Context, j train.Job, out io.Writer) int {
				_, _ = io.WriteString(out, strings.Repeat("x", 3<<20))
				return completes(0)(w)(ctx, j, out)
			}
		})
		w.start(func(c *train.Config) { c.MaxLog = 2<<20 + 5 })
		run := w.run(w.request("a").ID, 10*time.Second)
		w.want(run, registry.RunComplete, 1)
		log, _ := w.object(registry.ArtifactKey(run.ID, 1, registry.ArtifactLogs))
		if len(log) != 2<<20+5 {
			t.Errorf("log of %d bytes, want %d", len(log), 2<<20+5)
		}
	})
}

func TestAnotherMachineGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, completes(30))
		_, stop := w.start()
		run := w.request("a")
		w.want(w.run(run.ID, 10500*time.Millisecond), registry.RunRunning, 1)
		stop()
		if got, ok := w.object(registry.ArtifactKey(run.ID, 1, registry.ArtifactLogs)); ok {
			t.Errorf("the log of a job under way is called whole: %q", got)
		}
		w.run(run.ID, 5*time.Second)
		w.start()
		done := w.run(run.ID, time.Minute)
		w.want(done, registry.RunComplete, 1)
		var want strings.Builder
		for i := range 30 {
			fmt.Fprintf(&want, "line %d\n", i)
		}
		w.wantLog(run, 1, want.String())
	})
}

func TestEndsThatNobodySawAreAdopted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, completes(5))
		_, stop := w.start()
		run := w.request("a")
		w.want(w.run(run.ID, 3*time.Second), registry.RunRunning, 1)
		stop()
		w.want(w.run(run.ID, 10*time.Second), registry.RunComplete, 1)
		w.start()
		w.run(run.ID, time.Second)
		w.wantLog(run, 1, "line 0\nline 1\nline 2\nline 3\nline 4\n")
		if n := w.backend.Len(); n != 0 {
			t.Errorf("the backend still knows %d jobs", n)
		}
	})
}

// A job that has reported its end may still be writing: what it says then is kept. One that never ends is ended.
func TestLastWordsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(w *world) backendtest.Program {
			return func(ctx context.Context, j train.Job, out io.Writer) int {
				if err := w.complete(ctx, j); err != nil {
					return 1
				}
				for i := range 60 {
					if !sleep(ctx, time.Second) {
						break
					}
					if fmt.Fprintf(out, "word %d\n", i); i == 4 && j.ComputeClass == "CPU" {
						break
					}
				}
				return 0
			}
		})
		w.start()
		brief, endless := w.request("a"), w.request("b", func(q map[string]any) { q["compute_resource"] = "GPU" })
		w.want(w.run(brief.ID, time.Minute), registry.RunComplete, 1)
		w.wantLog(brief, 1, "word 0\nword 1\nword 2\nword 3\nword 4\n")
		if log, ok := w.object(registry.ArtifactKey(endless.ID, 1, registry.ArtifactLogs)); !ok || !strings.HasPrefix(log, "word 0\n") || strings.Contains(log, "word 40\n") {
			t.Errorf("log of the job that never ends (kept: %v):\n%s", ok, log)
		}
		if n := w.backend.Len(); n != 0 {
			t.Errorf("the backend still knows %d jobs", n)
		}
	})
}

// What a failed attempt has written is kept before the next attempt begins: nobody looks for it after a crash.
func TestLogIsKeptBeforeTheRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exits(1, 100*time.Millisecond))
		w.start()
		run := w.request("a")
		for i := 0; run.Attempt < 2; i++ {
			if i == 1000 {
				t.Fatalf("no second attempt: %+v", run)
			}
			run = w.run(run.ID, 10*time.Millisecond)
		}
		if log, _ := w.object(train.LogChunkKey(run.ID, 1, 0)); log != "attempt 1\n" {
			t.Errorf("of the first attempt %q is kept", log)
		}
	})
}

// mute is a backend whose first job's node does not answer: reading its log takes as long as the reader waits.
type mute struct {
	*backendtest.Memory
	run *registry.RunID
}

func (b mute) Log(ctx context.Context, run registry.RunID, attempt int, offset int64) (io.ReadCloser, error) {
	if run == *b.run {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return b.Memory.Log(ctx, run, attempt, offset)
}

// A node that does not answer holds up neither the other runs nor the end of its own.
func TestSilentLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, completes(3))
		silent := w.request("a")
		w.cfg.Classes = []train.Class{{Name: "CPU", Backend: mute{w.backend, &silent.ID}}}
		w.start()
		w.want(w.run(silent.ID, 2*time.Second), registry.RunRunning, 1)
		other := w.request("b")
		w.want(w.run(other.ID, 2500*time.Millisecond), registry.RunRunning, 1)
		w.want(w.run(other.ID, 5*time.Second), registry.RunComplete, 1)
		w.wantLog(other, 1, "line 0\nline 1\nline 2\n")
		w.want(w.run(silent.ID, 3*time.Minute), registry.RunComplete, 1)
		w.wantLog(silent, 1, "")
		if n := w.backend.Len(); n != 0 {
			t.Errorf("the backend still knows %d jobs", n)
		}
	})
}
