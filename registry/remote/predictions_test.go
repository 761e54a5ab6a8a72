package remote_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
)

func TestPredictionLineage(t *testing.T) {
	const id = "019a0b7e-3f0a-7c4e-9d2c-5b1d6a0e4c11"
	route := "GET /v1/predictions/" + id + "/lineage"
	l, err := serve(t, route, nil, text(200, `{"prediction":{"id":"`+id+`","package":"`+pkg.String()+`","partition":2,"offset":41},
		"package":{"id":"`+pkg.String()+`","run":null,"dataset":{"rows":7},"sources":[{"start":10,"end":20}]}}`)).PredictionLineage(t.Context(), id)
	if err != nil || l.Prediction.ID != id || l.Prediction.Offset != 41 || l.Package.ID != pkg || l.Package.Run != nil ||
		l.Package.Dataset.Rows != 7 || l.Package.Sources[0].End != 20 {
		t.Errorf("got %+v, %v", l, err)
	}
	_, err = serve(t, route, nil, text(http.StatusNotFound, `{}`)).PredictionLineage(t.Context(), id)
	if !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestDatasets(t *testing.T) {
	see := func(r *http.Request, _ string) {
		if got := r.URL.RawQuery; got != "limit=5&name=flights" {
			t.Errorf("got %s", got)
		}
	}
	c := serve(t, "GET /v1/datasets", see, text(200, `{"datasets":[{"id":"`+pkg.String()+`","name":"flights","rows":7}]}`))
	list, err := c.ListDatasets(t.Context(), registry.DatasetFilter{Name: "flights", Limit: 5})
	if err != nil || len(list) != 1 || list[0].ID != pkg || list[0].Rows != 7 {
		t.Errorf("got %+v, %v", list, err)
	}
	c = serve(t, "GET /v1/datasets/"+pkg.String(), nil, text(200,
		`{"dataset":{"id":"`+pkg.String()+`"},"manifest":{"name":"flights","parts":[{"rows":7}]},"runs":[{"model":"delay"}]}`))
	d, err := c.Dataset(t.Context(), pkg)
	if err != nil || d.Dataset.ID != pkg || d.Manifest.Parts[0].Rows != 7 || d.Runs[0].Model != "delay" {
		t.Errorf("got %+v, %v", d, err)
	}
}

func TestArchive(t *testing.T) {
	const answer = `{"topics":[{"topic":"events.flights","topic_id":"9081e64f-b2c0-455e-bcaa-c1c211fa124b","stream":"flights",
		"partitions":[{"partition":1,"next":12,"rows":11,"archived_through":"2026-01-02T03:04:05Z","event_time":null,"updated_at":"2026-01-02T03:04:06Z"}]}]}`
	see := func(r *http.Request, _ string) {
		if got := r.URL.Query().Get("topic"); got != "events.flights" {
			t.Errorf("got %s", r.URL)
		}
	}
	list, err := serve(t, "GET /v1/archive", see, text(200, answer)).Archive(t.Context(), "events.flights")
	if err != nil || len(list) != 1 || list[0].Stream != "flights" {
		t.Fatalf("got %+v, %v", list, err)
	}
	if p := list[0].Partitions[0]; p.Partition != 1 || p.Next != 12 || p.Rows != 11 || p.Through == nil || p.EventTime != nil {
		t.Errorf("got %+v", p)
	}
}
