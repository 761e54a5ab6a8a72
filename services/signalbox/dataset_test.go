package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/remote"
)

func TestDatasets(t *testing.T) {
	w := newWorld(t)
	w.declare()
	list, err := w.reg.Datasets(t.Context(), registry.DatasetFilter{})
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	id := list[0].ID.String()
	same(t, w.run("dataset", "ls", "--name", "flights", "--limit", "5").ok(t),
		"NAME      FROM                   TO                     ROWS   DATASET\nflights   2026-01-01T00:00:00Z   2026-01-01T01:00:00Z   2      "+id)
	same(t, w.run("dataset", "ls", "--name", "other").ok(t), "NAME   FROM   TO   ROWS   DATASET")

	run := strings.TrimSpace(w.train().ok(t))
	out := w.run("dataset", "get", id).ok(t)
	for _, want := range []string{"dataset", id, "flights", "2026-01-01T01:00:00Z", run} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	var d remote.Dataset
	if err := json.Unmarshal([]byte(w.run("dataset", "get", id, "-o", "json").ok(t)), &d); err != nil || d.Dataset.ID.String() != id ||
		len(d.Manifest.Parts) != 1 || len(d.Runs) != 1 {
		t.Errorf("%v: %+v", err, d)
	}
	w.run("dataset", "get", cas.Sum([]byte("none")).String()).fails(t, "404 Not Found")
	w.run("dataset", "get", "flights").fails(t, "not a digest")
}

func TestDatasetShowsItsSources(t *testing.T) {
	env := serve(t, canned{"GET /v1/datasets/" + digest("d"): `{"dataset":` + datasetText() + `,"manifest":{"name":"flights","sources":` + sourceText() + `},"runs":[]}`})
	out := execute(t.Context(), env, "", "dataset", "get", digest("d")).ok(t)
	if !strings.Contains(out, "events.flights/2   [10, 20)   10     archive/v1/a.parquet") {
		t.Error(out)
	}
}
