package evaluate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// maxArtifact bounds what is read of a run's artifacts, bytes.
const maxArtifact = 512 << 20

// candidate is everything about a package that does not depend on the champion.
type candidate struct {
	pkg    cas.Digest
	run    registry.Run
	tag    registry.Tag
	policy spec.Evaluation
	seen   *sight // nil until it is scored
}

// sight is a candidate's holdout, and what the serving engine makes of it.
type sight struct {
	holdout Holdout
	scores  []float64
	faults  []string // in words; each of them keeps the candidate
}

// candidate is nil where nobody declared the model.
func (v *Evaluator) candidate(ctx context.Context, data events.PackagePublished) (*candidate, error) {
	id, err := registry.ParseRunID(data.RunID)
	if err != nil {
		return nil, events.Permanent("malformed", err)
	}
	c := &candidate{}
	if c.pkg, err = cas.Parse(data.Package); err != nil {
		return nil, events.Permanent("malformed", err)
	}
	if c.run, err = v.cfg.Catalog.Run(ctx, id); err != nil {
		return nil, absent("unknown_run", err)
	}
	stored, err := v.cfg.Catalog.Spec(ctx, spec.KindModel, string(c.run.Model))
	if errors.Is(err, registry.ErrNotFound) {
		return nil, nil //nolint:nilnil // whoever asked for the run decides: there is no policy to judge it by
	}
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", c.run.Model, err)
	}
	var model spec.Model
	if err := json.Unmarshal(stored.Body, &model); err != nil {
		return nil, events.Permanent("malformed", fmt.Errorf("spec of model %s: %w", c.run.Model, err))
	}
	c.policy = model.Evaluation
	c.tag = registry.Tag{Model: c.run.Model, Name: c.policy.Tag}
	return c, nil
}

// look scores the candidate, once.
func (v *Evaluator) look(ctx context.Context, c *candidate) error {
	if c.seen != nil {
		return nil
	}
	h, err := v.holdout(ctx, c.run)
	if err != nil {
		return err
	}
	scores, tolerance, err := v.cfg.Scorer.Score(ctx, c.pkg, h.Rows, c.policy.Output)
	if errors.Is(err, ErrUnscorable) {
		return events.Permanent("unscorable", err)
	}
	if err != nil {
		return fmt.Errorf("score candidate %s: %w", c.pkg, err)
	}
	c.seen = &sight{holdout: h, scores: scores}
	if worst := difference(scores, h.Scores); worst > tolerance {
		c.seen.faults = append(c.seen.faults, fmt.Sprintf("the serving engine differs from the training process by %g, allowed is %g", worst, tolerance))
	}
	return nil
}

// absent turns a missing object into a dead letter: the run of an event exists before the event does.
func absent(reason string, err error) error {
	if errors.Is(err, registry.ErrNotFound) {
		return events.Permanent(reason, err)
	}
	return err
}

func (v *Evaluator) holdout(ctx context.Context, run registry.Run) (Holdout, error) {
	files := map[string][]byte{}
	for _, name := range []string{holdoutFile, labelsFile, scoresFile} {
		key := run.Artifacts[name]
		if key == "" {
			return Holdout{}, events.Permanent("no_holdout", fmt.Errorf("run %s left no %s", run.ID, name))
		}
		b, err := v.read(ctx, key)
		if err != nil {
			return Holdout{}, err
		}
		files[name] = b
	}
	h, err := parseHoldout(files[holdoutFile], files[labelsFile], files[scoresFile])
	if err != nil {
		return Holdout{}, events.Permanent("bad_holdout", err)
	}
	return h, nil
}

func (v *Evaluator) read(ctx context.Context, key string) ([]byte, error) {
	r, attrs, err := v.cfg.Bucket.Get(ctx, key, bucket.Range{})
	if errors.Is(err, bucket.ErrNotFound) {
		// The run ended after it had uploaded its artifacts: what is not there now will not come.
		return nil, events.Permanent("artifact_missing", fmt.Errorf("read %s: %w", key, err))
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	defer r.Close()
	if attrs.Size > maxArtifact {
		return nil, events.Permanent("too_large", fmt.Errorf("%s has %d bytes, at most %d are read", key, attrs.Size, maxArtifact))
	}
	b, err := io.ReadAll(io.LimitReader(r, maxArtifact))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return b, nil
}
