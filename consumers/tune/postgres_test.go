package tune_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/tune"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// TestTwoWorkersOnPostgres: two workers that know nothing of each other move one sweep on a real database, and its trials
// are what they would be for one.
func TestTwoWorkersOnPostgres(t *testing.T) {
	catalog := pgtest.New(t).Catalog
	b := membucket.New()
	reg, err := registry.New(registry.Config{Catalog: catalog, Store: cas.NewStore(b), Signer: signer{}})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, reg: reg}
	w.apply("class FlightDelay: pass\n")
	body, err := json.Marshal(map[string]any{"model_name": "flight-delay", "train": map[string]any{
		"workflow_name": "flight-delay", "classifier_features": []string{"delay"}, "label": "late",
	}})
	if err != nil {
		t.Fatal(err)
	}
	search := `{"metric":"auc","goal":"minimize","trials":9,"parallel":3,"parameters":{"x":{"type":"number","min":0,"max":1}}}`
	s, _, err := reg.StartSweep(t.Context(), registry.SweepRequest{Request: body, Search: json.RawMessage(search), Nonce: "n"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		worker, err := tune.New(tune.Config{Sweeps: reg, Runs: reg, Bucket: b, Poll: 10 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		w.work(worker.Run)
	}
	w.work(func(ctx context.Context) error { return trains(ctx, w, catalog, b) })

	timeout, tick := time.After(time.Minute), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for s.State == registry.SweepRunning {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatal("still running")
		}
		if s, err = reg.Sweep(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
	}
	runs, err := reg.Runs(t.Context(), registry.RunFilter{Sweep: s.ID})
	if err != nil {
		t.Fatal(err)
	}
	best := slices.MinFunc(runs, func(a, b registry.Run) int { return cmpX(w.drawn(a), w.drawn(b)) })
	if s.State != registry.SweepComplete || len(runs) != 9 || s.Best != best.ID || len(s.History) != 2 {
		t.Errorf("%s after %d trials, best %s, want %s: %s", s.State, len(runs), s.Best, best.ID, s.Reason)
	}
	evs, err := catalog.PendingEvents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]int{}
	for _, ev := range evs {
		told[ev.Type()]++
		if ev.Type() == events.TypePackagePublished && ev.ID() != best.ID.String()+"/published" {
			t.Errorf("announced %s", ev.ID())
		}
	}
	if told[events.TypeRunRequested] != 9 || told[events.TypePackagePublished] != 1 || told[events.TypeSweepEnded] != 1 {
		t.Errorf("events %v", told)
	}
}

func cmpX(a, b params) int {
	if a.X < b.X {
		return -1
	}
	return 1
}

// trains does the work of all machines and jobs: each run measures its x, and is complete.
func trains(ctx context.Context, w *world, catalog *pgcatalog.Catalog, b bucket.Bucket) error {
	work := context.WithoutCancel(ctx)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		open, err := w.reg.Runs(work, registry.RunFilter{States: []registry.RunState{registry.RunRequested}})
		if err != nil {
			return err
		}
		for _, run := range open {
			if _, err := w.reg.QueueRun(work, run.ID, "CPU"); err != nil {
				return err
			}
			line := fmt.Sprintf(`{"name":"auc","value":%v,"at":"2026-11-23T14:00:00Z"}`, w.drawn(run).X)
			key := registry.AttemptPrefix(run.ID, 1) + registry.SeriesDir + "/00000000"
			_, err1 := b.Put(work, key, strings.NewReader(line), int64(len(line)), bucket.PutOptions{})
			id := cas.Sum([]byte(run.ID.String()))
			_, err2 := catalog.PutPackage(work, registry.Package{ID: id, Model: run.Model, Manifest: []byte("{}")})
			_, err3 := w.reg.CompleteRun(work, run.ID, 1, id, nil)
			if err := errors.Join(err1, err2, err3); err != nil {
				return err
			}
		}
	}
}
