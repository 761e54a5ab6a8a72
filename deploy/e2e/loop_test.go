package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/examples/flights"
)

// The whole loop, on embedded parts in one process and on servers that others wrote in three.
func TestLoop(t *testing.T) {
	for name, start := range map[string]func(*testing.T) *deployment{"embedded": embedded, "real": real} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, start(t))
			for _, step := range []struct {
				name string
				do   func(*testing.T)
			}{
				{"declares the example, once", w.declares},
				{"refuses bad events", w.refusesEvents},
				{"turns events into a model", w.turns},
				{"refuses bad predictions", w.refusesRows},
				{"has online what training saw", w.agreesWithDataset},
				{"turns again and swaps without a failure", w.swaps},
				{"runs a dataset once, however often it is announced", w.runsOnce},
				{"trains the same package again", w.repeats},
				{"says why a workflow failed", w.reportsFailures},
				{"refuses a corrupt package", w.refusesCorruption},
				{"traces a prediction to the log", w.traces},
				{"has archived everything once", w.archived},
				{"measures itself", w.measures},
			} {
				if !t.Run(step.name, step.do) {
					return // what follows stands on it
				}
			}
		})
	}
}

// world is one deployment with what has happened on it so far.
type world struct {
	*deployment
	specs     string // directory of the declarations
	hs        []flights.Happening
	plan      flights.Plan
	replay    *flights.Replay
	rows      map[string]flights.Features // by flight: what the desk knew at its departure
	turnsDone []flights.Stages
}

// every is the length of a window: a third of the example's, so that the test takes a third of its time.
const every = 8 * 24 * time.Hour

func newWorld(t *testing.T, d *deployment) *world {
	t.Helper()
	tables, err := flights.Load(flights.TwoMonths())
	if err != nil {
		t.Fatal(err)
	}
	hs, err := flights.Happenings(tables)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := flights.PlanFor(hs, every)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{deployment: d, hs: hs, plan: plan, rows: map[string]flights.Features{}, specs: t.TempDir()}
	w.replay = flights.NewReplay(d.client, hs)
	desk := flights.NewDesk()
	for _, h := range hs {
		desk.See(h)
		if h.Event.Type() == flights.TypeDeparted {
			w.rows[h.Flight.ID] = desk.Row(h.Flight)
		}
	}
	if err := os.CopyFS(w.specs, flights.Specs); err != nil {
		t.Fatal(err)
	}
	w.edit(t, "dataset.yaml", "every: 24d", "every: 8d")
	w.edit(t, "model.yaml", "last: 7d", "last: 2d")
	return w
}

