package training

import (
	"net/http"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// by sends a report of an executor, "" for one without, and returns the status.
func (w *world) by(executor, token, method, path, body string) int {
	w.t.Helper()
	var header []string
	if executor != "" {
		header = []string{headerExecutor, executor}
	}
	return w.do(token, method, path, body, header...).Code
}

// allReports are a job's calls for its first attempt, in an order in which each of them counts.
func (w *world) allReports(id registry.RunID) [][3]string {
	path := "/v1/runs/" + id.String()
	return [][3]string{
		{"POST", path + ":progress", `{"attempt":1,"step":"fetch"}`},
		{"PUT", path + "/attempts/1/log/0", "one\n"},
		{"PUT", path + "/attempts/1/series/0", `{"name":"auc","value":1,"at":"2026-11-23T14:00:00Z"}`},
		{"POST", path + "/artifacts", `{"attempt":1,"artifacts":[]}`},
		{"POST", path + ":complete", `{"attempt":1,"package":"` + w.publish("p").String() + `"}`},
		{"POST", path + ":complete", `{"attempt":1,"package":"` + w.publish("p").String() + `"}`},
	}
}

func TestStartGivesTheAttemptToOne(t *testing.T) {
	w := newWorld(t)
	id, token := w.queued()
	for range 2 { // its answer may be lost
		run := w.report(token, id, "start", `{"attempt":1,"executor":"pod-1"}`, http.StatusOK)
		if run.State != registry.RunRunning || run.Executor != "pod-1" || run.Artifacts[registry.ArtifactLogs] == "" {
			t.Errorf("run %+v", run)
		}
	}
	before := w.run(id)
	w.report(token, id, "start", `{"attempt":1,"executor":"pod-2"}`, http.StatusConflict)
	fail := [3]string{"POST", "/v1/runs/" + id.String() + ":fail", `{"attempt":1,"exception":{"type":"X","retryable":true}}`}
	for _, r := range append(w.allReports(id), fail) {
		for _, other := range []string{"pod-2", "", "POD-1"} {
			if status := w.by(other, token, r[0], r[1], r[2]); status != http.StatusConflict {
				t.Errorf("%s %s by %q: %d, want 409", r[0], r[1], other, status)
			}
		}
	}
	if after := w.run(id); len(after.History) != len(before.History) || len(w.keys(registry.AttemptPrefix(id, 1))) != 0 {
		t.Errorf("others left %v, and moved the run to %+v", w.keys(registry.AttemptPrefix(id, 1)), after)
	}
	for _, r := range w.allReports(id) {
		if status := w.by("pod-1", token, r[0], r[1], r[2]); status >= 300 {
			t.Errorf("%s %s by its executor: %d", r[0], r[1], status)
		}
	}
	if run := w.run(id); run.State != registry.RunComplete || run.Package != cas.Sum([]byte("p")) {
		t.Errorf("run %+v", run)
	}
	w.report(token, id, "start", `{"attempt":1,"executor":"pod-1"}`, http.StatusConflict)
}

// The first report with an executor takes an attempt that has none; nobody loses it to a job that names none.
func TestFirstReportTakesTheAttempt(t *testing.T) {
	w := newWorld(t)
	for i := range 4 {
		id, token := w.queued()
		first := w.allReports(id)[i]
		if status := w.by("pod", token, first[0], first[1], first[2]); status >= 300 {
			t.Fatalf("%s: %d", first[1], status)
		}
		if run := w.run(id); run.Executor != "pod" || run.State != registry.RunRunning {
			t.Errorf("after %s: %+v", first[1], run)
		}
		if status := w.by("", token, first[0], first[1], first[2]); status != http.StatusConflict {
			t.Errorf("%s without an executor: %d", first[1], status)
		}
	}
	id, token := w.queued()
	for _, r := range w.allReports(id) { // a local process: nobody starts it twice
		if status := w.by("", token, r[0], r[1], r[2]); status >= 300 {
			t.Errorf("%s %s: %d", r[0], r[1], status)
		}
	}
	if run := w.run(id); run.Executor != "" || run.State != registry.RunComplete {
		t.Errorf("run %+v", run)
	}
}

func TestTheNextAttemptIsNobodys(t *testing.T) {
	w := newWorld(t)
	id, token := w.queued()
	w.report(token, id, "start", `{"attempt":1,"executor":"pod-1"}`, http.StatusOK)
	body := `{"attempt":1,"exception":{"type":"OutOfMemory","retryable":true}}`
	for range 2 { // a report may be repeated
		if rec := w.do(token, "POST", "/v1/runs/"+id.String()+":fail", body, headerExecutor, "pod-1"); rec.Code != http.StatusOK {
			t.Fatalf("fail: %d %s", rec.Code, rec.Body)
		}
	}
	w.report(token, id, "start", `{"attempt":1,"executor":"pod-1"}`, http.StatusConflict)
	run := w.report(w.jobToken(id, 2), id, "start", `{"attempt":2,"executor":"pod-2"}`, http.StatusOK)
	if run.Attempt != 2 || run.Executor != "pod-2" {
		t.Errorf("run %+v", run)
	}
}

func TestStartRefused(t *testing.T) {
	w := newWorld(t)
	id, token := w.queued()
	for _, name := range []string{"", " ", "a b", "é", strings.Repeat("x", 129)} {
		p := want[problem](w, w.do(token, "POST", "/v1/runs/"+id.String()+":start", `{"attempt":1,"executor":"`+name+`"}`), 422)
		if len(p.Errors) != 1 || p.Errors[0].Pointer != "/executor" {
			t.Errorf("executor %q: %+v", name, p)
		}
	}
	w.report(token, id, "start", `{"attempt":2,"executor":"pod"}`, http.StatusForbidden)
	if _, err := w.reg.CancelRun(t.Context(), id, ""); err != nil {
		t.Fatal(err)
	}
	w.report(token, id, "start", `{"attempt":1,"executor":"pod"}`, http.StatusConflict)
}
