package registrytest

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
)

func sweepID(s string) registry.SweepID { return registry.SweepID(runID("sweep " + s)) }

// newSweep is a running sweep of this name, created at the n-th second.
func newSweep(name string, n int) registry.Sweep {
	lo, hi := 0.01, 0.3
	return registry.Sweep{
		ID: sweepID(name), Model: "fraud", Dataset: digest("data"), Workflow: digest("code"), State: registry.SweepRunning,
		Request: json.RawMessage(`{"zeta": 1.50,  "alpha": [ "as it came" ]}`), Cause: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		Search: registry.Search{
			Metric: "auc", Goal: registry.GoalMaximize, Algorithm: registry.AlgorithmASHA, Seed: 3, Trials: 9, Parallel: 2, MaxSeconds: 0.5,
			Parameters: map[string]registry.Parameter{
				"learning_rate": {Type: registry.ParameterNumber, Min: &lo, Max: &hi, Scale: registry.ScaleLog},
				"boosting":      {Type: registry.ParameterChoice, Values: []json.RawMessage{json.RawMessage(`"gbdt"`), json.RawMessage(`null`)}},
			},
			ASHA: &registry.ASHA{MinStep: 1, MaxStep: 81, Reduction: 3},
		},
		Created: at(n), Updated: at(n),
	}
}

func mustStart(t *testing.T, c registry.Catalog, s registry.Sweep) {
	t.Helper()
	if _, created, err := c.CreateSweep(t.Context(), s); err != nil || !created {
		t.Fatalf("CreateSweep(%s) = created %v, %v", s.ID, created, err)
	}
}

func testCreateSweep(t *testing.T, c registry.Catalog) {
	want := newSweep("a", 1)
	got, created, err := c.CreateSweep(t.Context(), want, event(t, "e1"))
	if err != nil || !created {
		t.Fatalf("CreateSweep = created %v, %v", created, err)
	}
	equal(t, "created sweep", got, want)
	other := newSweep("a", 5)
	other.Model = "other"
	if got, created, err = c.CreateSweep(t.Context(), other, event(t, "e2")); err != nil || created || got.Model != "fraud" {
		t.Errorf("repeat = created %v, model %s, %v", created, got.Model, err)
	}
	if got, err = c.Sweep(t.Context(), want.ID); err != nil {
		t.Fatal(err)
	}
	if string(got.Request) != string(want.Request) {
		t.Errorf("request = %s, want it as it came: %s", got.Request, want.Request)
	}
	want.History = []registry.SweepTransition{{State: registry.SweepRunning, At: at(1)}}
	equal(t, "sweep", got, want)
	wantOutbox(t, c, "e1")
	if _, err := c.Sweep(t.Context(), sweepID("none")); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("unknown sweep: %v, want ErrNotFound", err)
	}
}

func testChangeSweep(t *testing.T, c registry.Catalog) {
	mustStart(t, c, newSweep("a", 1))
	r := newRun("best", 2)
	r.Sweep, r.Trial = sweepID("a"), 1
	mustCreate(t, c, r)
	end := registry.SweepChange{ID: sweepID("a"), To: registry.SweepComplete, Best: r.ID, Reason: "9 trials", At: at(3)}
	got, err := c.ChangeSweep(t.Context(), end, event(t, "published"), event(t, "ended"))
	if err != nil || got.State != registry.SweepComplete || got.Best != r.ID || got.Reason != "9 trials" || !got.Updated.Equal(at(3)) {
		t.Fatalf("ChangeSweep = %+v, %v", got, err)
	}
	later := registry.SweepChange{ID: sweepID("a"), To: registry.SweepCancelled, At: at(4)}
	if got, err = c.ChangeSweep(t.Context(), later, event(t, "never")); !errors.Is(err, registry.ErrSweepMoved) || got.State != registry.SweepComplete {
		t.Errorf("change of an ended sweep: %s, %v", got.State, err)
	}
	later.ID = sweepID("none")
	if _, err := c.ChangeSweep(t.Context(), later, event(t, "never")); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("unknown sweep: %v", err)
	}
	if got, err = c.Sweep(t.Context(), sweepID("a")); err != nil {
		t.Fatal(err)
	}
	equal(t, "history", got.History, []registry.SweepTransition{
		{State: registry.SweepRunning, At: at(1)}, {State: registry.SweepComplete, Reason: "9 trials", At: at(3)},
	})
	wantOutbox(t, c, "published", "ended")
}

