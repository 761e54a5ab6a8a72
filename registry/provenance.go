package registry

import (
	"context"
	"encoding/json"

	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// Provenance is the body of an AttestProvenance: how a package came to be.
type Provenance struct {
	Package  cas.Digest      `json:"package"`
	Run      RunID           `json:"run_id"`
	Attempt  int             `json:"attempt"`
	Model    ModelName       `json:"model"`
	Dataset  cas.Digest      `json:"dataset"`
	Workflow cas.Digest      `json:"workflow"`
	Request  json.RawMessage `json:"request"`
}

func (r *Registry) attestProvenance(ctx context.Context, run Run, attempt int, p Package) error {
	b, err := json.Marshal(Provenance{
		Package: p.ID, Run: run.ID, Attempt: attempt, Model: run.Model, Dataset: run.Dataset, Workflow: run.Workflow,
		Request: run.Request,
	})
	if err != nil {
		return err
	}
	if b, err = manifest.Canonical(b); err != nil {
		return err
	}
	_, err = r.catalog.Attest(ctx, Attestation{Subject: p.ID, Type: AttestProvenance, ID: cas.Sum(b), Body: b, Created: now()})
	return err
}
