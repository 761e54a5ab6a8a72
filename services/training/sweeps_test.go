package training

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

const goodSearch = `{"metric":"auc","goal":"maximize","trials":5,"parallel":2,"parameters":{"x":{"type":"integer","min":1,"max":9},"rate":{"type":"number","min":0,"max":1}}}`

func sweepBody(request, search string) string {
	return `{"request":` + request + `,"search":` + search + `}`
}

// startSweep posts a good sweep.
func (w *world) startSweep(headers ...string) registry.Sweep {
	w.t.Helper()
	return want[registry.Sweep](w, w.do(w.tokens[auth.Trainer], "POST", "/v1/sweeps", sweepBody(goodRequest, goodSearch), headers...), http.StatusCreated)
}

func TestStartSweep(t *testing.T) {
	w := newWorld(t)
	rec := w.do(w.tokens[auth.Trainer], "POST", "/v1/sweeps", sweepBody(goodRequest, goodSearch), "Idempotency-Key", "k")
	s := want[registry.Sweep](w, rec, http.StatusCreated)
	if s.State != registry.SweepRunning || s.Model != "flight-delay" || s.Dataset != w.dataset.ID || s.Search.Seed != 0 || s.Search.Algorithm != "random" ||
		rec.Header().Get("Location") != "/v1/sweeps/"+s.ID.String() {
		t.Errorf("%s %v", rec.Body, rec.Header())
	}
	// The same key is the same sweep, whatever is sent.
	if again := want[registry.Sweep](w, w.do(w.tokens[auth.Trainer], "POST", "/v1/sweeps", `{}`, "Idempotency-Key", "k"), http.StatusOK); again.ID != s.ID {
		t.Errorf("same key: %s", again.ID)
	}
	if other := w.startSweep(); other.ID == s.ID {
		t.Error("two sweeps without a key are one")
	}
	if rec := w.do(w.tokens[auth.Viewer], "POST", "/v1/sweeps", sweepBody(goodRequest, goodSearch)); rec.Code != http.StatusForbidden {
		t.Errorf("a viewer: %d", rec.Code)
	}
}

// What is wrong with the request and with the search is told at once, where it is.
func TestBadSweeps(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct{ body, want string }{
		{`{}`, "/request /search"},
		{`{"request":null,"search":7,"serach":{}}`, "/request /search /serach"},
		{sweepBody(strings.Replace(goodRequest, `"late"`, `"lat"`, 1), strings.Replace(goodSearch, "maximize", "most", 1)), "/request/train/label /search/goal"},
		{sweepBody(goodRequest, `{"metric":"auc","goal":"maximize","trials":0,"parameters":{"x":{"type":"integer","min":9,"max":1}}}`),
			"/search/parameters/x/max /search/trials"},
		{sweepBody(strings.Replace(goodRequest, `{"x": 1}`, `7`, 1), goodSearch), "/request/train/custom_params"},
	} {
		p := want[problem](w, w.do(w.tokens[auth.Trainer], "POST", "/v1/sweeps", tc.body), http.StatusUnprocessableEntity)
		var got []string
		for _, e := range p.Errors {
			got = append(got, e.Pointer)
		}
		if !slices.Equal(got, strings.Fields(tc.want)) {
			t.Errorf("%s: %q, want %q: %+v", tc.body, got, tc.want, p)
		}
	}
	for _, body := range []string{"", "{", `{"request":{},"request":{}}`} {
		if rec := w.do(w.tokens[auth.Trainer], "POST", "/v1/sweeps", body); rec.Code != http.StatusBadRequest {
			t.Errorf("%q: %d %s", body, rec.Code, rec.Body)
		}
	}
	if rec := w.do(w.tokens[auth.Trainer], "POST", "/v1/sweeps", strings.Repeat(" ", maxSweepBody+1)); rec.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("large: %d", rec.Code)
	}
	evs, err := w.catalog.PendingEvents(t.Context())
	if err != nil || slices.ContainsFunc(evs, func(ev events.Event) bool { return ev.Type() == events.TypeSweepStarted }) {
		t.Errorf("a sweep was started, %v", err)
	}
}

