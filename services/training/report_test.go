package training

import (
	"net/http"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

func (w *world) report(token string, id registry.RunID, verb, body string, status int) registry.Run {
	w.t.Helper()
	return want[registry.Run](w, w.do(token, "POST", "/v1/runs/"+id.String()+":"+verb, body), status)
}

func TestFirstReportStartsTheRun(t *testing.T) {
	w := newWorld(t)
	id, token := w.queued()
	w.report(token, id, "progress", `{"attempt":1,"step":"fetch"}`, http.StatusNoContent)
	run := w.run(id)
	if run.State != registry.RunRunning || run.Artifacts[registry.ArtifactLogs] != registry.ArtifactKey(id, 1, registry.ArtifactLogs) {
		t.Errorf("run %+v", run)
	}
}

func TestStepsBecomeMetrics(t *testing.T) {
	w := newWorld(t)
	id, token := w.queued()
	get := func() figures {
		return want[figures](w, w.do(w.tokens[auth.Viewer], "GET", "/v1/runs/"+id.String()+"/metrics", ""), http.StatusOK)
	}
	if f := get(); len(f.Steps) != 0 || f.RunID != id || f.Attempt != 1 {
		t.Errorf("before: %+v", f)
	}
	for _, body := range []string{
		`{"attempt":1,"step":"fetch"}`, `{"attempt":1,"step":"fetch","seconds":1.5,"metrics":{"rows":10}}`,
		`{"attempt":1,"step":"fetch","seconds":9,"metrics":{}}`, // a repeat changes nothing
		`{"attempt":1,"step":"train","seconds":2}`,
	} {
		w.report(token, id, "progress", body, http.StatusNoContent)
	}
	f := get()
	if len(f.Steps) != 2 || f.Steps[0].Step != "fetch" || f.Steps[0].Seconds != 1.5 || f.Steps[0].Metrics["rows"] != 10 || f.Steps[1].Step != "train" {
		t.Errorf("steps %+v", f.Steps)
	}
	key := registry.ArtifactKey(id, 1, metricsFile)
	w.put(key, `{"steps":{},"metrics":{"rounds":20},"process":{"cpu_seconds":3}}`)
	w.report(token, id, "complete", `{"attempt":1,"package":"`+w.publish("p").String()+`","artifacts":{"metrics.json":"`+key+`"}}`, http.StatusOK)
	if f := get(); string(f.Metrics) != `{"rounds":20}` || string(f.Process) != `{"cpu_seconds":3}` || len(f.Steps) != 2 {
		t.Errorf("after: %+v", f)
	}
}

func TestBadReports(t *testing.T) {
	w := newWorld(t)
	id, token := w.queued()
	for _, tc := range []struct {
		verb, body string
		status     int
	}{
		{"progress", `{"attempt":1,"step":"dance"}`, 422},
		{"progress", `{"attempt":1,"stp":"fetch"}`, 400},
		{"progress", `{"attempt":1,"step":"fetch","seconds":"x"}`, 400},
		{"progress", `{"attempt":2,"step":"fetch"}`, 403},
		{"complete", `{"attempt":1,"package":"nonsense"}`, 400},
		{"complete", `{"attempt":1,"package":"` + cas.Sum(nil).String() + `"}`, 422},
		{"complete", `{"attempt":1,"package":"` + w.publish("p").String() + `","artifacts":{"scores.tsv":"runs/other/1/scores.tsv"}}`, 422},
		{"fail", `{"attempt":1,"exception":{}}`, 422},
		{"fail", ``, 400},
		{"fail", `{"attempt":1,"exception":{"type":"` + strings.Repeat("x", maxReport) + `"}}`, 413},
	} {
		if rec := w.do(token, "POST", "/v1/runs/"+id.String()+":"+tc.verb, tc.body); rec.Code != tc.status {
			t.Errorf("%s %.80s: %d, want %d: %.200s", tc.verb, tc.body, rec.Code, tc.status, rec.Body)
		}
	}
}

func TestArtifactsAreSigned(t *testing.T) {
	w := newWorld(t)
	id, token := w.queued()
	path := "/v1/runs/" + id.String() + "/artifacts"
	file := func(name string) string {
		return `{"attempt":1,"artifacts":[{"name":"` + name + `","digest":"` + cas.Sum([]byte("x")).String() + `","size":1}]}`
	}
	got := want[struct{ Artifacts []registry.SignedArtifact }](w, w.do(token, "POST", path, file("scores.tsv")), http.StatusOK)
	key := registry.ArtifactKey(id, 1, "scores.tsv")
	if len(got.Artifacts) != 1 || got.Artifacts[0].Key != key || got.Artifacts[0].Put.URL != "signed:"+key || got.Artifacts[0].Name != "scores.tsv" {
		t.Errorf("artifacts %+v", got.Artifacts)
	}
	for _, name := range []string{"logs", "log.d", "steps.d", "../x", "a/b", ""} {
		if rec := w.do(token, "POST", path, file(name)); rec.Code != http.StatusUnprocessableEntity {
			t.Errorf("artifact %q: %d %s", name, rec.Code, rec.Body)
		}
	}
}

func TestCompleteIsFenced(t *testing.T) {
	w := newWorld(t)
	id, token := w.queued()
	body := `{"attempt":1,"package":"` + w.publish("p").String() + `","artifacts":{}}`
	for range 2 { // an answer may be lost
		run := w.report(token, id, "complete", body, http.StatusOK)
		if run.State != registry.RunComplete || run.Package != cas.Sum([]byte("p")) {
			t.Errorf("run %+v", run)
		}
	}
	w.report(token, id, "complete", `{"attempt":1,"package":"`+w.publish("q").String()+`"}`, http.StatusConflict)
	w.report(token, id, "fail", `{"attempt":1,"exception":{"type":"X"}}`, http.StatusConflict)

	zombie, old := w.queued()
	if _, err := w.reg.RetryRun(t.Context(), zombie, 1, "", "JobLost"); err != nil {
		t.Fatal(err)
	}
	for verb, body := range map[string]string{
		"progress": `{"attempt":1,"step":"fetch"}`, "complete": body, "fail": `{"attempt":1,"exception":{"type":"X"}}`,
	} {
		w.report(old, zombie, verb, body, http.StatusConflict)
	}
	if rec := w.do(old, "POST", "/v1/runs/"+zombie.String()+"/artifacts", `{"attempt":1,"artifacts":[]}`); rec.Code != http.StatusConflict {
		t.Errorf("artifacts of a fenced attempt: %d", rec.Code)
	}
	if run := w.run(zombie); run.State != registry.RunQueued || run.Attempt != 2 {
		t.Errorf("the zombie moved its run: %+v", run)
	}
}

func TestFailureIsFinalOrTriedAgain(t *testing.T) {
	w := newWorld(t)
	body := func(attempt, retryable string) string {
		return `{"attempt":` + attempt + `,"exception":{"type":"TransportError","message":"no answer\n  at line 1","step":"fetch","retryable":` + retryable + `},"artifacts":{}}`
	}
	id, token := w.queued()
	run := w.report(token, id, "fail", body("1", "false"), http.StatusOK)
	if run.State != registry.RunFailed || run.Exception.Step != "fetch" {
		t.Errorf("run %+v", run)
	}

	id, token = w.queued()
	for range 2 {
		run = w.report(token, id, "fail", body("1", "true"), http.StatusOK)
		if run.State != registry.RunQueued || run.Attempt != 2 {
			t.Errorf("run %+v", run)
		}
	}
	history := w.run(id).History
	if reason := history[len(history)-1].Reason; reason != "TransportError: no answer" {
		t.Errorf("reason %q", reason)
	}
	w.report(w.jobToken(id, 2), id, "fail", body("2", "true"), http.StatusOK)
	if run = w.report(w.jobToken(id, 3), id, "fail", body("3", "true"), http.StatusOK); run.State != registry.RunFailed || run.Attempt != 3 {
		t.Errorf("after the last attempt: %+v", run)
	}
}
