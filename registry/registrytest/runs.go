package registrytest

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
)

// newRun is a requested run named after its key, created at the n-th second.
func newRun(key string, n int) registry.Run {
	return registry.Run{
		ID: runID(key), Key: digest(key), Model: "fraud", Dataset: digest("data"), Workflow: digest("code"),
		Request: json.RawMessage(`{"zeta": 1.50,  "alpha": [ "as it came" ]}`),
		Cause:   "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		State:   registry.RunRequested, Created: at(n), Updated: at(n),
	}
}

func mustCreate(t *testing.T, c registry.Catalog, r registry.Run, evs ...events.Event) {
	t.Helper()
	if _, created, err := c.CreateRun(t.Context(), r, evs...); err != nil || !created {
		t.Fatalf("CreateRun(%s) = created %v, %v", r.ID, created, err)
	}
}

func mustChange(t *testing.T, c registry.Catalog, v registry.RunChange, evs ...events.Event) registry.Run {
	t.Helper()
	r, err := c.ChangeRun(t.Context(), v, evs...)
	if err != nil {
		t.Fatalf("ChangeRun to %s: %v", v.To, err)
	}
	return r
}

// move is a change of the run named key from one state and attempt to another.
func move(key string, from registry.RunState, fromAttempt int, to registry.RunState, attempt, n int) registry.RunChange {
	return registry.RunChange{
		ID: runID(key), From: []registry.RunState{from}, FromAttempt: fromAttempt, To: to, Attempt: attempt,
		Reason: "because", At: at(n),
	}
}

func testCreateRun(t *testing.T, c registry.Catalog) {
	want := newRun("a", 1)
	got, created, err := c.CreateRun(t.Context(), want, event(t, "e1"))
	if err != nil || !created {
		t.Fatalf("CreateRun = created %v, %v", created, err)
	}
	equal(t, "created run", got, want)

	got, err = c.Run(t.Context(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Request) != string(want.Request) {
		t.Errorf("request = %s, want it as it came: %s", got.Request, want.Request)
	}
	want.History = []registry.Transition{{State: registry.RunRequested, At: at(1)}}
	equal(t, "run", got, want)
	wantOutbox(t, c, "e1")
	equal(t, "event", pending(t, c)[0], event(t, "e1"))

	if _, err := c.Run(t.Context(), runID("none")); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("unknown run: %v, want ErrNotFound", err)
	}
}

