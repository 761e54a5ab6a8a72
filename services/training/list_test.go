package training

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

// runPage is an answer of GET /v1/runs.
type runPage struct {
	Runs []registry.Run
	Next *string
}

func (w *world) page(query string) (ids []registry.RunID, next string) {
	w.t.Helper()
	p := want[runPage](w, w.do(w.tokens[auth.Viewer], "GET", "/v1/runs"+query, ""), http.StatusOK)
	for _, run := range p.Runs {
		ids = append(ids, run.ID)
	}
	if p.Next != nil {
		next = *p.Next
	}
	return ids, next
}

// requested posts a request with some of its members changed.
func (w *world) requested(pairs ...string) registry.RunID {
	w.t.Helper()
	return want[registry.RunID](w, w.do(w.tokens[auth.Trainer], "POST", "/train", change(w.t, pairs...)), http.StatusOK)
}

func TestRunsAreFiltered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.put("data/x.parquet", "x")
		before := time.Now()
		a := w.requested("project", `"flights"`, "owner", `"ops"`, "trainer", `"kelley"`)
		time.Sleep(time.Hour)
		b := w.requested("project", `"flights"`, "owner", `"ml & more"`, "train.workflow_name", `"flight-delay"`)
		time.Sleep(time.Hour)
		c := w.requested("owner", "", "data.features", `[{"path":"s3://signalbox/data/x.parquet"}]`)
		if _, err := w.reg.QueueRun(t.Context(), b, "CPU"); err != nil {
			t.Fatal(err)
		}
		pkg := w.publish("p").String()
		w.report(w.jobToken(b, 1), b, "complete", `{"attempt":1,"package":"`+pkg+`"}`, http.StatusOK)
		hour := func(n int) string { return before.Add(time.Duration(n) * time.Hour).UTC().Format(time.RFC3339) }
		for query, want := range map[string][]registry.RunID{
			"":                                          {c, b, a},
			"project=flights":                           {b, a},
			"project=Flights":                           nil,
			"owner=" + url.QueryEscape("ml & more"):     {b},
			"trainer=kelley":                            {a},
			"project=flights&trainer=kelley&owner=x":    nil,
			"workflow=flight-delay":                     {c, b, a},
			"workflow=FlightDelay":                      {c, b, a},
			"workflow=other":                            nil,
			"dataset=" + w.dataset.ID.String():          {b, a},
			"package=" + pkg:                            {b},
			"since=" + hour(1):                          {c, b},
			"until=" + hour(1):                          {a},
			"since=" + hour(1) + "&until=" + hour(2):    {b},
			"state=complete":                            {b},
			"state=complete&state=requested&limit=2":    {c, b},
			"model=flight-delay&state=requested,failed": {c, a},
		} {
			if got, _ := w.page("?" + query); !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", query, got, want)
			}
		}
	})
}

func TestBadFilters(t *testing.T) {
	w := newWorld(t)
	for query, words := range map[string]string{
		"projekt=x": "unknown parameter", "owner=a&owner=b": "twice", "dataset=x": "dataset: ", "package=flights@latest": "package: ",
		"since=yesterday": "since: want a time", "until=2026-01-01": "until: want a time", "cursor=": "cursor: ", "cursor=abc": "cursor: ",
		"limit=0&state=x&since=y": "; ", "owner=%zz": "percent-encode", "owner=a%00": "U+0000", "owner=%ff": "UTF-8", "since=2026-01-01T00:00:00+01:00": "%2B",
	} {
		p := want[problem](w, w.do(w.tokens[auth.Viewer], "GET", "/v1/runs?"+query, ""), http.StatusBadRequest)
		if !strings.Contains(p.Detail, words) {
			t.Errorf("%s: %q lacks %q", query, p.Detail, words)
		}
	}
}

// Whoever reads page by page reads every run once, also while others ask for runs.
func TestRunsPageByPage(t *testing.T) {
	w := newWorld(t)
	var all []registry.RunID
	for range 7 {
		all = append(all, w.requestRun())
	}
	slices.Reverse(all)
	var read []registry.RunID
	for cursor := ""; ; {
		ids, next := w.page("?limit=3" + cursor)
		read = append(read, ids...)
		if next == "" {
			break
		}
		cursor = "&cursor=" + next
		w.requestRun()
	}
	for _, id := range all {
		if n := len(slices.DeleteFunc(slices.Clone(read), func(r registry.RunID) bool { return r != id })); n != 1 {
			t.Errorf("run %s was read %d times", id, n)
		}
	}
	if len(read) != 7 {
		t.Errorf("%d runs were read, want the 7 that were there", len(read))
	}
	if ids, next := w.page("?limit=10"); len(ids) != 9 || next != "" {
		t.Errorf("whole list: %d runs, next %q", len(ids), next)
	}
	if _, next := w.page("?limit=9"); next != "" {
		t.Errorf("there is a page behind the last run: %q", next)
	}
}

