package training

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

// TestResultHasRailyardsShape compares bytes: clients of Railyard must not notice.
func TestResultHasRailyardsShape(t *testing.T) {
	at := time.Date(2019, 3, 22, 18, 0, 4, 0, time.UTC)
	const id, run = "9081e64f-b2c0-455e-bcaa-c1c211fa124b", "runs/9081e64f-b2c0-455e-bcaa-c1c211fa124b/"
	parsed, err := registry.ParseRunID(id)
	if err != nil {
		t.Fatal(err)
	}
	workflow, pkg := cas.Sum([]byte("workflow")), cas.Sum([]byte("package"))
	head := `{"status":{"job_id":"` + id + `","log_file":`
	tail := func(state string) string {
		return `,"transition":{"created_at":"2019-03-22 18:00:04 +0000","job_state":"` + state + `"},"git_commit":"` + workflow.String() + `"},`
	}
	tests := []struct {
		name   string
		change registry.RunChange
		want   string
	}{
		{"requested", registry.RunChange{To: registry.RunRequested}, head + `null` + tail("requested") + `"result":null,"exceptionInfo":null}`},
		{
			"complete", registry.RunChange{To: registry.RunComplete, Attempt: 2, Package: pkg, Artifacts: map[string]string{"scores.tsv": run + "2/scores.tsv", "labels.tsv": run + "2/labels.tsv"}},
			head + `"s3://signalbox/` + run + `2/logs"` + tail("complete") + `"result":{"evaluation_holdout_data_path":"s3://signalbox/` + run +
				`2/scores.tsv","evaluation_holdout_label_path":"s3://signalbox/` + run + `2/labels.tsv","diorama_id":"` + pkg.String() + `"},"exceptionInfo":null}`,
		},
		{
			"failed", registry.RunChange{To: registry.RunFailed, Attempt: 1, Exception: &events.Exception{Type: "ValueError", Message: "boom", Step: "train"}},
			head + `"s3://signalbox/` + run + `1/logs"` + tail("failed") + `"result":null,"exceptionInfo":{"type":"ValueError","message":"boom","step":"train","retryable":false}}`,
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			created := registry.Run{ID: parsed, Key: cas.Sum([]byte(tc.name)), Model: "m", Workflow: workflow, State: registry.RunRequested, Created: at}
			if _, _, err := w.catalog.CreateRun(t.Context(), created); err != nil {
				t.Fatal(err)
			}
			if tc.change.To != registry.RunRequested {
				tc.change.ID, tc.change.From, tc.change.At = parsed, []registry.RunState{registry.RunRequested}, at
				if _, err := w.catalog.ChangeRun(t.Context(), tc.change); err != nil {
					t.Fatal(err)
				}
			}
			rec := w.do(w.tokens[auth.Viewer], "GET", "/job/"+id+"/result", "")
			if got := strings.TrimSuffix(rec.Body.String(), "\n"); rec.Code != 200 || got != tc.want {
				t.Errorf("%d\n%s\nwant\n%s", rec.Code, got, tc.want)
			}
		})
	}
}

func TestJobStatus(t *testing.T) {
	w := newWorld(t)
	id, _ := w.queued()
	rec := w.do(w.tokens[auth.Viewer], "GET", "/job/"+id.String()+"/status", "")
	got := want[jobStatus](w, rec, http.StatusOK)
	if got.JobID != id || got.JobState != registry.RunQueued || got.Attempt != 1 || got.Transition.JobState != registry.RunQueued {
		t.Errorf("status %+v", got)
	}
	if _, err := time.Parse(railyardTime, got.Transition.CreatedAt); err != nil {
		t.Error(err)
	}
}

func TestRunsThatAreNotThere(t *testing.T) {
	w := newWorld(t)
	const absent = "9081e64f-b2c0-455e-bcaa-c1c211fa124b"
	for _, path := range []string{"/job/ID/status", "/job/ID/result", "/v1/runs/ID", "/v1/runs/ID/logs", "/v1/runs/ID/metrics"} {
		for id, status := range map[string]int{absent: 404, "x": 400, strings.ToUpper(absent): 400} {
			if rec := w.do(w.tokens[auth.Viewer], "GET", strings.Replace(path, "ID", id, 1), ""); rec.Code != status {
				t.Errorf("%s of %s: %d, want %d", path, id, rec.Code, status)
			}
		}
	}
	if rec := w.do(w.tokens[auth.Trainer], "POST", "/v1/runs/"+absent+":cancel", ""); rec.Code != 404 {
		t.Errorf("cancel: %d", rec.Code)
	}
	for _, path := range []string{"/v1/runs/" + absent, "/v1/runs/" + absent + ":explode", "/v1/runs/:cancel"} {
		if rec := w.do(w.tokens[auth.Trainer], "POST", path, ""); rec.Code != 404 && rec.Code != 400 {
			t.Errorf("POST %s: %d", path, rec.Code)
		}
	}
}

