package tune_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/tune"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
)

func TestRandomSearchFindsTheBest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, learns)
		w.tune()
		s := w.sweep(5, `"algorithm":"random","trials":20,"parallel":4`)
		w.apply("class FlightDelay:\n    changed = True\n") // which is nothing to this sweep
		s, runs := w.ended(s, time.Minute, registry.SweepComplete)
		best := w.wantBest(s, runs)
		if q := w.drawn(best).quality(); q < 0.9 {
			t.Errorf("best of 20 has quality %g", q)
		}
		if len(runs) != 20 || w.most != 4 || s.Reason != "20 of 20 trials: 20 complete, 0 failed, 0 cancelled" {
			t.Errorf("%d trials, %d at once: %s", len(runs), w.most, s.Reason)
		}
		seen := map[float64]bool{}
		for i, run := range runs {
			p := w.drawn(run)
			if p.X < 0 || p.X > 1 || seen[p.X] || p.Kept != "<yes>" || run.Trial != i+1 || run.Dataset != w.dataset.ID || run.Workflow != s.Workflow {
				t.Errorf("trial %d: %+v of dataset %s, workflow %s", run.Trial, p, run.Dataset, run.Workflow)
			}
			seen[p.X] = true
		}
	})
}

// ASHA finds nearly as good a trial with less than half of the steps.
func TestASHASpendsLess(t *testing.T) {
	spend := func(t *testing.T, search string) (steps int, best float64) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, learns)
			w.tune()
			s, runs := w.ended(w.sweep(81, search+`,"trials":27,"parallel":9`), time.Hour, registry.SweepComplete)
			steps, best = w.steps, w.drawn(w.wantBest(s, runs)).quality()
			stopped := 0
			for _, run := range runs {
				whole, err := w.reg.Run(t.Context(), run.ID)
				if err != nil {
					t.Fatal(err)
				}
				last := whole.History[len(whole.History)-1].Reason
				if run.State == registry.RunCancelled {
					stopped++
					if !strings.HasPrefix(last, "asha: 0.") || !strings.Contains(last, "is not among the best third of ") {
						t.Errorf("trial %d was stopped because %q", run.Trial, last)
					}
				}
			}
			if asha := strings.Contains(search, "asha"); asha != (stopped > 0) {
				t.Errorf("%d of %d trials were stopped", stopped, len(runs))
			}
		})
		return steps, best
	}
	all, best := spend(t, `"algorithm":"random"`)
	few, good := spend(t, `"algorithm":"asha","asha":{"min_step":1,"max_step":81,"reduction":3}`)
	if all != 27*81 || few >= all/2 {
		t.Errorf("asha took %d steps, random search %d", few, all)
	}
	if good < best-0.05 {
		t.Errorf("asha found %g, random search %g", good, best)
	}
}

func TestFailedTrialsAreUsedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(ctx context.Context, j job) error {
			if err := learns(ctx, j); err != nil || j.X < 0.5 {
				return err
			}
			return errTest
		})
		w.tune()
		s, runs := w.ended(w.sweep(2, `"trials":12,"parallel":3`), time.Minute, registry.SweepComplete)
		w.wantBest(s, runs)
		if n := states(runs); len(runs) != 12 || n[registry.RunFailed] == 0 || n[registry.RunComplete]+n[registry.RunFailed] != 12 {
			t.Errorf("trials %v", n)
		}
	})
}

func TestSweepWithoutAValueFails(t *testing.T) {
	for name, tc := range map[string]struct {
		do     behaviour
		reason string
	}{
		"every trial fails": {func(context.Context, job) error { return errTest }, "no trial is complete; 4 of 4 trials: 0 complete, 4 failed, 0 cancelled"},
		"no figure":         {func(context.Context, job) error { return nil }, "no complete trial says what auc it reached; "},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, tc.do)
				w.tune()
				s, _ := w.ended(w.sweep(2, `"trials":4,"parallel":2`), time.Minute, registry.SweepFailed)
				if !strings.HasPrefix(s.Reason, tc.reason) || w.count(events.TypePackagePublished) != 0 || w.count(events.TypeSweepEnded) != 1 {
					t.Errorf("%q, %d announced", s.Reason, w.count(events.TypePackagePublished))
				}
			})
		})
	}
}