func TestRetry(t *testing.T) {
	w := newWorld(t)
	id, token := w.queued()
	path := "/v1/runs/" + id.String() + ":retry"
	if p := want[problem](w, w.do(w.tokens[auth.Trainer], "POST", path, ""), 409); p.Code != "not_repeatable" || !strings.Contains(p.Detail, "the run is queued") {
		t.Errorf("run under way: %+v", p)
	}
	w.report(token, id, "fail", `{"attempt":1,"exception":{"type":"ValueError","message":"no rows"}}`, http.StatusOK)
	rec := w.do(w.tokens[auth.Trainer], "POST", path, "", "Idempotency-Key", "k")
	again := want[registry.Run](w, rec, http.StatusCreated)
	if again.ID == id || again.RetryOf != id || again.State != registry.RunRequested || rec.Header().Get("Location") != "/v1/runs/"+again.ID.String() {
		t.Errorf("new run %+v, %v", again, rec.Header())
	}
	if old, now := w.run(id), w.run(again.ID); string(old.Request) != string(now.Request) || old.Dataset != now.Dataset || now.RetryOf != id {
		t.Errorf("request %s, want %s", now.Request, old.Request)
	}
	if same := want[registry.Run](w, w.do(w.tokens[auth.Trainer], "POST", path, "", "Idempotency-Key", "k"), http.StatusOK); same.ID != again.ID {
		t.Errorf("the same key: %s", same.ID)
	}
	for who, key := range map[auth.Role]string{auth.Trainer: "l", auth.Admin: "k"} {
		if other := want[registry.Run](w, w.do(w.tokens[who], "POST", path, "", "Idempotency-Key", key), http.StatusCreated); other.ID == again.ID {
			t.Errorf("key %s of %s gives the same run", key, who)
		}
	}
	a := want[registry.Run](w, w.do(w.tokens[auth.Trainer], "POST", path, ""), http.StatusCreated)
	if b := want[registry.Run](w, w.do(w.tokens[auth.Trainer], "POST", path, ""), http.StatusCreated); a.ID == b.ID {
		t.Error("two retries without a key are one run")
	}
	done, token := w.queued()
	w.report(token, done, "complete", `{"attempt":1,"package":"`+w.publish("p").String()+`"}`, http.StatusOK)
	if p := want[problem](w, w.do(w.tokens[auth.Trainer], "POST", "/v1/runs/"+done.String()+":retry", ""), 409); !strings.Contains(p.Detail, "complete") {
		t.Errorf("complete run: %+v", p)
	}
	const absent = "9081e64f-b2c0-455e-bcaa-c1c211fa124b"
	if rec := w.do(w.tokens[auth.Trainer], "POST", "/v1/runs/"+absent+":retry", ""); rec.Code != http.StatusNotFound {
		t.Errorf("no run: %d", rec.Code)
	}
}

// The status says in words why a job waits, why the attempt before was given up, and how it ended.
func TestStatusSaysWhy(t *testing.T) {
	w := newWorld(t)
	id := w.requestRun()
	token := w.jobToken(id, 1)
	status := func(step, reason, class string) {
		t.Helper()
		rec := w.do(w.tokens[auth.Viewer], "GET", "/job/"+id.String()+"/status", "")
		got := want[jobStatus](w, rec, http.StatusOK)
		if got.Reason != reason || got.ComputeClass != class || (reason == "") == strings.Contains(rec.Body.String(), "reason") {
			t.Errorf("%s: %s", step, rec.Body)
		}
	}
	must := func(_ registry.Run, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	status("requested", "", "")
	must(w.reg.NoteRun(t.Context(), id, 0, "2 runs of the project are before it"))
	status("waits", "2 runs of the project are before it", "")
	must(w.reg.QueueRun(t.Context(), id, "CPU"))
	status("queued", "", "CPU")
	must(w.reg.NoteRun(t.Context(), id, 1, "0/3 nodes have memory"))
	status("pending", "0/3 nodes have memory", "CPU")
	w.report(token, id, "start", `{"attempt":1,"executor":"pod"}`, http.StatusOK)
	status("running", "", "CPU")
	must(w.reg.RetryRun(t.Context(), id, 1, "HIGH_MEMORY", "OutOfMemory: 1 GiB"))
	status("given up", "OutOfMemory: 1 GiB", "HIGH_MEMORY")
	must(w.reg.NoteRun(t.Context(), id, 2, "no node is free"))
	status("waits again", "no node is free", "HIGH_MEMORY")
	must(w.reg.ClaimRun(t.Context(), id, 2, "pod-2"))
	status("second attempt", "OutOfMemory: 1 GiB", "HIGH_MEMORY")
	must(w.reg.FailRun(t.Context(), id, 2, events.Exception{Type: "ValueError", Message: "no rows\n  at line 1"}, nil))
	status("failed", "ValueError: no rows", "HIGH_MEMORY")

	id = w.requestRun()
	must(w.reg.CancelRun(t.Context(), id, "cancelled by kelley"))
	status("cancelled", "cancelled by kelley", "")
	id, token = w.queued()
	w.report(token, id, "complete", `{"attempt":1,"package":"`+w.publish("p").String()+`"}`, http.StatusOK)
	status("complete", "", "CPU")
}
