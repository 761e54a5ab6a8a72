package registrytest

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
)

func newSpec(kind, name, body string, n int) registry.Spec {
	return registry.Spec{Kind: kind, Name: name, Body: json.RawMessage(body), Digest: digest(body), Updated: at(n)}
}

func putSpec(t *testing.T, c registry.Catalog, s registry.Spec, ev string) (registry.Spec, bool) {
	t.Helper()
	got, changed, err := c.PutSpec(t.Context(), s, event(t, ev))
	if err != nil {
		t.Fatal(err)
	}
	return got, changed
}

func testSpecs(t *testing.T, c registry.Catalog) {
	if _, err := c.Spec(t.Context(), "Model", "m"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("unknown spec: %v, want ErrNotFound", err)
	}
	one := newSpec("Model", "m", `{"z":1,"a":  1.0}`, 1)
	got, changed := putSpec(t, c, one, "e1")
	one.Generation = 1
	if !changed {
		t.Error("the first body is no change")
	}
	equal(t, "first", got, one)
	repeat := newSpec("Model", "m", `{"z":1,"a":  1.0}`, 2)
	if got, changed = putSpec(t, c, repeat, "e2"); changed {
		t.Error("the same body is a change")
	}
	equal(t, "repeat", got, one)
	two := newSpec("Model", "m", `{"z":2}`, 3)
	got, changed = putSpec(t, c, two, "e3")
	two.Generation = 2
	if !changed {
		t.Error("another body is no change")
	}
	equal(t, "second", got, two)
	back := newSpec("Model", "m", `{"z":1,"a":  1.0}`, 4)
	if got, changed = putSpec(t, c, back, "e4"); !changed || got.Generation != 3 {
		t.Errorf("back to the first body: generation %d, changed %v, want 3 and true", got.Generation, changed)
	}
	wantOutbox(t, c, "e1", "e3", "e4")
	got, err := c.Spec(t.Context(), "Model", "m")
	if err != nil || string(got.Body) != `{"z":1,"a":  1.0}` {
		t.Errorf("body = %s, %v, want its exact bytes", got.Body, err)
	}

	putSpec(t, c, newSpec("Stream", "m", `{}`, 5), "e5") // the same name in another kind
	putSpec(t, c, newSpec("Model", "b", `{}`, 6), "e6")
	for kind, want := range map[string][]string{
		"": {"Model b", "Model m", "Stream m"}, "Model": {"Model b", "Model m"}, "Workflow": nil,
	} {
		specs, err := c.ListSpecs(t.Context(), kind)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range specs {
			got = append(got, s.Kind+" "+s.Name)
		}
		equal(t, "specs of kind "+kind, got, want)
	}
}

// testSpecHistory: every generation stays, and a change that was made for one does not pass by another.
func testSpecHistory(t *testing.T, c registry.Catalog) {
	if _, err := c.SpecHistory(t.Context(), "Stream", "s"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("unknown spec: %v, want ErrNotFound", err)
	}
	putSpec(t, c, newSpec("Stream", "other", `{}`, 1), "other")
	early := newSpec("Stream", "s", `{"n":1}`, 1)
	early.Generation = 2
	if _, _, err := c.PutSpec(t.Context(), early, event(t, "refused")); !errors.Is(err, registry.ErrSpecMoved) {
		t.Errorf("generation 2 of nothing: %v, want ErrSpecMoved", err)
	}
	var want []registry.Spec
	put := func(body string, expect int64, changed bool) {
		t.Helper()
		s := newSpec("Stream", "s", body, len(want)+1)
		s.Generation = expect
		if _, got := putSpec(t, c, s, body); got != changed {
			t.Errorf("%s: changed %v", body, got)
		}
		if changed {
			s.Generation = int64(len(want)) + 1
			want = append(want, s)
		}
	}
	put(`{"n":1}`, 1, true)
	put(`{"n":2}`, 2, true)
	put(`{"n":2}`, 2, false) // it stands already, so it does not matter who was first
	put(`{"n":2}`, 9, false)
	put(`{"n":1}`, 0, true)
	for _, expect := range []int64{1, 3, 5} {
		s := newSpec("Stream", "s", `{"n":3}`, 9)
		s.Generation = expect
		if _, _, err := c.PutSpec(t.Context(), s, event(t, "refused")); !errors.Is(err, registry.ErrSpecMoved) {
			t.Errorf("generation %d after 3: %v, want ErrSpecMoved", expect, err)
		}
	}
	put(`{"n":3}`, 4, true)
	got, err := c.SpecHistory(t.Context(), "Stream", "s")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "history", got, want)
	wantOutbox(t, c, "other", `{"n":1}`, `{"n":2}`, `{"n":1}`, `{"n":3}`)
}

// testOutboxOrder: the relay publishes in this order, and a run's events must not overtake each other.
func testOutboxOrder(t *testing.T, c registry.Catalog) {
	mustCreate(t, c, newRun("a", 1), event(t, "1"), event(t, "2"))
	if _, err := c.MoveTag(t.Context(), moveTo("a", 0, "op"), event(t, "3")); err != nil {
		t.Fatal(err)
	}
	mustChange(t, c, move("a", registry.RunRequested, 0, registry.RunQueued, 1, 2))
	mustChange(t, c, move("a", registry.RunQueued, 1, registry.RunRunning, 1, 3), event(t, "4"))
	putSpec(t, c, newSpec("Model", "m", `{}`, 1), "5")
	wantOutbox(t, c, "1", "2", "3", "4", "5")
}
