package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
)

func TestRunsAreListedAndCancelled(t *testing.T) {
	w := newWorld(t)
	w.declare()
	id := strings.TrimSpace(w.train().ok(t))
	same(t, timeless(w.run("runs", "ls", "--model", "delay", "--state", "requested,queued").ok(t)), strings.Join([]string{
		"RUN                                    MODEL   STATE       ATTEMPT   CREATED                PACKAGE",
		id + "   delay   requested   0         TIME   -",
	}, "\n"))
	w.run("runs", "cancel", id).ok(t)
	same(t, w.run("runs", "cancel", id).ok(t), "run "+id+" is cancelled")
	out := w.run("runs", "get", id).ok(t)
	for _, want := range []string{"state       cancelled", "requested (attempt 0)", "cancelled (attempt 0) cancelled by kelley"} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), strings.Join(strings.Fields(want), " ")) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if out := w.run("runs", "get", id, "-o", "json").ok(t); !strings.Contains(out, `"state": "cancelled"`) {
		t.Error(out)
	}
	same(t, w.run("runs", "ls", "--state", "requested").ok(t), "RUN   MODEL   STATE   ATTEMPT   CREATED   PACKAGE")
	same(t, w.run("runs", "logs", id).ok(t), "")
	same(t, w.run("runs", "logs", "-f", id).ok(t), "")
	if out := w.run("runs", "result", id).ok(t); !strings.Contains(out, `"result": null`) {
		t.Error(out)
	}
}

func TestRunsRefuse(t *testing.T) {
	w := newWorld(t)
	const id = "9081e64f-b2c0-455e-bcaa-c1c211fa124b"
	for _, verb := range []string{"get", "logs", "cancel", "retry", "metrics", "result"} {
		w.run("runs", verb, id).fails(t, "runs "+verb+" "+id+": 404 Not Found: there is nothing at /")
		w.run("runs", verb, "nonsense").fails(t, "want a UUID")
		w.run("runs", verb).fails(t, "arg")
	}
	w.run("runs", "ls", "--state", "done").fails(t, "400 Bad Request", "state")
	w.run("runs", "ls", "--limit", "5000").fails(t, "limit")
	w.run("runs", "ls", "--since", "yesterday", "--package", "p").fails(t, "--since", "such as 24h", "--package")
	w.run("runs", "ls", "--cursor", "x").fails(t, "400 Bad Request", "cursor")
}

func TestRunLogsAndMetrics(t *testing.T) {
	const id = "9081e64f-b2c0-455e-bcaa-c1c211fa124b"
	env := serve(t, canned{
		"GET /v1/runs/" + id + "/logs":    "one\n",
		"GET /v1/runs/" + id + "/metrics": `{"run_id":"` + id + `","attempt":1,"steps":[{"step":"fetch","seconds":0.5},{"step":"train","seconds":12.25,"metrics":{"rows":7,"auc":0.9}}],"series":{"loss":[{"step":1,"value":0.5,"at":"2026-11-23T14:00:00Z"},{"step":2,"value":0.25,"at":"2026-11-23T14:00:01Z"}]}}`,
	})
	same(t, execute(t.Context(), env, "", "runs", "logs", id).ok(t), "one")
	same(t, execute(t.Context(), env, "", "runs", "metrics", id).ok(t),
		"STEP          SECONDS   FIGURES\nfetch         0.500     -\ntrain         12.250    auc=0.9 rows=7\nseries loss   -         2 points, the last 0.25")
	if out := execute(t.Context(), env, "", "runs", "metrics", id, "-o", "json").ok(t); !strings.Contains(out, `"seconds": 12.25`) {
		t.Error(out)
	}
}

func TestRunsArePaged(t *testing.T) {
	w := newWorld(t)
	w.declare()
	first, second := strings.TrimSpace(w.train().ok(t)), strings.TrimSpace(w.train().ok(t))
	r := w.run("runs", "list", "--limit", "1", "--since", "1h", "--workflow", "Delay")
	if r.code != 0 || !strings.Contains(r.out, second) || strings.Contains(r.out, first) {
		t.Fatalf("first page: %+v", r)
	}
	_, cursor, ok := strings.Cut(strings.TrimSpace(r.err), "there are more: add --cursor ")
	if !ok {
		t.Fatalf("no word of a next page: %q", r.err)
	}
	if r = w.run("runs", "ls", "--limit", "1", "--cursor", cursor); !strings.Contains(r.out, first) || strings.Contains(r.out, second) || r.err != "" {
		t.Errorf("second page: %+v", r)
	}
	if out := w.run("runs", "ls", "--until", "1h").ok(t); strings.Contains(out, first) {
		t.Errorf("runs of an hour ago:\n%s", out)
	}
	if out := w.run("runs", "ls", "--limit", "1", "-o", "json").ok(t); !strings.Contains(out, `"next": "`+cursor) {
		t.Errorf("no cursor in %s", out)
	}
}

func TestRunsAreRepeated(t *testing.T) {
	w := newWorld(t)
	w.declare()
	id := strings.TrimSpace(w.train().ok(t))
	w.run("runs", "retry", id).fails(t, "runs retry "+id+": 409 Conflict: the run is requested: only a run that failed or was cancelled is run again")
	w.run("runs", "cancel", id).ok(t)
	again := w.run("runs", "retry", id, "--key", "k").ok(t)
	if again == id {
		t.Error("it is the same run")
	}
	same(t, w.run("runs", "retry", id, "--key", "k").ok(t), strings.TrimSpace(again))
	if out := strings.Join(strings.Fields(w.run("runs", "show", strings.TrimSpace(again)).ok(t)), " "); !strings.Contains(out, "retry of "+id) {
		t.Error(out)
	}
}

// A connection that breaks must neither lose nor repeat a line, and an end to patience must say what to do.
func TestFollowedLogsSurviveACut(t *testing.T) {
	const id = "9081e64f-b2c0-455e-bcaa-c1c211fa124b"
	run := `{"id":"` + id + `","state":"complete","attempt":1}`
	cut := &cutter{run: run, pieces: []string{"id: 4\ndata: one\n\n", "id: 8\ndata: two\n\nid: 9\ndata: tor", "id: 14\ndata: three\n\nevent: end\ndata: complete\n\n"}}
	same(t, execute(t.Context(), serve(t, cut), "", "runs", "logs", "-f", id).ok(t), "one\ntwo\nthree")
	if got := strings.Join(cut.after, ","); got != ",4,8" {
		t.Errorf("asked for what is behind %s", got)
	}
	cut = &cutter{run: run, pieces: []string{"id: 4\ndata: one\n\n"}}
	r := execute(t.Context(), serve(t, cut), "", "runs", "logs", "-f", id)
	r.fails(t, "cut off", "signalbox runs logs -f "+id)
	same(t, r.out, "one")
}

func TestEnding(t *testing.T) {
	if got := ending(registry.Run{State: registry.RunRunning}); !strings.HasSuffix(got, "is running") {
		t.Error(got)
	}
}

// cutter breaks off after each piece of a log.
type cutter struct {
	run    string
	pieces []string
	after  []string // the Last-Event-ID of each request
}

func (c *cutter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/logs") {
		_, _ = io.WriteString(w, c.run)
		return
	}
	c.after = append(c.after, r.Header.Get("Last-Event-ID"))
	if n := len(c.after); n <= len(c.pieces) {
		_, _ = io.WriteString(w, c.pieces[n-1])
	}
}
