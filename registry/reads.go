package registry

import (
	"context"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

// Run returns a run with its history.
func (r *Registry) Run(ctx context.Context, id RunID) (Run, error) { return r.catalog.Run(ctx, id) }

// Runs returns runs without history, newest first.
func (r *Registry) Runs(ctx context.Context, f RunFilter) ([]Run, error) {
	return r.catalog.ListRuns(ctx, f)
}

// Package returns a published package.
func (r *Registry) Package(ctx context.Context, id cas.Digest) (Package, error) {
	return r.catalog.Package(ctx, id)
}

// Packages returns published packages, newest first.
func (r *Registry) Packages(ctx context.Context, f PackageFilter) ([]Package, error) {
	return r.catalog.ListPackages(ctx, f)
}

// Attestations returns what is said about a digest, oldest first.
func (r *Registry) Attestations(ctx context.Context, subject cas.Digest) ([]Attestation, error) {
	return r.catalog.ListAttestations(ctx, subject)
}

// Dataset returns a finished dataset.
func (r *Registry) Dataset(ctx context.Context, id cas.Digest) (Dataset, error) {
	return r.catalog.Dataset(ctx, id)
}

// Datasets returns finished datasets, newest first.
func (r *Registry) Datasets(ctx context.Context, f DatasetFilter) ([]Dataset, error) {
	return r.catalog.ListDatasets(ctx, f)
}

// Tags returns every tag at its newest generation, by model and name.
func (r *Registry) Tags(ctx context.Context) ([]TagState, error) { return r.catalog.ListTags(ctx) }

// Spec returns a declared object.
func (r *Registry) Spec(ctx context.Context, kind, name string) (Spec, error) {
	return r.catalog.Spec(ctx, kind, name)
}

// Specs returns the declared objects of one kind, or of all with kind "", by kind and name.
func (r *Registry) Specs(ctx context.Context, kind string) ([]Spec, error) {
	return r.catalog.ListSpecs(ctx, kind)
}