// What the job leaves at its end counts where it has measured nothing on its way.
func TestFiguresAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(ctx context.Context, j job) error {
			return j.leave(ctx, registry.StepDir+"/score", fmt.Sprintf(`{"step":"score","seconds":1,"metrics":{"auc":%v}}`, j.quality()))
		})
		w.tune()
		s, runs := w.ended(w.sweep(1, `"trials":8,"parallel":8`), time.Minute, registry.SweepComplete)
		w.wantBest(s, runs)
	})
}

func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, learns)
		w.tune()
		s, runs := w.ended(w.sweep(10, `"trials":100,"parallel":3,"max_seconds":100`), 10*time.Minute, registry.SweepComplete)
		w.wantBest(s, runs)
		n := states(runs)
		if w.steps < 85 || w.steps > 125 || n[registry.RunCancelled] != 3 || len(runs) > 13 {
			t.Errorf("%d steps of a second, trials %v", w.steps, n)
		}
		if !strings.HasSuffix(s.Reason, "the sweep's budget of 100 s is spent") {
			t.Errorf("reason %q", s.Reason)
		}
	})
}

func TestCancelledSweepStopsItsTrials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, learns)
		w.tune()
		s := w.sweep(10, `"trials":100,"parallel":5`)
		own, _, err := w.reg.RequestRun(t.Context(), registry.RunRequest{Request: s.Request, Nonce: "of its own"})
		if err != nil {
			t.Fatal(err)
		}
		if _, runs := w.after(s, 15*time.Second); states(runs)[registry.RunComplete] != 5 {
			t.Fatalf("trials %v", states(runs))
		}
		if _, err := w.reg.CancelSweep(t.Context(), s.ID, "cancelled by kelley"); err != nil {
			t.Fatal(err)
		}
		s, runs := w.ended(s, 5*time.Second, registry.SweepCancelled)
		if n := states(runs); n[registry.RunCancelled] != 5 || len(runs) != 10 || w.busy != 0 || s.Reason != "cancelled by kelley" {
			t.Errorf("trials %v, %d busy, %q", n, w.busy, s.Reason)
		}
		if run, err := w.reg.Run(t.Context(), own.ID); err != nil || run.State != registry.RunComplete || w.count(events.TypePackagePublished) != 1 {
			t.Errorf("the run of its own is %s, %d announced, %v", run.State, w.count(events.TypePackagePublished), err)
		}
	})
}

func TestEventIsAHintToLookNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, learns)
		worker, _ := w.tune(func(c *tune.Config) { c.Poll = time.Hour })
		synctest.Wait()
		s := w.sweep(1, `"trials":2,"parallel":2`)
		for range 3 {
			if err := worker.Handle(t.Context(), events.Blank()); err != nil {
				t.Fatal(err)
			}
		}
		if _, runs := w.after(s, 0); len(runs) != 2 {
			t.Errorf("%d trials after the event", len(runs))
		}
	})
}

// A sweep whose figures cannot be read waits; others go on, and it does so afterwards.
func TestBucketFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, learns)
		s := w.sweep(3, `"trials":3,"parallel":3`)
		w.tune(func(c *tune.Config) { c.Bucket = &broken{Bucket: w.bucket, until: time.Now().Add(30 * time.Second)} })
		if s, _ := w.after(s, 20*time.Second); s.State != registry.SweepRunning {
			t.Errorf("%s without a figure: %s", s.State, s.Reason)
		}
		s, runs := w.ended(s, 20*time.Second, registry.SweepComplete)
		w.wantBest(s, runs)
	})
}

// broken lists nothing for a while.
type broken struct {
	bucket.Bucket
	until time.Time
}

func (b *broken) List(ctx context.Context, prefix string) iter.Seq2[bucket.Attrs, error] {
	if time.Now().Before(b.until) {
		return func(yield func(bucket.Attrs, error) bool) { yield(bucket.Attrs{}, errTest) }
	}
	return b.Bucket.List(ctx, prefix)
}

func TestConfigListsEveryFault(t *testing.T) {
	_, err := tune.New(tune.Config{Poll: -1})
	for _, want := range []string{"sweeps or runs", "bucket", "poll"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %q", err, want)
		}
	}
}
