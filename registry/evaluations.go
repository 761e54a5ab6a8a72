package registry

import (
	"context"
	"fmt"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// RecordEvaluation keeps an evaluation for ever and announces it. Its digest is the evidence for a promotion. The
// same evaluation again changes nothing.
func (r *Registry) RecordEvaluation(ctx context.Context, e manifest.Evaluation) (cas.Digest, error) {
	b, err := e.Encode()
	if err != nil {
		return cas.Digest{}, fmt.Errorf("record evaluation of %s: %w", e.Package, err)
	}
	blob, err := r.store.Push(ctx, manifest.MediaEvaluation, b)
	if err != nil {
		return cas.Digest{}, fmt.Errorf("record evaluation of %s: %w", e.Package, err)
	}
	at := now()
	ev, err := r.event(ctx, events.TypeEvaluationCompleted, e.Package.String(), blob.Digest.String(), at, events.EvaluationCompleted{
		Evaluation: blob.Digest.String(), Package: e.Package.String(), Model: e.Model, RunID: e.RunID, Tag: e.Tag,
		Champion: text(e.Champion), Generation: e.Generation, Metrics: e.Metrics, Slices: e.Slices, Decision: e.Decision,
		Reasons: e.Reasons,
	})
	if err != nil {
		return cas.Digest{}, fmt.Errorf("record evaluation of %s: %w", e.Package, err)
	}
	_, err = r.catalog.Attest(ctx, Attestation{
		Subject: e.Package, Type: AttestEvaluation, ID: blob.Digest, Body: b, Created: at,
	}, ev)
	if err != nil {
		return cas.Digest{}, fmt.Errorf("record evaluation of %s: %w", e.Package, err)
	}
	return blob.Digest, nil
}

// RecordedEvaluation is an evaluation with its digest.
type RecordedEvaluation struct {
	ID cas.Digest `json:"id"`
	manifest.Evaluation
}

// Evaluations returns every evaluation of a package, oldest first.
func (r *Registry) Evaluations(ctx context.Context, pkg cas.Digest) ([]RecordedEvaluation, error) {
	all, err := r.catalog.ListAttestations(ctx, pkg)
	if err != nil {
		return nil, fmt.Errorf("evaluations of %s: %w", pkg, err)
	}
	var out []RecordedEvaluation
	for _, a := range all {
		if a.Type != AttestEvaluation {
			continue
		}
		e, err := manifest.DecodeEvaluation(a.Body)
		if err != nil {
			return nil, fmt.Errorf("evaluation %s: %w", a.ID, err)
		}
		out = append(out, RecordedEvaluation{ID: a.ID, Evaluation: e})
	}
	return out, nil
}