func (w *world) edit(t *testing.T, file, old, new string) {
	t.Helper()
	path := filepath.Join(w.specs, "specs", file)
	b, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(b, []byte(old)) {
		t.Fatalf("%s has no %q (%v)", file, old, err)
	}
	if err := os.WriteFile(path, bytes.Replace(b, []byte(old), []byte(new), 1), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (w *world) declares(t *testing.T) {
	args := []string{"apply", "-f", filepath.Join(w.specs, "specs"), "-o", "json"}
	if out := w.cli(t, append(args, "--dry-run")...); strings.Count(out, `"created"`) != 4 {
		t.Errorf("dry run:\n%s", out)
	}
	if out := w.cli(t, args...); strings.Count(out, `"created"`) != 4 {
		t.Errorf("apply:\n%s", out)
	}
	if out := w.cli(t, args...); strings.Count(out, `"unchanged"`) != 4 {
		t.Errorf("apply again:\n%s", out)
	}
}

// turns replays the first window and waits for its model.
func (w *world) turns(t *testing.T) {
	s := w.turn(t, 1)
	if s.Decision != "promote" || s.Generation != 1 {
		t.Errorf("the first model was not promoted: %+v", s)
	}
	w.log(t, s.Run, "step publish")
}

// log waits for a line of a run's log, which the job may still be sending, and returns what there is then.
func (w *world) log(t *testing.T, id, line string) string {
	t.Helper()
	var log string
	await(t, 30*time.Second, "the log", func() (bool, error) {
		log = w.cli(t, "runs", "logs", id)
		return strings.Contains(log, line), fmt.Errorf("no %q in the log:\n%s", line, log)
	})
	return log
}

func (w *world) turn(t *testing.T, k int) flights.Stages {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if err := w.replay.Until(ctx, w.plan.Due(k)); err != nil {
		t.Fatal(err)
	}
	s, err := flights.Turn(ctx, w.client, w.plan.WindowEnd(k))
	if err != nil {
		t.Fatal(err)
	}
	w.turnsDone = append(w.turnsDone, s)
	return s
}

// swaps lets the loop turn again and moves the tag by hand back and forth, while clients ask all the time.
func (w *world) swaps(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	var mu sync.Mutex
	seen, newest := map[int64]string{}, int64(0) // generation: package
	row := w.someRow()
	for range 2 {
		clients.Go(func() {
			for ctx.Err() == nil {
				a, err := w.client.PredictOne(context.WithoutCancel(ctx), flights.TagName, row)
				mu.Lock()
				switch before, ok := seen[a.Generation]; {
				case err != nil:
					t.Errorf("a request failed: %v", err)
					stop()
				case ok && before != a.Package:
					t.Errorf("generation %d was %s and %s", a.Generation, before, a.Package)
				}
				seen[a.Generation], newest = a.Package, max(newest, a.Generation)
				mu.Unlock()
			}
		})
	}
	second := w.turn(t, 2)
	generation := int64(len(w.history(t)))
	for range 4 { // whatever was decided, the tag moves
		to := second.Package
		if generation%2 == 1 {
			to = w.turnsDone[0].Package
		}
		w.cli(t, "tag", "set", flights.TagName, to, "--from", fmt.Sprint(generation), "--reason", "the test swaps")
		generation++
		await(t, 30*time.Second, "the swap", func() (bool, error) {
			mu.Lock()
			defer mu.Unlock()
			return newest >= generation, nil
		})
	}
	stop()
	clients.Wait()
	for i, g := range w.history(t) {
		if g.Generation != int64(i+1) {
			t.Errorf("history has generation %d at %d", g.Generation, i+1)
		}
		if p, ok := seen[g.Generation]; ok && p != g.Arms[0].Package {
			t.Errorf("generation %d answered with %s, history says %s", g.Generation, p, g.Arms[0].Package)
		}
	}
}

type generation struct {
	Generation int64
	Arms       []struct{ Package string }
}

func (w *world) history(t *testing.T) []generation {
	t.Helper()
	var list struct{ Generations []generation }
	if err := w.client.Get(t.Context(), "/v1/tags/"+flights.TagName+"/history", &list); err != nil {
		t.Fatal(err)
	}
	return list.Generations
}

// repeats asks for the training of the first run again, as a run of its own.
func (w *world) repeats(t *testing.T) {
	first := w.turnsDone[0]
	var run struct{ Request json.RawMessage }
	if err := w.client.Get(t.Context(), "/v1/runs/"+first.Run, &run); err != nil {
		t.Fatal(err)
	}
	again := w.train(t, run.Request)
	if again == first.Run {
		t.Fatal("the same run, not another one")
	}
	if state, got, _ := w.finish(t, again); state != "complete" || got != first.Package {
		t.Errorf("%s with package %s, want %s", state, got, first.Package)
	}
}

// train posts a training request and returns the bare id.
func (w *world) train(t *testing.T, request []byte) string {
	t.Helper()
	status, body := w.post(t, w.Control+"/train", "application/json", request)
	var id string
	if status != http.StatusOK || json.Unmarshal(body, &id) != nil {
		t.Fatalf("POST /train: %d %s", status, body)
	}
	return id
}

// finish waits for the end of a run.
func (w *world) finish(t *testing.T, id string) (state, pkg string, exception map[string]any) {
	t.Helper()
	var run struct {
		State, Package string
		Exception      map[string]any
	}
	await(t, 2*time.Minute, "run "+id, func() (bool, error) {
		err := w.client.Get(t.Context(), "/v1/runs/"+id, &run)
		return run.State == "complete" || run.State == "failed" || run.State == "cancelled", err
	})
	return run.State, run.Package, run.Exception
}
