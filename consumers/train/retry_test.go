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
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
)

func TestUnreportedEndIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exits(1, 2*time.Second))
		w.start()
		run := w.request("a")
		put(t, w.bucket, registry.AttemptPrefix(run.ID, 3)+train.StepDir+"/fetch", "{}")
		failed := w.run(run.ID, time.Minute)
		w.want(failed, registry.RunFailed, 3)
		want := events.Exception{Type: train.ExceptionFailed, Message: "the job ended without a report: exit status 1", Step: "preprocess", Retryable: true}
		if *failed.Exception != want {
			t.Errorf("exception %+v, want %+v", *failed.Exception, want)
		}
		for n := range 3 {
			w.wantLog(run, n+1, fmt.Sprintf("attempt %d\n", n+1))
		}
		first, second := attemptStart(failed, 2), attemptStart(failed, 3)
		if first < time.Second || second < 2*time.Second {
			t.Errorf("waited %s before attempt 2 and %s before attempt 3, want 1s and 2s at least", first, second)
		}
	})
}

// attemptStart is the time from the queueing of an attempt to its start.
func attemptStart(run registry.Run, n int) time.Duration {
	var queued, started time.Time
	for _, tr := range run.History {
		if tr.Attempt == n && tr.State == registry.RunQueued {
			queued = tr.At
		}
		if tr.Attempt == n && tr.State == registry.RunRunning {
			started = tr.At
		}
	}
	return started.Sub(queued)
}

func TestDeadlineIsNotRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exits(0, 10*time.Hour))
		w.start()
		run := w.run(w.request("a").ID, 2*time.Hour)
		w.want(run, registry.RunFailed, 1)
		if run.Exception.Retryable || !strings.Contains(run.Exception.Message, string(train.CauseDeadline)) {
			t.Errorf("exception %+v", run.Exception)
		}
	})
}

func TestSuccessWithoutReportIsNoSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exits(0, time.Second))
		w.start(func(c *train.Config) { c.MaxAttempts = 1 })
		w.want(w.run(w.request("a").ID, 10*time.Second), registry.RunFailed, 1)
	})
}

func TestReportedFailureStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reported := events.Exception{Type: "ValueError", Message: "boom", Step: "train"}
		w := newWorld(t, func(w *world) backendtest.Program {
			return func(ctx context.Context, j train.Job, out io.Writer) int {
				fmt.Fprintln(out, "boom")
				if _, err := w.reg.FailRun(ctx, j.Run, j.Attempt, reported, nil); err != nil {
					t.Error(err)
				}
				return 1
			}
		})
		w.start()
		run := w.run(w.request("a").ID, 10*time.Second)
		w.want(run, registry.RunFailed, 1)
		if *run.Exception != reported {
			t.Errorf("exception %+v, want what the job said", run.Exception)
		}
		w.wantLog(run, 1, "boom\n")
	})
}

func TestRetryThatTheJobAskedForIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(w *world) backendtest.Program {
			return func(ctx context.Context, j train.Job, out io.Writer) int {
				fmt.Fprintf(out, "attempt %d\n", j.Attempt)
				if j.Attempt == 2 {
					return completes(0)(w)(ctx, j, out)
				}
				if _, err := w.reg.RetryRun(ctx, j.Run, j.Attempt, "", "network"); err != nil {
					t.Error(err)
				}
				<-ctx.Done() // hangs: the machine must not leave it beside the next attempt
				return 1
			}
		})
		w.start()
		run := w.run(w.request("a").ID, 20*time.Second)
		w.want(run, registry.RunComplete, 2)
		w.wantLog(run, 1, "attempt 1\n")
		w.wantLog(run, 2, "attempt 2\n")
		if n := w.backend.Len(); n != 0 {
			t.Errorf("the backend still knows %d jobs", n)
		}
	})
}

func TestLostJobsDoNotCountAsFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, completes(60))
		w.start()
		run := w.request("a")
		for n := range 5 {
			w.want(w.run(run.ID, 30*time.Second), registry.RunRunning, n+1)
			w.backend.Lose()
		}
		done := w.run(run.ID, 2*time.Minute)
		w.want(done, registry.RunComplete, 6)
		if reason := done.History[3].Reason; !strings.HasPrefix(reason, train.ExceptionLost) {
			t.Errorf("reason of the second attempt = %q", reason)
		}
	})
}

func TestRunThatKeepsVanishingFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, exits(0, time.Hour))
		w.start()
		run := w.request("a")
		for range 40 {
			w.run(run.ID, 2*time.Minute)
			w.backend.Lose()
		}
		failed := w.run(run.ID, time.Minute)
		w.want(failed, registry.RunFailed, 20)
		if failed.Exception.Type != train.ExceptionLost {
			t.Errorf("exception %+v", failed.Exception)
		}
	})
}

func TestKilledJobIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, completes(10))
		w.start()
		run := w.request("a")
		w.want(w.run(run.ID, 3*time.Second), registry.RunRunning, 1)
		w.backend.Kill(run.ID, 1)
		done := w.run(run.ID, time.Minute)
		w.want(done, registry.RunComplete, 2)
		if reason := done.History[3].Reason; !strings.Contains(reason, "killed by signal 9") {
			t.Errorf("reason %q", reason)
		}
	})
}
