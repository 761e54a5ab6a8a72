package train_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/consumers/train/backendtest"
	"github.com/signalbox-ml/signalbox/registry"
)

// The catalog moved on while nobody could stop the job; jobs of somebody else's runs stay.
func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(*world) backendtest.Program {
			return func(ctx context.Context, j train.Job, out io.Writer) int {
				fmt.Fprintf(out, "attempt %d\n", j.Attempt)
				<-ctx.Done()
				return 143
			}
		})
		run := w.request("a")
		for n := 1; n <= 2; n++ {
			if err := w.backend.Submit(t.Context(), train.Job{Run: run.ID, Attempt: n}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.reg.QueueRun(t.Context(), run.ID, "CPU"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.reg.RetryRun(t.Context(), run.ID, 1, "", "JobLost: gone"); err != nil {
			t.Fatal(err)
		}
		foreign := registry.RunID(uuid.NewSHA1(uuid.Nil, []byte("foreign")))
		if err := w.backend.Submit(t.Context(), train.Job{Run: foreign, Attempt: 1}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.start()
		w.want(w.run(run.ID, time.Minute), registry.RunRunning, 2)
		jobs, err := w.backend.Jobs(t.Context())
		if err != nil || len(jobs) != 2 || slices.Contains(jobs, train.Attempt{Run: run.ID, N: 1}) ||
			!slices.Contains(jobs, train.Attempt{Run: foreign, N: 1}) {
			t.Errorf("jobs %v, %v: want attempt 2 and the foreign one", jobs, err)
		}
		w.wantLog(run, 1, "attempt 1\n")
	})
}

// slow is a backend whose jobs wait first, and take their time to end.
type slow struct {
	*backendtest.Memory
	pending, ending atomic.Int32
}

func (s *slow) Status(ctx context.Context, run registry.RunID, attempt int) (train.Status, error) {
	st, err := s.Memory.Status(ctx, run, attempt)
	if err == nil && s.pending.Add(-1) >= 0 {
		return train.Status{Phase: train.PhasePending, Reason: "waits for a node: 0/3 have 64 GiB"}, nil
	}
	return st, err
}

func (s *slow) Cancel(ctx context.Context, run registry.RunID, attempt int) error {
	if s.ending.Add(-1) >= 0 {
		return fmt.Errorf("job %s: %w", run, train.ErrEnding)
	}
	return s.Memory.Cancel(ctx, run, attempt)
}

func TestSlowBackend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, completes(20))
		b := &slow{Memory: w.backend}
		b.pending.Store(10)
		b.ending.Store(3)
		w.start(func(c *train.Config) { c.Classes[0].Backend = b })
		run := w.request("a")
		waits := w.run(run.ID, 8*time.Second)
		w.want(waits, registry.RunQueued, 1)
		if got := notes(waits); !slices.Equal(got, []string{"waits for a node: 0/3 have 64 GiB"}) {
			t.Errorf("history says %q", got)
		}
		w.want(w.run(run.ID, 14*time.Second), registry.RunComplete, 1)
		if n := w.backend.Len(); n != 1 {
			t.Errorf("%d jobs, want the one that is ending", n)
		}
		w.run(run.ID, 5*time.Second)
		if n := w.backend.Len(); n != 0 {
			t.Errorf("%d jobs after the end", n)
		}
		w.wantLog(run, 1, "line 0\nline 1\nline 2\nline 3\nline 4\nline 5\nline 6\nline 7\nline 8\nline 9\nline 10\nline 11\nline 12\nline 13\nline 14\nline 15\nline 16\nline 17\nline 18\nline 19\n")
	})
}
