package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
)

// searched goes through the API of sweeps.
func (o *observer) searched() {
	o.t.Helper()
	body := `{"request":{"model_name":"flight-delay","data":{"features":[{"dataset":"flights@latest"}],"date_column":"event_time"},
		"train":{"workflow_name":"delay","classifier_features":["delay"],"label":"late"}},"search":{"metric":"auc","goal":"maximize","algorithm":"asha","seed":1,"trials":3,"parallel":2,"max_seconds":60,
		"parameters":{"x":{"type":"integer","min":8,"max":256,"scale":"log"},"y":{"type":"choice","values":["a",null,{"b":1}]}},
		"asha":{"min_step":1,"max_step":81,"reduction":3}}}`
	start := request{method: "POST", path: "/v1/sweeps", body: body, header: map[string]string{"Idempotency-Key": "sweep"}}
	var s registry.Sweep
	o.ask(201, start).into(o.t, &s)
	o.ask(200, start)
	o.ask(422, request{method: "POST", path: "/v1/sweeps", body: strings.Replace(body, "maximize", "most", 1)})
	o.ask(400, request{method: "POST", path: "/v1/sweeps", body: "{"})
	run, _, err := o.reg.RequestTrial(o.t.Context(), s, 1)
	if err != nil {
		o.t.Fatal(err)
	}
	got(o.reg.QueueRun(o.t.Context(), run.ID, "CPU"))(o.t)
	o.leave(run.ID, "series.d/00000000", `{"name":"auc","value":0.81,"step":3,"at":"2026-11-23T14:00:00.123Z"}`+"\n")
	got(o.reg.CancelRun(o.t.Context(), run.ID, "asha: 0.81 at step 3 is not among the best third of 7"))(o.t)
	path := "/v1/sweeps/" + s.ID.String()
	if a := o.ask(200, request{method: "GET", path: path}); !strings.Contains(a.body, `"value":0.81,"step":3`) {
		o.t.Errorf("no value in %s", a.body)
	}
	o.ask(200, request{method: "GET", path: "/v1/runs?sweep=" + s.ID.String()})
	o.ask(400, request{method: "GET", path: "/v1/sweeps/7"})
	o.ask(404, request{method: "GET", path: "/v1/sweeps/9081e64f-b2c0-455e-bcaa-c1c211fa124b"})
	o.ask(200, request{method: "GET", path: "/v1/sweeps?model=flight-delay&state=running&limit=1"})
	o.ask(400, request{method: "GET", path: "/v1/sweeps?state=done"})
	o.ask(200, request{method: "POST", path: path + ":cancel"})
	o.ask(404, request{method: "POST", path: "/v1/sweeps/9081e64f-b2c0-455e-bcaa-c1c211fa124b:cancel"})
	var other registry.Sweep
	o.ask(201, request{method: "POST", path: "/v1/sweeps", body: body}).into(o.t, &other)
	got(o.reg.FailSweep(o.t.Context(), other.ID, "no trial is complete"))(o.t)
	o.ask(409, request{method: "POST", path: "/v1/sweeps/" + other.ID.String() + ":cancel"})
}

const sweepSearch = `{"metric":"auc","goal":"maximize","trials":3,"parallel":2,"parameters":{"x":{"type":"integer","min":1,"max":9}}}`

func TestSweeps(t *testing.T) {
	w := newWorld(t)
	w.declare()
	file := filepath.Join(t.TempDir(), "sweep.json")
	if err := os.WriteFile(file, []byte(`{"request":`+trainRequest+`,"search":`+sweepSearch+`}`), 0o600); err != nil {
		t.Fatal(err)
	}
	id := strings.TrimSpace(w.run("sweeps", "create", "-f", file, "--key", "k").ok(t))
	same(t, w.run("sweeps", "create", "-f", file, "--key", "k").ok(t), id)
	same(t, timeless(w.run("sweeps", "ls", "--state", "running").ok(t)), strings.Join([]string{
		"SWEEP                                  MODEL   STATE     TRIALS   CREATED                BEST",
		id + "   delay   running   3        TIME   -",
	}, "\n"))
	s, err := w.reg.Sweep(t.Context(), got(registry.ParseSweepID(id))(t))
	if err != nil {
		t.Fatal(err)
	}
	run, _, err := w.reg.RequestTrial(t.Context(), s, 1)
	if err != nil {
		t.Fatal(err)
	}
	out := w.run("sweeps", "show", id).ok(t)
	for _, want := range []string{"state running", "search random auc maximize", "TRIAL RUN STATE VALUE STEP PARAMS REASON",
		fmt.Sprintf("1 %s requested - - x=%s", run.ID, s.Search.Draw(1)["x"])} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	var doc struct{ Trials []json.RawMessage }
	if err := json.Unmarshal([]byte(w.run("sweeps", "show", id, "-o", "json").ok(t)), &doc); err != nil || len(doc.Trials) != 1 {
		t.Errorf("%d trials, %v", len(doc.Trials), err)
	}
	if out := w.run("runs", "show", run.ID.String()).ok(t); !strings.Contains(strings.Join(strings.Fields(out), " "), "sweep "+id+" trial 1 model delay") {
		t.Errorf("the run does not say of which sweep it is:\n%s", out)
	}
	if out := w.run("runs", "show", run.ID.String(), "-o", "json").ok(t); !strings.Contains(out, `"sweep": "`+id+`"`) || !strings.Contains(out, `"trial": 1`) {
		t.Errorf("the run does not say of which sweep it is:\n%s", out)
	}
	same(t, w.run("sweeps", "cancel", id).ok(t), "sweep "+id+" is cancelled")
	same(t, w.run("sweeps", "ls", "--state", "running").ok(t), "SWEEP   MODEL   STATE   TRIALS   CREATED   BEST")
}

func TestSweepsRefuse(t *testing.T) {
	w := newWorld(t)
	const id = "9081e64f-b2c0-455e-bcaa-c1c211fa124b"
	for _, verb := range []string{"show", "cancel"} {
		w.run("sweeps", verb, id).fails(t, "sweeps "+verb+" "+id+": 404 Not Found")
		w.run("sweeps", verb, "nonsense").fails(t, "want a UUID")
	}
	w.run("sweeps", "ls", "--state", "done").fails(t, http.StatusText(http.StatusBadRequest), "state")
	w.run("sweeps", "create", "-f", filepath.Join(t.TempDir(), "none")).fails(t, "none")
	file := filepath.Join(t.TempDir(), "sweep.json")
	if err := os.WriteFile(file, []byte("search: 7"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.run("sweeps", "create", "-f", file).fails(t, "is not JSON")
}
