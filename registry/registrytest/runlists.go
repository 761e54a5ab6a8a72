package registrytest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry"
)

// listed are the ids of a list, in order.
func listed(t *testing.T, c registry.Catalog, f registry.RunFilter) []registry.RunID {
	t.Helper()
	runs, err := c.ListRuns(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	out := []registry.RunID{}
	for _, r := range runs {
		out = append(out, r.ID)
	}
	return out
}

// testRunsByRequest: who a run is for is in its request, in whatever form the rest of that has.
func testRunsByRequest(t *testing.T, c registry.Catalog) {
	for i, request := range []string{
		`{"project":"flights","owner":"ops","trainer":"kelley","train":{"workflow_name":"delay"}}`,
		`{"project":"flights","owner":"ml","trainer":"rob","train":{"workflow_name":"Delay"}}`,
		`{"project":"Flights","owner":null,"train":[7]}`,
		`{"train":{"workflow_name":null,"project":"flights"}}`,
	} {
		r := newRun(fmt.Sprint(i), i)
		r.Request = json.RawMessage(request)
		mustCreate(t, c, r)
	}
	for _, tc := range []struct {
		name string
		f    registry.RunFilter
		want []string
	}{
		{"project", registry.RunFilter{Project: "flights"}, []string{"1", "0"}},
		{"owner", registry.RunFilter{Owner: "ops"}, []string{"0"}},
		{"trainer", registry.RunFilter{Trainer: "rob"}, []string{"1"}},
		{"all three", registry.RunFilter{Project: "flights", Owner: "ops", Trainer: "rob"}, nil},
		{"workflow", registry.RunFilter{Workflows: []string{"delay"}}, []string{"0"}},
		{"workflow in both ways", registry.RunFilter{Workflows: []string{"Delay", "delay"}}, []string{"1", "0"}},
		{"since", registry.RunFilter{Since: at(2)}, []string{"3", "2"}},
		{"until", registry.RunFilter{Until: at(2)}, []string{"1", "0"}},
		{"between", registry.RunFilter{Since: at(1), Until: at(3), Project: "flights"}, []string{"1"}},
		{"oldest first", registry.RunFilter{Oldest: true, Limit: 3}, []string{"0", "1", "2"}},
		{"nothing between", registry.RunFilter{Since: at(3), Until: at(3)}, nil},
	} {
		want := []registry.RunID{}
		for _, key := range tc.want {
			want = append(want, runID(key))
		}
		if got := listed(t, c, tc.f); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", tc.name, got, want)
		}
	}
}

// testRunPages reads a list page by page while runs are added, many of them at one time: what was there when the reader
// began is read once, whatever comes.
func testRunPages(t *testing.T, c registry.Catalog) {
	rng := rand.New(rand.NewPCG(5, 6))
	add := func(i, second int) registry.Run {
		r := newRun(fmt.Sprint("page ", i), second)
		r.ID = registry.RunID(uuid.NewSHA1(uuid.Nil, fmt.Appendf(nil, "%d", rng.Int())))
		mustCreate(t, c, r)
		return r
	}
	first := map[registry.RunID]bool{}
	for i := range 20 {
		first[add(i, i/7).ID] = true
	}
	var read []registry.Run
	f := registry.RunFilter{Limit: 3}
	for n := 20; ; n++ {
		page, err := c.ListRuns(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		if read = append(read, page...); len(page) < f.Limit {
			break
		}
		f.After = page[len(page)-1].Cursor()
		add(n, 30)
		add(100+n, rng.IntN(3)) // one that was long under way
	}
	seen := map[registry.RunID]bool{}
	for i, r := range read {
		if seen[r.ID] {
			t.Errorf("run %s is on two pages", r.ID)
		}
		if seen[r.ID] = true; i > 0 && r.Created.After(read[i-1].Created) {
			t.Errorf("run %d is newer than the one before", i)
		}
		delete(first, r.ID)
	}
	if len(first) > 0 {
		t.Errorf("%d runs are on no page", len(first))
	}
	f.After = registry.RunCursor{Created: at(0).AddDate(-1, 0, 0)}
	if got := listed(t, c, f); len(got) != 0 {
		t.Errorf("behind the end: %v", got)
	}
}

func testRetryOf(t *testing.T, c registry.Catalog) {
	mustCreate(t, c, newRun("a", 1))
	again := newRun("b", 2)
	again.RetryOf = runID("a")
	got, _, err := c.CreateRun(t.Context(), again)
	if err != nil || got.RetryOf != again.RetryOf {
		t.Fatalf("created as a retry of %s, %v", got.RetryOf, err)
	}
	if got, err = c.Run(t.Context(), again.ID); err != nil || got.RetryOf != again.RetryOf {
		t.Errorf("read as a retry of %s, %v", got.RetryOf, err)
	}
	if got, err = c.Run(t.Context(), runID("a")); err != nil || got.RetryOf != (registry.RunID{}) {
		t.Errorf("the first run is a retry of %s, %v", got.RetryOf, err)
	}
}
