package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// MediaWorkflow is the media type of a workflow's spec body in the bucket.
const MediaWorkflow = "application/vnd.signalbox.workflow.v1+json"

// FindWorkflow returns the workflow that a training request calls name: the one of that name, or the only one whose
// entrypoint is a class of that name.
func (r *Registry) FindWorkflow(ctx context.Context, name string) (Spec, spec.Workflow, error) {
	s, err := r.catalog.Spec(ctx, spec.KindWorkflow, name)
	if errors.Is(err, ErrNotFound) {
		var all []Spec
		if all, err = r.catalog.ListSpecs(ctx, spec.KindWorkflow); err != nil {
			return Spec{}, spec.Workflow{}, err
		}
		byName := map[string]Spec{}
		for _, s := range all {
			byName[s.Name] = s
		}
		s, err = pickWorkflow(byName, name)
	}
	if err != nil {
		return Spec{}, spec.Workflow{}, err
	}
	w, err := spec.Read[spec.Workflow](s.Body)
	return s, w, err
}

// keepWorkflow stores the body of a workflow by its digest, where it outlives the spec.
func (r *Registry) keepWorkflow(ctx context.Context, s Spec) error {
	d, err := r.store.Push(ctx, MediaWorkflow, s.Body)
	if err == nil && d.Digest != s.Digest {
		err = fmt.Errorf("workflow %s: the catalog's body hashes to %s, not to %s", s.Name, d.Digest, s.Digest)
	}
	return err
}

// pickWorkflow chooses among workflows by name.
func pickWorkflow(all map[string]Spec, called string) (Spec, error) {
	if s, ok := all[called]; ok {
		return s, nil
	}
	var found []Spec
	for _, s := range all {
		w, err := spec.Read[spec.Workflow](s.Body)
		if err != nil {
			return Spec{}, fmt.Errorf("workflow %s: %w", s.Name, err)
		}
		if w.Class() == called {
			found = append(found, s)
		}
	}
	switch len(found) {
	case 0:
		return Spec{}, fmt.Errorf("workflow %.100q: %w", called, ErrNotFound)
	case 1:
		return found[0], nil
	}
	return Spec{}, invalid("/train/workflow_name", "%d workflows have a class %.100q: use the name of one", len(found), called)
}

// Workflow returns the code that a run was requested with, by the digest in Run.Workflow.
func (r *Registry) Workflow(ctx context.Context, digest cas.Digest) (spec.Workflow, error) {
	d, err := r.store.Find(ctx, digest)
	if err != nil {
		return spec.Workflow{}, fmt.Errorf("workflow: %w", err)
	}
	b, err := r.store.Fetch(ctx, d)
	if err != nil {
		return spec.Workflow{}, fmt.Errorf("workflow: %w", err)
	}
	return spec.Read[spec.Workflow](b)
}
