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
	// Attempts are those before this one and why each was given up, and this one; with the compute class of each.
	Attempts []AttemptProvenance `json:"attempts"`
}

// AttemptProvenance is one attempt of the run that made a package.
type AttemptProvenance struct {
	Attempt      int    `json:"attempt"`
	ComputeClass string `json:"compute_class,omitempty"`
	GivenUp      string `json:"given_up,omitempty"` // why the next attempt was needed
}

// attemptsOf is the history of a run by attempts. The reason that queued an attempt is why the one before was given up.
func attemptsOf(run Run) []AttemptProvenance {
	var out []AttemptProvenance
	for _, t := range run.History {
		if n := len(out); t.Attempt == 0 || n > 0 && out[n-1].Attempt == t.Attempt {
			continue
		} else if n > 0 {
			out[n-1].GivenUp = t.Reason
		}
		out = append(out, AttemptProvenance{Attempt: t.Attempt, ComputeClass: t.ComputeClass})
	}
	return out
}

func (r *Registry) attestProvenance(ctx context.Context, run Run, attempt int, p Package) error {
	b, err := json.Marshal(Provenance{
		Package: p.ID, Run: run.ID, Attempt: attempt, Model: run.Model, Dataset: run.Dataset, Workflow: run.Workflow,
		Request: run.Request, Attempts: attemptsOf(run),
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
