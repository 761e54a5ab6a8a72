package evaluate

import (
	"context"
	"errors"
	"fmt"
	"math"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// decide settles a candidate against the champion of this moment: registry.ErrTagMoved where another one took its place
// meanwhile.
func (v *Evaluator) decide(ctx context.Context, c *candidate) error {
	// The tag first, then what is recorded. The other way round, another delivery could promote and a person roll back in
	// between, and this one would promote again on top of the person's decision.
	state, err := v.cfg.Catalog.Tag(ctx, c.tag)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return fmt.Errorf("read tag %s: %w", c.tag, err)
	}
	if done, err := v.settled(ctx, c); err != nil || done {
		return err
	}
	if err := v.look(ctx, c); err != nil {
		return err
	}
	record, err := v.compare(ctx, c, state)
	if err != nil {
		return err
	}
	id, err := v.cfg.Registry.RecordEvaluation(ctx, record)
	if err != nil {
		return fmt.Errorf("record evaluation: %w", err)
	}
	v.decisions.Add(ctx, 1, metric.WithAttributes(
		attribute.String("signalbox.model", string(c.run.Model)), attribute.String("decision", record.Decision)))
	log := v.cfg.Log.With("package", c.pkg, "run_id", c.run.ID, "tag", c.tag, "evaluation", id)
	if record.Decision != Promote {
		log.InfoContext(ctx, "package kept back", "reasons", record.Reasons)
		return nil
	}
	moved, err := v.cfg.Registry.Promote(ctx, registry.TagMove{
		Tag: c.tag, Expect: state.Generation, Arms: registry.One(c.pkg), Actor: "evaluate", Reason: record.Reasons[0],
		Evidence: id, Op: "evaluation:" + id.String(),
	})
	if err != nil {
		return fmt.Errorf("promote %s: %w", c.tag, err)
	}
	trace.SpanFromContext(ctx).AddEvent("promoted")
	log.InfoContext(ctx, "package promoted", "generation", moved.Generation, "reasons", record.Reasons)
	return nil
}

// settled reports whether an earlier delivery came to an end: it kept the package, or promoted it, if only to be rolled back
// since. What it wanted to promote but did not is open: it was killed, or the tag moved first.
func (v *Evaluator) settled(ctx context.Context, c *candidate) (bool, error) {
	all, err := v.cfg.Registry.Evaluations(ctx, c.pkg)
	if err != nil {
		return false, fmt.Errorf("earlier evaluations: %w", err)
	}
	for _, old := range all {
		if old.RunID != c.run.ID.String() {
			continue
		}
		if old.Decision != Promote {
			return true, nil
		}
		if moved, err := v.moved(ctx, old); err != nil || moved {
			return moved, err
		}
	}
	return false, nil
}

// moved reports whether the tag of an evaluation ever moved because of it. The tag is the evaluation's own: the model's spec
// may name another one by now.
func (v *Evaluator) moved(ctx context.Context, e registry.RecordedEvaluation) (bool, error) {
	tag, err := registry.ParseTag(e.Tag)
	if err != nil {
		return false, fmt.Errorf("evaluation %s: %w", e.ID, err)
	}
	history, err := v.cfg.Catalog.TagHistory(ctx, tag)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return false, fmt.Errorf("history of %s: %w", tag, err)
	}
	for _, s := range history {
		if s.Evidence == e.ID {
			return true, nil
		}
	}
	return false, nil
}

// compare scores the champion on the candidate's holdout and decides.
func (v *Evaluator) compare(ctx context.Context, c *candidate, state registry.TagState) (manifest.Evaluation, error) {
	h := c.seen.holdout
	scores := map[string][]float64{Candidate: c.seen.scores}
	facts := Facts{Rows: int64(len(h.Rows)), Faults: c.seen.faults}
	champion := championOf(state)
	if champion == c.pkg {
		// Recorded all the same: should a person move the tag elsewhere, a repeat of this event must not bring it back.
		facts.Faults = append([]string{"the tag points at this package already"}, facts.Faults...)
	}
	if !champion.IsZero() {
		got, _, err := v.cfg.Scorer.Score(ctx, champion, h.Rows, c.policy.Output)
		switch {
		case err != nil && !errors.Is(err, ErrUnscorable):
			return manifest.Evaluation{}, fmt.Errorf("score champion %s: %w", champion, err)
		case err != nil:
			// Not comparable is not better: a model on fewer inputs would replace a good one.
			facts.Faults = append(facts.Faults, fmt.Sprintf("the champion cannot be scored on this holdout, so move the tag by hand "+
				"if it is to be replaced: %.300s", err))
		default:
			scores[Champion], facts.HasChampion = got, true
		}
	}
	if c.policy.Baseline != "" {
		base, err := baseline(h, c.policy.Baseline)
		if err != nil {
			return manifest.Evaluation{}, events.Permanent("bad_holdout", err)
		}
		if base != nil {
			scores[Baseline] = base
		}
	}
	all := make([]int, len(h.Rows))
	for i := range all {
		all[i] = i
	}
	facts.Metrics = figures(h, scores, all)
	parts, err := sliceBy(h, c.policy.Slices, scores)
	if err != nil {
		return manifest.Evaluation{}, events.Permanent("bad_holdout", err)
	}
	decision, reasons := Decide(c.policy, facts)
	return manifest.Evaluation{
		Model: string(c.run.Model), Package: c.pkg, RunID: c.run.ID.String(), Dataset: c.run.Dataset, Tag: c.tag.String(),
		Champion: champion, Generation: state.Generation, Holdout: h.Digest, Rows: facts.Rows,
		Metrics: facts.Metrics, Slices: parts, Policy: c.policy, Decision: decision, Reasons: reasons,
	}, nil
}

// championOf returns the package with the largest share of a tag.
func championOf(s registry.TagState) cas.Digest {
	var best registry.Arm
	for _, a := range s.Arms {
		if a.Weight > best.Weight {
			best = a
		}
	}
	return best.Package
}

// difference returns the largest distance between two score columns; columns of different length differ without limit.
func difference(a, b []float64) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	worst := 0.0
	for i := range a {
		d := math.Abs(a[i] - b[i])
		if math.IsNaN(d) && !(math.IsNaN(a[i]) && math.IsNaN(b[i])) {
			return math.Inf(1)
		}
		worst = max(worst, d)
	}
	return worst
}