func testCreateRunOncePerKey(t *testing.T, c registry.Catalog) {
	var ids [writers]registry.RunID
	var made [writers]bool
	race(func(i int) {
		r := newRun("a", 1)
		r.ID = runID(string(rune('0' + i)))
		got, created, err := c.CreateRun(t.Context(), r, event(t, "e1"))
		if err != nil {
			t.Errorf("CreateRun: %v", err)
		}
		ids[i], made[i] = got.ID, created
	})
	n := 0
	for i := range writers {
		if ids[i] != ids[0] {
			t.Errorf("writer %d got run %s, writer 0 got %s: one key, one run", i, ids[i], ids[0])
		}
		if made[i] {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d writers created the run, want 1", n)
	}
	wantOutbox(t, c, "e1")

	// A repeat shows the run as it stands, not as it was asked for.
	mustChange(t, c, registry.RunChange{ID: ids[0], From: []registry.RunState{registry.RunRequested}, To: registry.RunQueued,
		Attempt: 1, At: at(2)})
	r := newRun("a", 9)
	r.ID = runID("late")
	got, created, err := c.CreateRun(t.Context(), r, event(t, "e2"))
	if err != nil || created || got.ID != ids[0] || got.State != registry.RunQueued || got.Attempt != 1 {
		t.Errorf("repeat = run %s %s attempt %d, created %v, %v", got.ID, got.State, got.Attempt, created, err)
	}
	wantOutbox(t, c, "e1")
}

func testChangeRun(t *testing.T, c registry.Catalog) {
	want := newRun("a", 1)
	mustCreate(t, c, want)
	mustChange(t, c, move("a", registry.RunRequested, 0, registry.RunQueued, 1, 2))
	mustChange(t, c, move("a", registry.RunQueued, 1, registry.RunRunning, 1, 3), event(t, "started"))
	mustChange(t, c, move("a", registry.RunRunning, 1, registry.RunQueued, 2, 4))
	v := move("a", registry.RunQueued, 2, registry.RunRunning, 2, 5)
	v.From = []registry.RunState{registry.RunRequested, registry.RunQueued}
	v.Artifacts = map[string]string{"logs": "l", "scores.tsv": "old"}
	mustChange(t, c, v, event(t, "started again"))
	v = move("a", registry.RunRunning, 2, registry.RunComplete, 2, 6)
	v.Package, v.Artifacts = digest("p"), map[string]string{"scores.tsv": "s"}
	got := mustChange(t, c, v, event(t, "published"), event(t, "succeeded"))

	want.State, want.Attempt, want.Updated, want.Package = registry.RunComplete, 2, at(6), digest("p")
	want.Artifacts = map[string]string{"logs": "l", "scores.tsv": "s"}
	got.History = nil // may be left out here
	equal(t, "changed run", got, want)
	want.History = []registry.Transition{
		{State: registry.RunRequested, At: at(1)},
		{State: registry.RunQueued, Attempt: 1, Reason: "because", At: at(2)},
		{State: registry.RunRunning, Attempt: 1, Reason: "because", At: at(3)},
		{State: registry.RunQueued, Attempt: 2, Reason: "because", At: at(4)},
		{State: registry.RunRunning, Attempt: 2, Reason: "because", At: at(5)},
		{State: registry.RunComplete, Attempt: 2, Reason: "because", At: at(6)},
	}
	got, err := c.Run(t.Context(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "run", got, want)
	wantOutbox(t, c, "started", "started again", "published", "succeeded")
}

// testClaim: an attempt belongs to the first executor, a new attempt to nobody, and a class stays until another comes.
func testClaim(t *testing.T, c registry.Catalog) {
	mustCreate(t, c, newRun("a", 1))
	v := move("a", registry.RunRequested, 0, registry.RunQueued, 1, 2)
	v.ComputeClass = "CPU"
	mustChange(t, c, v)
	claim := func(state registry.RunState, attempt int, executor string, n int) registry.RunChange {
		v := move("a", state, attempt, registry.RunRunning, attempt, n)
		v.Executor = executor
		return v
	}
	if got := mustChange(t, c, claim(registry.RunQueued, 1, "pod-1", 3)); got.Executor != "pod-1" || got.ComputeClass != "CPU" {
		t.Errorf("claimed by %q on class %q", got.Executor, got.ComputeClass)
	}
	if got, err := c.ChangeRun(t.Context(), claim(registry.RunRunning, 1, "pod-2", 4)); !errors.Is(err, registry.ErrRunMoved) || got.Executor != "pod-1" {
		t.Errorf("second executor: %v, the attempt is %q's", err, got.Executor)
	}
	mustChange(t, c, claim(registry.RunRunning, 1, "pod-1", 5))
	v = move("a", registry.RunRunning, 1, registry.RunQueued, 2, 6)
	v.ComputeClass = "HIGH_MEMORY"
	mustChange(t, c, v)
	got := mustChange(t, c, claim(registry.RunQueued, 2, "pod-2", 7))
	if got.Executor != "pod-2" || got.ComputeClass != "HIGH_MEMORY" {
		t.Errorf("attempt 2 is %q's on class %q", got.Executor, got.ComputeClass)
	}
	got, err := c.Run(t.Context(), runID("a"))
	if err != nil {
		t.Fatal(err)
	}
	var classes []string
	for _, step := range got.History {
		classes = append(classes, step.ComputeClass)
	}
	equal(t, "classes", classes, []string{"", "CPU", "CPU", "CPU", "HIGH_MEMORY", "HIGH_MEMORY"})
}

func testChangeRunRefused(t *testing.T, c registry.Catalog) {
	mustCreate(t, c, newRun("a", 1), event(t, "e1"))
	mustChange(t, c, move("a", registry.RunRequested, 0, registry.RunQueued, 1, 2), event(t, "e2"))
	before, err := c.Run(t.Context(), runID("a"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		v    registry.RunChange
		want error
	}{
		{"other state", move("a", registry.RunRequested, 1, registry.RunRunning, 1, 3), registry.ErrRunMoved},
		{"earlier attempt", move("a", registry.RunQueued, 0, registry.RunRunning, 1, 3), registry.ErrRunMoved},
		{"later attempt", move("a", registry.RunQueued, 2, registry.RunRunning, 2, 3), registry.ErrRunMoved},
		{"no run", move("none", registry.RunQueued, 1, registry.RunRunning, 1, 3), registry.ErrNotFound},
	} {
		tc.v.Artifacts = map[string]string{"logs": "never"}
		got, err := c.ChangeRun(t.Context(), tc.v, event(t, "never"))
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
		if tc.want == registry.ErrRunMoved && (got.State != registry.RunQueued || got.Attempt != 1) {
			t.Errorf("%s: the refusal shows %s at attempt %d, want the run as it stands", tc.name, got.State, got.Attempt)
		}
	}
	after, err := c.Run(t.Context(), runID("a"))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "run after refusals", after, before)
	wantOutbox(t, c, "e1", "e2")

	v := move("a", registry.RunQueued, 1, registry.RunFailed, 1, 4)
	v.Exception = &events.Exception{Type: "ValueError", Message: "no rows", Step: "train", Retryable: true}
	mustChange(t, c, v)
	after, err = c.Run(t.Context(), runID("a"))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "exception", after.Exception, v.Exception)
}

func testOnePackagePerRun(t *testing.T, c registry.Catalog) {
	mustCreate(t, c, newRun("a", 1))
	mustChange(t, c, move("a", registry.RunRequested, 0, registry.RunRunning, 1, 2))
	var won [writers]bool
	race(func(i int) {
		id := string(rune('0' + i))
		v := move("a", registry.RunRunning, 1, registry.RunComplete, 1, 3)
		v.Package = digest(id)
		switch _, err := c.ChangeRun(t.Context(), v, event(t, id)); {
		case err == nil:
			won[i] = true
		case !errors.Is(err, registry.ErrRunMoved):
			t.Errorf("ChangeRun: %v, want ErrRunMoved", err)
		}
	})
	run, err := c.Run(t.Context(), runID("a"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for i, ok := range won {
		if !ok {
			continue
		}
		n++
		id := string(rune('0' + i))
		if run.Package != digest(id) {
			t.Errorf("writer %d won, but the run has another package", i)
		}
		wantOutbox(t, c, id)
	}
	if n != 1 || len(run.History) != 3 {
		t.Errorf("%d writers completed the run with %d transitions, want 1 and 3", n, len(run.History))
	}
}

func testListRuns(t *testing.T, c registry.Catalog) {
	for i, key := range []string{"b", "a", "c"} { // not in the order of their keys
		r := newRun(key, i)
		if key == "c" {
			r.Model, r.Dataset = "other", digest("other data")
		}
		mustCreate(t, c, r)
	}
	mustChange(t, c, move("a", registry.RunRequested, 0, registry.RunCancelled, 0, 9))
	v := move("b", registry.RunRequested, 0, registry.RunComplete, 1, 9)
	v.Package = digest("package of b")
	mustChange(t, c, v)
	for _, tc := range []struct {
		name string
		f    registry.RunFilter
		want []string
	}{
		{"all, newest first", registry.RunFilter{}, []string{"c", "a", "b"}},
		{"limit", registry.RunFilter{Limit: 2}, []string{"c", "a"}},
		{"model", registry.RunFilter{Model: "fraud"}, []string{"a", "b"}},
		{"state", registry.RunFilter{States: []registry.RunState{registry.RunRequested}}, []string{"c"}},
		{"states", registry.RunFilter{States: []registry.RunState{registry.RunCancelled, registry.RunRequested}},
			[]string{"c", "a"}},
		{"model and state", registry.RunFilter{Model: "fraud", States: []registry.RunState{registry.RunCancelled}},
			[]string{"a"}},
		{"dataset", registry.RunFilter{Dataset: digest("data")}, []string{"a", "b"}},
		{"package", registry.RunFilter{Package: digest("package of b")}, []string{"b"}},
		{"package of nobody", registry.RunFilter{Package: digest("package")}, nil},
		{"none", registry.RunFilter{Model: "nobody"}, nil},
	} {
		runs, err := c.ListRuns(t.Context(), tc.f)
		if err != nil {
			t.Fatal(err)
		}
		var got, want []string
		for _, r := range runs {
			got = append(got, r.ID.String())
			if len(r.History) != 0 {
				t.Errorf("%s: run %s has a history in the list", tc.name, r.ID)
			}
		}
		for _, key := range tc.want {
			want = append(want, runID(key).String())
		}
		equal(t, tc.name, got, want)
	}
}
