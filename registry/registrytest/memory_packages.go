package registrytest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// LeaseBlobs implements registry.Packages.
func (m *Memory) LeaseBlobs(_ context.Context, blobs []cas.Descriptor, until time.Time) ([]registry.Blob, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]registry.Blob, len(blobs))
	for i, d := range blobs {
		b, ok := m.blobs[d.Digest]
		if !ok {
			b = &registry.Blob{}
			m.blobs[d.Digest] = b
		}
		b.Descriptor = d
		if until.After(b.LeasedUntil) {
			b.LeasedUntil = until
		}
		out[i] = *b
	}
	return out, nil
}

// PutPackage implements registry.Packages.
func (m *Memory) PutPackage(_ context.Context, p registry.Package, evs ...events.Event) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.packages[p.ID]; ok {
		return false, nil
	}
	for _, d := range p.Blobs {
		if _, ok := m.blobs[d.Digest]; !ok {
			return false, fmt.Errorf("package %s: blob %s was never leased: %w", p.ID, d.Digest, registry.ErrBlobsMissing)
		}
	}
	for _, d := range p.Blobs {
		m.blobs[d.Digest].Live = true
	}
	m.packages[p.ID] = clonePackage(p)
	m.emit(evs)
	return true, nil
}

// Package implements registry.Packages.
func (m *Memory) Package(_ context.Context, id cas.Digest) (registry.Package, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.packages[id]
	if !ok {
		return registry.Package{}, fmt.Errorf("package %s: %w", id, registry.ErrNotFound)
	}
	return clonePackage(p), nil
}

// ListPackages implements registry.Packages.
func (m *Memory) ListPackages(_ context.Context, f registry.PackageFilter) ([]registry.Package, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []registry.Package
	for _, p := range m.packages {
		if f.Model == "" || p.Model == f.Model {
			out = append(out, clonePackage(p))
		}
	}
	return page(out, f.Limit, func(a, b registry.Package) int { return b.Created.Compare(a.Created) }), nil
}

// Attest implements registry.Attestations.
func (m *Memory) Attest(_ context.Context, a registry.Attestation, evs ...events.Event) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.attested {
		if b.Subject == a.Subject && b.Type == a.Type && b.ID == a.ID {
			return false, nil
		}
	}
	a.Body = slices.Clone(a.Body)
	m.attested = append(m.attested, a)
	m.emit(evs)
	return true, nil
}

// ListAttestations implements registry.Attestations.
func (m *Memory) ListAttestations(_ context.Context, subject cas.Digest) ([]registry.Attestation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []registry.Attestation
	for _, a := range m.attested {
		if a.Subject == subject {
			a.Body = slices.Clone(a.Body)
			out = append(out, a)
		}
	}
	return out, nil
}

// PutDataset implements registry.Datasets.
func (m *Memory) PutDataset(_ context.Context, d registry.Dataset, evs ...events.Event) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.datasets[d.ID]; ok {
		return false, nil
	}
	d.Manifest = slices.Clone(d.Manifest)
	m.datasets[d.ID] = d
	m.emit(evs)
	return true, nil
}

// Dataset implements registry.Datasets.
func (m *Memory) Dataset(_ context.Context, id cas.Digest) (registry.Dataset, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, ok := m.datasets[id]
	if !ok {
		return registry.Dataset{}, fmt.Errorf("dataset %s: %w", id, registry.ErrNotFound)
	}
	d.Manifest = slices.Clone(d.Manifest)
	return d, nil
}

// ListDatasets implements registry.Datasets.
func (m *Memory) ListDatasets(_ context.Context, f registry.DatasetFilter) ([]registry.Dataset, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []registry.Dataset
	for _, d := range m.datasets {
		if (f.Name == "" || d.Name == f.Name) && (f.Plan.IsZero() || d.Plan == f.Plan) {
			d.Manifest = slices.Clone(d.Manifest)
			out = append(out, d)
		}
	}
	return page(out, f.Limit, func(a, b registry.Dataset) int { return b.Created.Compare(a.Created) }), nil
}

func clonePackage(p registry.Package) registry.Package {
	p.Manifest, p.Blobs = slices.Clone(p.Manifest), slices.Clone(p.Blobs)
	return p
}