func testChangeSweepConcurrently(t *testing.T, c registry.Catalog) {
	mustStart(t, c, newSweep("a", 1))
	var won [writers]bool
	race(func(i int) {
		id := string(rune('0' + i))
		_, err := c.ChangeSweep(t.Context(), registry.SweepChange{ID: sweepID("a"), To: registry.SweepFailed, Reason: id, At: at(2)}, event(t, id))
		if won[i] = err == nil; err != nil && !errors.Is(err, registry.ErrSweepMoved) {
			t.Errorf("ChangeSweep: %v, want ErrSweepMoved", err)
		}
	})
	s, err := c.Sweep(t.Context(), sweepID("a"))
	if err != nil || len(s.History) != 2 {
		t.Fatalf("%d transitions, %v", len(s.History), err)
	}
	for i, ok := range won {
		if id := string(rune('0' + i)); ok != (s.Reason == id) {
			t.Errorf("writer %d won: %v, the reason is %q", i, ok, s.Reason)
		}
	}
	wantOutbox(t, c, s.Reason)
}

func testListSweeps(t *testing.T, c registry.Catalog) {
	for i, name := range []string{"b", "a", "c"} { // not in the order of their names
		s := newSweep(name, i)
		if name == "c" {
			s.Model = "other"
		}
		mustStart(t, c, s)
	}
	if _, err := c.ChangeSweep(t.Context(), registry.SweepChange{ID: sweepID("a"), To: registry.SweepCancelled, At: at(9)}); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		f    registry.SweepFilter
		want []string
	}{
		"all, newest first": {registry.SweepFilter{}, []string{"c", "a", "b"}},
		"limit":             {registry.SweepFilter{Limit: 2}, []string{"c", "a"}},
		"behind":            {registry.SweepFilter{After: newSweep("c", 2).Cursor()}, []string{"a", "b"}},
		"model":             {registry.SweepFilter{Model: "fraud"}, []string{"a", "b"}},
		"state":             {registry.SweepFilter{States: []registry.SweepState{registry.SweepRunning}}, []string{"c", "b"}},
		"none":              {registry.SweepFilter{Model: "fraud", States: []registry.SweepState{registry.SweepFailed}}, nil},
	} {
		list, err := c.ListSweeps(t.Context(), tc.f)
		if err != nil {
			t.Fatal(err)
		}
		var got, want []registry.SweepID
		for _, s := range list {
			got = append(got, s.ID)
		}
		for _, name := range tc.want {
			want = append(want, sweepID(name))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// testTrialsOfASweep: a run says whose trial it is, keeps saying it, and is found by it.
func testTrialsOfASweep(t *testing.T, c registry.Catalog) {
	mustStart(t, c, newSweep("a", 1))
	mustStart(t, c, newSweep("b", 1))
	mustCreate(t, c, newRun("of its own", 2))
	for i, name := range []string{"a", "b", "a"} {
		r := newRun(name+string(rune('0'+i)), 3+i)
		r.Sweep, r.Trial = sweepID(name), i+1
		mustCreate(t, c, r)
	}
	want := []registry.RunID{runID("a2"), runID("a0")}
	if got := listed(t, c, registry.RunFilter{Sweep: sweepID("a")}); !slices.Equal(got, want) {
		t.Errorf("trials of a: %v, want %v", got, want)
	}
	if got := listed(t, c, registry.RunFilter{Sweep: sweepID("a"), States: []registry.RunState{registry.RunRunning}}); len(got) != 0 {
		t.Errorf("running trials of a: %v", got)
	}
	mustChange(t, c, move("a2", registry.RunRequested, 0, registry.RunQueued, 1, 9))
	got, err := c.Run(t.Context(), runID("a2"))
	if err != nil || got.Sweep != sweepID("a") || got.Trial != 3 {
		t.Errorf("trial %d of %s, %v", got.Trial, got.Sweep, err)
	}
}