func TestListRuns(t *testing.T) {
	w := newWorld(t)
	first, second := w.requestRun(), w.requestRun()
	if _, err := w.reg.QueueRun(t.Context(), first, "CPU"); err != nil {
		t.Fatal(err)
	}
	list := func(query string) []registry.RunID {
		t.Helper()
		got := want[struct{ Runs []registry.Run }](w, w.do(w.tokens[auth.Viewer], "GET", "/v1/runs"+query, ""), http.StatusOK)
		ids := []registry.RunID{}
		for _, run := range got.Runs {
			ids = append(ids, run.ID)
		}
		return ids
	}
	for query, ids := range map[string][]registry.RunID{
		"?state=queued": {first}, "?state=requested": {second}, "?model=other": {}, "?state=complete,failed": {}, "?model=flight-delay&state=queued": {first},
	} {
		if got := list(query); !slices.Equal(got, ids) {
			t.Errorf("%s: %v, want %v", query, got, ids)
		}
	}
	if len(list("")) != 2 || len(list("?limit=1")) != 1 || len(list("?state=queued,requested")) != 2 {
		t.Error("a filter lost runs")
	}
	if body := w.do(w.tokens[auth.Viewer], "GET", "/v1/runs?model=other", "").Body.String(); body != `{"runs":[]}`+"\n" {
		t.Errorf("empty list = %s", body)
	}
	for _, bad := range []string{"?state=nope", "?limit=0", "?limit=1001", "?limit=x", "?model=A%20B"} {
		if rec := w.do(w.tokens[auth.Viewer], "GET", "/v1/runs"+bad, ""); rec.Code != 400 {
			t.Errorf("%s: %d", bad, rec.Code)
		}
	}
	run := want[registry.Run](w, w.do(w.tokens[auth.Viewer], "GET", "/v1/runs/"+first.String(), ""), http.StatusOK)
	if run.ID != first || len(run.History) != 2 {
		t.Errorf("run %+v lacks its history", run)
	}
}

func TestCancel(t *testing.T) {
	w := newWorld(t)
	id := w.requestRun()
	for range 2 {
		run := want[registry.Run](w, w.do(w.tokens[auth.Trainer], "POST", "/v1/runs/"+id.String()+":cancel", ""), http.StatusOK)
		if run.State != registry.RunCancelled {
			t.Errorf("run is %s", run.State)
		}
	}
	if reason := w.run(id).History[1].Reason; reason != "cancelled by a trainer" {
		t.Errorf("reason %q", reason)
	}
	done, token := w.queued()
	body := `{"attempt":1,"exception":{"type":"ValueError","message":"x","step":"train","retryable":false}}`
	want[registry.Run](w, w.do(token, "POST", "/v1/runs/"+done.String()+":fail", body), http.StatusOK)
	if p := want[problem](w, w.do(w.tokens[auth.Trainer], "POST", "/v1/runs/"+done.String()+":cancel", ""), 409); p.Code != "fenced" {
		t.Errorf("cancel of an ended run: %+v", p)
	}
}

// TestWhoMayWhat walks every call with every role and with tokens of jobs.
func TestWhoMayWhat(t *testing.T) {
	w := newWorld(t)
	id, token := w.queued()
	other := w.jobToken(w.requestRun(), 1)
	calls := []struct {
		method, path string
		allowed      []auth.Role // beside them: nobody
		job          bool        // the run's own job
	}{
		{"POST", "/train", []auth.Role{auth.Trainer, auth.Admin}, false},
		{"GET", "/job/ID/status", []auth.Role{auth.Viewer, auth.Trainer, auth.Promoter, auth.Admin}, false},
		{"GET", "/job/ID/result", []auth.Role{auth.Viewer, auth.Trainer, auth.Promoter, auth.Admin}, false},
		{"GET", "/v1/runs", []auth.Role{auth.Viewer, auth.Trainer, auth.Promoter, auth.Admin}, false},
		{"GET", "/v1/runs/ID", []auth.Role{auth.Viewer, auth.Trainer, auth.Promoter, auth.Admin}, false},
		{"GET", "/v1/runs/ID/logs", []auth.Role{auth.Viewer, auth.Trainer, auth.Promoter, auth.Admin}, false},
		{"GET", "/v1/runs/ID/metrics", []auth.Role{auth.Viewer, auth.Trainer, auth.Promoter, auth.Admin}, false},
		{"POST", "/v1/runs/ID/artifacts", nil, true},
		{"POST", "/v1/runs/ID:progress", nil, true},
		{"POST", "/v1/runs/ID:complete", nil, true},
		{"POST", "/v1/runs/ID:fail", nil, true},
		{"POST", "/v1/runs/ID:start", nil, true},
		{"PUT", "/v1/runs/ID/attempts/1/log/0", nil, true},
		{"PUT", "/v1/runs/ID/attempts/1/series/0", nil, true},
		{"POST", "/v1/runs/ID:cancel", []auth.Role{auth.Trainer, auth.Admin}, false},
		{"POST", "/v1/runs/ID:retry", []auth.Role{auth.Trainer, auth.Admin}, false},
	}
	for _, c := range calls {
		path := strings.Replace(c.path, "ID", id.String(), 1)
		if rec := w.do("", c.method, path, ""); rec.Code != http.StatusUnauthorized {
			t.Errorf("%s %s without a token: %d", c.method, c.path, rec.Code)
		}
		for _, role := range auth.Roles() {
			rec := w.do(w.tokens[role], c.method, path, `{"attempt":1}`)
			if allowed := rec.Code != http.StatusForbidden; allowed != slices.Contains(c.allowed, role) {
				t.Errorf("%s %s as %s: %d", c.method, c.path, role, rec.Code)
			}
		}
		for name, text := range map[string]string{"another run": other, "another attempt": w.jobToken(id, 2)} {
			if rec := w.do(text, c.method, path, `{"attempt":1}`); rec.Code != http.StatusForbidden {
				t.Errorf("%s %s by the job of %s: %d", c.method, c.path, name, rec.Code)
			}
		}
		if rec := w.do(token, c.method, path, `{"attempt":1}`); (rec.Code != http.StatusForbidden) != c.job {
			t.Errorf("%s %s by the run's job: %d", c.method, c.path, rec.Code)
		}
	}
}
