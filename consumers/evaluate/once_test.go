package evaluate_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/consumers/evaluate"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

var production = registry.Tag{Model: "delay", Name: "production"}

// rollBack brings the value before the current one back, as a person does.
func (b bench) rollBack(t *testing.T, at int64) {
	t.Helper()
	if _, err := b.Rollback(t.Context(), registry.RollbackRequest{Tag: production, Expect: at, Actor: "kelley"}); err != nil {
		t.Fatal(err)
	}
}

// A person rolls back what was promoted, and Kafka delivers the old event again: the person's word stands.
func TestEvaluateRedeliveredAfterRollback(t *testing.T) {
	b := newBench(t)
	first := b.train(t, "first", []float64{0.1, 0.6, 0.5, 0.9})
	better := b.train(t, "better", []float64{0.1, 0.2, 0.8, 0.9})
	b.handle(t, first)
	b.handle(t, better)
	b.stands(t, 2, better)
	b.rollBack(t, 2)
	scored := 0
	b.engine.before = func() { scored++ }
	b.handle(t, better)
	b.handle(t, first)
	b.stands(t, 3, first)
	if all := b.decisions(t, better); len(all) != 1 || scored != 0 {
		t.Errorf("evaluations = %q after %d scorings, want the old one and none", all, scored)
	}
	best := b.train(t, "best", []float64{0, 0.2, 0.8, 1})
	b.handle(t, best)
	b.stands(t, 4, best)
}

// The rollback comes while a second delivery of the event is under way: it read the tag before, so it must lose.
func TestEvaluateRollbackDuringRedelivery(t *testing.T) {
	b := newBench(t)
	first := b.train(t, "first", []float64{0.1, 0.6, 0.5, 0.9})
	b.handle(t, first)
	better := b.train(t, "better", []float64{0.1, 0.2, 0.8, 0.9})
	b.engine.before = func() { // the slow delivery is at its first scoring; the other one runs to its end
		b.engine.before = nil
		b.handle(t, better)
		b.rollBack(t, 2)
	}
	b.handle(t, better)
	b.stands(t, 3, first)
}

// hooked is a registry where something happens right after the earlier evaluations were read.
type hooked struct {
	*registry.Registry
	after func()
}

func (h *hooked) Evaluations(ctx context.Context, pkg cas.Digest) ([]registry.RecordedEvaluation, error) {
	all, err := h.Registry.Evaluations(ctx, pkg)
	if f := h.after; f != nil {
		h.after = nil
		f()
	}
	return all, err
}

// Promotion and rollback fall between the two reads of a second delivery.
func TestEvaluateRollbackBetweenReads(t *testing.T) {
	b := newBench(t)
	first := b.train(t, "first", []float64{0.1, 0.6, 0.5, 0.9})
	b.handle(t, first)
	better := b.train(t, "better", []float64{0.1, 0.2, 0.8, 0.9})
	slow, err := evaluate.New(evaluate.Config{Catalog: b.catalog, Bucket: b.bucket, Scorer: b.engine,
		Registry: &hooked{b.Registry, func() {
			b.handle(t, better)
			b.rollBack(t, 2)
		}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := slow.Handle(t.Context(), better); err != nil {
		t.Fatal(err)
	}
	b.stands(t, 3, first)
}

// A run that reproduces the champion is decided, too: once somebody rolled the champion back, its event brings nothing back.
func TestEvaluateReproducedChampion(t *testing.T) {
	b := newBench(t)
	first := b.train(t, "first", []float64{0.1, 0.6, 0.5, 0.9})
	b.handle(t, first)
	better := b.train(t, "better", []float64{0.1, 0.2, 0.8, 0.9})
	pkg := registry.Arm{Package: mustDigest(t, better.Subject()), Weight: 10000}
	if _, err := b.Promote(t.Context(), registry.TagMove{Tag: production, Expect: 1, Arms: []registry.Arm{pkg}, Actor: "kelley"}); err != nil {
		t.Fatal(err)
	}
	b.handle(t, better)
	b.rollBack(t, 2)
	b.handle(t, better)
	b.stands(t, 3, first)
	if all := b.decisions(t, better); len(all) != 1 || !strings.HasPrefix(all[0], "keep: the tag points at this package already") {
		t.Errorf("evaluations = %q", all)
	}
}

// mute is a registry whose promotions get lost, as for a process that is killed before it makes them.
type mute struct{ *registry.Registry }

var errKilled = errors.New("killed")

func (mute) Promote(context.Context, registry.TagMove) (registry.TagState, error) {
	return registry.TagState{}, errKilled
}

// The evaluation was recorded and the process killed: the next delivery makes the promotion, with the same evidence.
func TestEvaluateKilledBeforePromotion(t *testing.T) {
	b := newBench(t)
	ev := b.train(t, "first", []float64{0.1, 0.2, 0.8, 0.9})
	dying, err := evaluate.New(evaluate.Config{Catalog: b.catalog, Registry: mute{b.Registry}, Bucket: b.bucket, Scorer: b.engine})
	if err != nil {
		t.Fatal(err)
	}
	if err := dying.Handle(t.Context(), ev); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	b.handle(t, ev)
	s := b.stands(t, 1, ev)
	all, err := b.Evaluations(t.Context(), s.Arms[0].Package)
	if err != nil || len(all) != 1 || all[0].ID != s.Evidence {
		t.Errorf("evaluations = %+v, %v, want one: %s", all, err, s.Evidence)
	}
}

// An artifact that is gone will not come back; a bucket that is away will.
func TestEvaluateArtifactMissing(t *testing.T) {
	b := newBench(t)
	ev := b.train(t, "first", []float64{0.1, 0.2, 0.8, 0.9})
	runs, err := b.catalog.ListRuns(t.Context(), registry.RunFilter{})
	if err != nil || len(runs) != 1 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	away, err := evaluate.New(evaluate.Config{Catalog: b.catalog, Registry: b.Registry, Bucket: unreachable{b.bucket}, Scorer: b.engine})
	if err != nil {
		t.Fatal(err)
	}
	if err := away.Handle(t.Context(), ev); err == nil || events.PermanentReason(err) != "" {
		t.Errorf("bucket away: %v, want an error that is tried again", err)
	}
	if err := b.bucket.Delete(t.Context(), registry.ArtifactKey(runs[0].ID, 1, "labels.tsv")); err != nil {
		t.Fatal(err)
	}
	if err := b.handler.Handle(t.Context(), ev); events.PermanentReason(err) != "artifact_missing" || !errors.Is(err, bucket.ErrNotFound) {
		t.Errorf("artifact gone: %v, want it permanent", err)
	}
}

// unreachable is a bucket whose server does not answer.
type unreachable struct{ bucket.Bucket }

func (unreachable) Get(context.Context, string, bucket.Range) (io.ReadCloser, bucket.Attrs, error) {
	return nil, bucket.Attrs{}, errors.New("connection refused")
}

func mustDigest(t *testing.T, s string) cas.Digest {
	t.Helper()
	d, err := cas.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
