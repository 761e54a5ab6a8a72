package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// Results of applying a document.
const (
	ApplyCreated   = "created"
	ApplyChanged   = "changed"
	ApplyUnchanged = "unchanged"
)

// Applied says what became of a document.
type Applied struct {
	Kind       string     `json:"kind"`
	Name       string     `json:"name"`
	Result     string     `json:"result"`
	Digest     cas.Digest `json:"digest"`
	Generation int64      `json:"generation"` // after it
}

// Apply stores documents, in the order given in the answer. Nothing is stored unless all of them are right, alone and
// with what is declared already; then each is stored on its own, and a repeat completes what was cut short. dryRun only
// says what would become of them.
func (r *Registry) Apply(ctx context.Context, docs []spec.Document, dryRun bool) ([]Applied, error) {
	declared, err := r.declared(ctx)
	if err != nil {
		return nil, fmt.Errorf("apply: %w", err)
	}
	next := declared.clone()
	out := make([]Applied, len(docs))
	put := make([]Spec, len(docs))
	var errs []error
	for i, d := range docs {
		s, err := r.admit(d, docs[:i])
		if err != nil {
			errs = append(errs, named(d.Kind, d.Metadata.Name, err))
			continue
		}
		old, exists := declared[specID{d.Kind, d.Metadata.Name}]
		out[i] = Applied{Kind: s.Kind, Name: s.Name, Result: ApplyUnchanged, Digest: s.Digest, Generation: old.Generation}
		if !exists {
			out[i].Result, out[i].Generation = ApplyCreated, 1
		} else if old.Digest != s.Digest {
			out[i].Result, out[i].Generation = ApplyChanged, old.Generation+1
		}
		s.Generation = out[i].Generation // it is stored only as what it was judged to be
		put[i] = s
		next[specID{s.Kind, s.Name}] = s
	}
	if len(errs) == 0 {
		columns, err := r.columnsStay(ctx, declared, next)
		if err != nil {
			return nil, fmt.Errorf("apply: %w", err)
		}
		errs = append(crossCheck(declared, next), columns...)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("apply: %w", err)
	}
	if dryRun {
		return out, nil
	}
	for _, i := range storeOrder(docs) {
		stored, _, err := r.catalog.PutSpec(ctx, put[i])
		if errors.Is(err, ErrSpecMoved) {
			err = named(put[i].Kind, put[i].Name, invalid("", "somebody else declared another one at the same time: look at it, and apply again"))
		}
		if err != nil {
			return nil, fmt.Errorf("apply: %w", err)
		}
		out[i].Generation = stored.Generation
	}
	return out, nil
}

// admit judges one document on its own.
func (r *Registry) admit(d spec.Document, before []spec.Document) (Spec, error) {
	body, err := spec.Check(d)
	if err != nil {
		return Spec{}, err
	}
	for _, other := range before {
		if other.Kind == d.Kind && other.Metadata.Name == d.Metadata.Name {
			return Spec{}, invalid("/metadata/name", "another document has it")
		}
	}
	if err := r.cfg.Judge(d, body); err != nil {
		return Spec{}, invalid("/spec", "%v", err)
	}
	b, digest, err := spec.Canonical(d)
	if err != nil {
		return Spec{}, err
	}
	return Spec{Kind: d.Kind, Name: d.Metadata.Name, Body: b, Digest: digest, Updated: now()}, nil
}

// storeOrder puts what others refer to first, so that no reader meets a reference to nothing.
func storeOrder(docs []spec.Document) []int {
	kinds := []string{spec.KindStream, spec.KindWorkflow, spec.KindDataset, spec.KindModel}
	out := make([]int, len(docs))
	for i := range docs {
		out[i] = i
	}
	slices.SortStableFunc(out, func(a, b int) int {
		return slices.Index(kinds, docs[a].Kind) - slices.Index(kinds, docs[b].Kind)
	})
	return out
}

// DocumentError says which document an error is about: one that is applied, or one that is declared already and does not
// go with it.
type DocumentError struct {
	Kind, Name string
	Err        error
}

// Error names the document before its fault.
func (e *DocumentError) Error() string {
	return fmt.Sprintf("%.100s %.100s: %v", e.Kind, e.Name, e.Err)
}

// Unwrap returns what is wrong with the document.
func (e *DocumentError) Unwrap() error { return e.Err }

func named(kind, name string, err error) error {
	return &DocumentError{Kind: kind, Name: name, Err: err}
}
