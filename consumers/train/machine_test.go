package train_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/consumers/train/backendtest"
	"github.com/signalbox-ml/signalbox/registry"
)

func TestRunCompletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, completes(3))
		w.start()
		run := w.request("a")
		w.want(w.run(run.ID, 2500*time.Millisecond), registry.RunRunning, 1)
		if got, _ := w.object(train.LogChunkKey(run.ID, 1, 0)); !strings.HasPrefix(got, "line 0\n") {
			t.Errorf("first chunk of the live log = %q", got)
		}
		done := w.run(run.ID, 10*time.Second)
		w.want(done, registry.RunComplete, 1)
		w.wantLog(run, 1, "line 0\nline 1\nline 2\n")
		if done.Artifacts[registry.ArtifactLogs] != registry.ArtifactKey(run.ID, 1, registry.ArtifactLogs) {
			t.Errorf("artifacts %v lack the log", done.Artifacts)
		}
		if n := w.backend.Len(); n != 0 {
			t.Errorf("the backend still knows %d jobs", n)
		}
	})
}

func TestCancelledRunsAreStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopped := make(chan struct{})
		w := newWorld(t, func(*world) backendtest.Program {
			return func(ctx context.Context, _ train.Job, out io.Writer) int {
				fmt.Fprintln(out, "working")
				<-ctx.Done()
				close(stopped)
				return 143
			}
		})
		w.start()
		run := w.request("a")
		w.want(w.run(run.ID, 3*time.Second), registry.RunRunning, 1)
		if _, err := w.reg.CancelRun(t.Context(), run.ID, "not needed"); err != nil {
			t.Fatal(err)
		}
		w.want(w.run(run.ID, 3*time.Second), registry.RunCancelled, 1)
		<-stopped
		w.wantLog(run, 1, "working\n")
		if n := w.backend.Len(); n != 0 {
			t.Errorf("the backend still knows %d jobs", n)
		}
	})
}

func TestSlotsAreTakenInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, completes(10))
		var ids []registry.RunID
		for i := range 5 {
			ids = append(ids, w.request(fmt.Sprint(i)).ID)
			sleep(t.Context(), time.Millisecond)
		}
		w.start(func(c *train.Config) { c.MaxParallel = 2 })
		states := func(d time.Duration) string {
			sleep(t.Context(), d)
			synctest.Wait()
			out := ""
			for _, id := range ids {
				run, err := w.reg.Run(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				out += string(run.State[:2]) + " "
			}
			return out
		}
		wait := 5 * time.Second
		for _, want := range []string{"ru ru re re re ", "co co ru ru re ", "co co co co ru ", "co co co co co "} {
			if got := states(wait); got != want {
				t.Fatalf("states %q, want %q", got, want)
			}
			wait = 11500 * time.Millisecond
		}
	})
}

func TestEventIsAHintToLookNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, completes(1))
		m, _ := w.start(func(c *train.Config) { c.Poll = time.Hour })
		synctest.Wait()
		run := w.request("a")
		for range 3 { // a queue of hints is one hint
			if err := m.Handle(t.Context(), hint()); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if n := w.backend.Len(); n != 1 {
			t.Errorf("%d jobs after the event, want 1 without a wait", n)
		}
		w.want(w.run(run.ID, 3*time.Hour), registry.RunComplete, 1)
	})
}

func TestConfigListsEveryFault(t *testing.T) {
	_, err := train.New(train.Config{Poll: -1, MaxParallel: -1})
	for _, want := range []string{"runs or inputs", "classes", "bucket or signer", "tokens", "api", "duration", "limit"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %q", err, want)
		}
	}
}
