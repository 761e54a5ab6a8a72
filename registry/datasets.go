package registry

import (
	"context"
	"fmt"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// PublishDataset stores the manifest of a dataset whose parts are in the bucket, and announces it. created is false where
// it was there already.
func (r *Registry) PublishDataset(ctx context.Context, m manifest.Dataset) (d Dataset, created bool, err error) {
	b, err := m.Encode()
	if err != nil {
		return Dataset{}, false, fmt.Errorf("publish dataset %s: %w", m.Name, err)
	}
	blob, err := r.store.Push(ctx, manifest.MediaDataset, b)
	if err != nil {
		return Dataset{}, false, fmt.Errorf("publish dataset %s: %w", m.Name, err)
	}
	d = Dataset{
		ID: blob.Digest, Name: m.Name, Manifest: b, Key: cas.BlobKey(blob.Digest, 0), Plan: m.Plan, Spec: m.Spec, Rows: m.Rows,
		Start: m.Start, End: m.End, Watermark: m.Watermark, Created: now(),
	}
	ev, err := r.event(ctx, events.TypeDatasetReady, d.Name, d.ID.String(), d.Created, events.DatasetReady{
		Name: d.Name, Dataset: d.ID.String(), Manifest: d.Key, Rows: d.Rows, Start: d.Start, End: d.End, Watermark: d.Watermark,
		SpecDigest: text(d.Spec), Generator: m.Compiler,
	})
	if err != nil {
		return Dataset{}, false, fmt.Errorf("publish dataset %s: %w", m.Name, err)
	}
	if created, err = r.catalog.PutDataset(ctx, d, ev); err != nil {
		return Dataset{}, false, fmt.Errorf("publish dataset %s: %w", m.Name, err)
	}
	if !created {
		d, err = r.catalog.Dataset(ctx, d.ID)
	}
	return d, created, err
}

// DatasetManifest returns the manifest of a dataset.
func (r *Registry) DatasetManifest(ctx context.Context, id cas.Digest) (manifest.Dataset, error) {
	d, err := r.catalog.Dataset(ctx, id)
	if err != nil {
		return manifest.Dataset{}, fmt.Errorf("dataset manifest: %w", err)
	}
	m, err := manifest.DecodeDataset(d.Manifest)
	if err != nil {
		return manifest.Dataset{}, fmt.Errorf("dataset manifest %s: %w", id, err)
	}
	return m, nil
}
