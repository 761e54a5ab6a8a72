package registry_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

func TestLineage(t *testing.T) {
	b, run := running(t)
	p := made(t, b, run, "tree")
	must(b.CompleteRun(t.Context(), run.ID, 1, p.ID, nil))(t)
	other := b.publish(t, "other")
	must(b.Promote(t.Context(), promotion(p, 0)))(t)
	must(b.Promote(t.Context(), promotion(other, 1)))(t)
	must(b.Promote(t.Context(), promotion(p, 2)))(t)
	staging := promotion(other, 0)
	staging.Tag.Name = "staging"
	must(b.Promote(t.Context(), staging))(t)

	l, err := b.Lineage(t.Context(), p.ID)
	if err != nil || len(l.Runs) != 1 || len(l.Tags) != 1 {
		t.Fatalf("Lineage = %+v, %v", l, err)
	}
	src := l.Runs[0].Dataset.Sources[0]
	if l.Runs[0].Run.ID != run.ID || l.Runs[0].Dataset.Dataset.ID != run.Dataset || src.Topic != "events.flights" ||
		src.Partition != 1 || src.Start != 5 || src.End != 9 {
		t.Errorf("back to %+v", l.Runs[0].Dataset)
	}
	if b, err := json.Marshal(l.Tags); err != nil || string(b) != `[{"tag":"flight-delay/production","generations":[1,3],"current":true}]` {
		t.Errorf("forward to %s, %v", b, err)
	}
	l, err = b.Lineage(t.Context(), other.ID)
	if err != nil || len(l.Runs) != 0 || len(l.Tags) != 2 || l.Tags[0].Current || !l.Tags[1].Current {
		t.Errorf("published by hand = %+v, %v", l, err)
	}
	if text := string(must(json.Marshal(l))(t)); !strings.Contains(text, `"runs":[]`) {
		t.Errorf("lineage = %s", text)
	}

	use, err := b.DatasetUse(t.Context(), run.Dataset)
	if err != nil || len(use.Runs) != 1 || use.Runs[0].Package != p.ID || len(use.Sources) != 1 {
		t.Errorf("DatasetUse = %+v, %v", use, err)
	}
	for _, f := range []func() error{
		func() error { _, err := b.Lineage(t.Context(), cas.Sum(nil)); return err },
		func() error { _, err := b.DatasetUse(t.Context(), cas.Sum(nil)); return err },
	} {
		if err := f(); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("lineage of nothing: %v, want ErrNotFound", err)
		}
	}
}

func TestRecordEvaluation(t *testing.T) {
	b := newBench(t)
	p := b.publish(t, "tree")
	e := manifest.Evaluation{
		Model: "flight-delay", Package: p.ID, RunID: "9081e64f-b2c0-455e-bcaa-c1c211fa124b", Tag: "flight-delay/production",
		Holdout: cas.Sum([]byte("holdout")), Rows: 10, Metrics: map[string]map[string]float64{"candidate": {"auc": 0.75}},
		Policy: map[string]any{"metric": "auc"}, Decision: manifest.Promote, Reasons: []string{"the first candidate"},
	}
	id, err := b.RecordEvaluation(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	ev := last[events.EvaluationCompleted](t, b, events.TypeEvaluationCompleted)
	if ev.Evaluation != id.String() || ev.Champion != "" || ev.Metrics["candidate"]["auc"] != 0.75 || ev.Decision != "promote" {
		t.Errorf("event = %+v", ev)
	}
	if again, err := b.RecordEvaluation(t.Context(), e); err != nil || again != id {
		t.Errorf("repeat = %s, %v", again, err)
	}
	got, err := b.Evaluations(t.Context(), p.ID)
	if err != nil || len(got) != 1 || got[0].ID != id || got[0].RunID != e.RunID {
		t.Errorf("Evaluations = %+v, %v", got, err)
	}
	if d, err := b.store.Find(t.Context(), id); err != nil || d.Size == 0 {
		t.Errorf("the bucket has %+v, %v", d, err)
	}
	if n := len(b.outbox(t)); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
	e.Reasons = nil
	_, err = b.RecordEvaluation(t.Context(), e)
	wantInvalid(t, "no reasons", err, "/reasons")
}