func TestSweepWithItsTrials(t *testing.T) {
	w := newWorld(t)
	s := w.startSweep()
	for n := range 3 {
		if _, _, err := w.reg.RequestTrial(t.Context(), s, n+1); err != nil {
			t.Fatal(err)
		}
	}
	runs, err := w.reg.Runs(t.Context(), registry.RunFilter{Sweep: s.ID})
	if err != nil {
		t.Fatal(err)
	}
	first, second := runs[2], runs[1]
	if _, err := w.reg.QueueRun(t.Context(), first.ID, "CPU"); err != nil {
		t.Fatal(err)
	}
	w.put(registry.AttemptPrefix(first.ID, 1)+"series.d/00000000", `{"name":"auc","value":0.5,"step":0,"at":"2026-11-23T14:00:00Z"}`+"\n"+
		`{"name":"auc","value":0.75,"step":4,"at":"2026-11-23T14:00:01Z"}`+"\n")
	if _, err := w.reg.CancelRun(t.Context(), second.ID, "asha: 0.5 at step 1 is not among the best third of 3"); err != nil {
		t.Fatal(err)
	}
	got := want[registry.SweepReport](w, w.do(w.tokens[auth.Viewer], "GET", "/v1/sweeps/"+s.ID.String(), ""), http.StatusOK)
	if got.ID != s.ID || len(got.Trials) != 3 || len(got.History) != 1 {
		t.Fatalf("%+v", got)
	}
	a, b := got.Trials[0], got.Trials[1]
	if a.Number != 1 || a.Run != first.ID || a.Value == nil || *a.Value != 0.75 || a.Step == nil || *a.Step != 4 || len(a.Params) != 2 ||
		string(a.Params["x"]) != string(s.Search.Draw(1)["x"]) {
		t.Errorf("trial 1: %+v", a)
	}
	if b.State != registry.RunCancelled || b.Value != nil || !strings.HasPrefix(b.Reason, "asha: 0.5") {
		t.Errorf("trial 2: %+v", b)
	}
	list := want[struct{ Runs []registry.Run }](w, w.do(w.tokens[auth.Viewer], "GET", "/v1/runs?sweep="+s.ID.String(), ""), http.StatusOK)
	w.requestRun()
	if len(list.Runs) != 3 || list.Runs[2].Sweep != s.ID || list.Runs[2].Trial != 1 {
		t.Errorf("runs of the sweep: %+v", list.Runs)
	}
	if rec := w.do(w.tokens[auth.Viewer], "GET", "/v1/runs?sweep=7", ""); rec.Code != http.StatusBadRequest {
		t.Errorf("runs of no sweep: %d", rec.Code)
	}
}

func TestCancelSweep(t *testing.T) {
	w := newWorld(t)
	s := w.startSweep()
	path := "/v1/sweeps/" + s.ID.String()
	for range 2 {
		got := want[registry.Sweep](w, w.do(w.tokens[auth.Trainer], "POST", path+":cancel", ""), http.StatusOK)
		if got.State != registry.SweepCancelled || got.Reason != "cancelled by a trainer" {
			t.Errorf("%+v", got)
		}
	}
	failed := w.startSweep()
	if _, err := w.reg.FailSweep(t.Context(), failed.ID, "no trial is complete"); err != nil {
		t.Fatal(err)
	}
	if p := want[problem](w, w.do(w.tokens[auth.Trainer], "POST", "/v1/sweeps/"+failed.ID.String()+":cancel", ""), 409); p.Code != "ended" || !strings.Contains(p.Detail, "failed") {
		t.Errorf("%+v", p)
	}
	const absent = "9081e64f-b2c0-455e-bcaa-c1c211fa124b"
	for path, status := range map[string]int{
		"POST /v1/sweeps/" + absent + ":cancel": 404, "GET /v1/sweeps/" + absent: 404, "GET /v1/sweeps/7": 400, "POST /v1/sweeps/7:cancel": 400,
		"POST /v1/sweeps/" + absent + ":retry": 404, "POST /v1/sweeps/" + absent: 404,
	} {
		method, path, _ := strings.Cut(path, " ")
		if rec := w.do(w.tokens[auth.Trainer], method, path, ""); rec.Code != status {
			t.Errorf("%s %s: %d, want %d", method, path, rec.Code, status)
		}
	}
	if rec := w.do(w.tokens[auth.Viewer], "POST", path+":cancel", ""); rec.Code != http.StatusForbidden {
		t.Errorf("a viewer: %d", rec.Code)
	}
}

func TestListSweeps(t *testing.T) {
	w := newWorld(t)
	var all []registry.SweepID
	for range 5 {
		all = append(all, w.startSweep().ID)
	}
	slices.Reverse(all)
	type page struct {
		Sweeps []registry.Sweep
		Next   string
	}
	get := func(query string) page {
		t.Helper()
		return want[page](w, w.do(w.tokens[auth.Viewer], "GET", "/v1/sweeps"+query, ""), http.StatusOK)
	}
	var read []registry.SweepID
	for query := "?limit=2"; ; {
		p := get(query)
		for _, s := range p.Sweeps {
			read = append(read, s.ID)
		}
		if p.Next == "" {
			break
		}
		query = "?limit=2&cursor=" + p.Next
		w.startSweep()
	}
	if !slices.Equal(read, all) {
		t.Errorf("read %v, want %v", read, all)
	}
	if n := len(get("?model=flight-delay&state=running,failed").Sweeps); n != 7 {
		t.Errorf("%d running sweeps", n)
	}
	if n := len(get("?state=complete").Sweeps); n != 0 {
		t.Errorf("%d complete sweeps", n)
	}
	for query, words := range map[string]string{"stat=running": "unknown parameter", "state=done": "state", "limit=0": "limit", "cursor=x": "cursor", "model=A%20b": "model"} {
		p := want[problem](w, w.do(w.tokens[auth.Viewer], "GET", "/v1/sweeps?"+query, ""), http.StatusBadRequest)
		if !strings.Contains(p.Detail, words) {
			t.Errorf("%s: %q", query, p.Detail)
		}
	}
}
