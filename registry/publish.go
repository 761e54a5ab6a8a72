package registry

import (
	"context"
	"fmt"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// PublishPackage makes a package visible under id, which must be the digest of its manifest's exact bytes. Its blobs must
// be in the bucket: a *MissingBlobs names those that are not. run is the run that made it, whose end will announce it; the
// zero run is somebody who publishes by hand. created is false where the package was there already.
func (r *Registry) PublishPackage(ctx context.Context, id cas.Digest, b []byte, model ModelName, run RunID) (p Package, created bool, err error) {
	p, err = r.inspect(ctx, id, b, model)
	if err != nil {
		return Package{}, false, fmt.Errorf("publish package %s: %w", id, err)
	}
	if err := r.checkPublisher(ctx, model, run); err != nil {
		return Package{}, false, fmt.Errorf("publish package %s: %w", id, err)
	}
	// A manifest is a blob too, so that the bucket alone says what is a package.
	if _, err := r.store.Push(ctx, manifest.MediaManifest, b); err != nil {
		return Package{}, false, fmt.Errorf("publish package %s: %w", id, err)
	}
	var evs []events.Event
	if run == (RunID{}) {
		ev, err := r.event(ctx, events.TypePackagePublished, id.String(), id.String(), p.Created, events.PackagePublished{
			Package: id.String(), Model: string(model), Format: p.Format, Size: p.Size})
		if err != nil {
			return Package{}, false, fmt.Errorf("publish package %s: %w", id, err)
		}
		evs = append(evs, ev)
	}
	created, err = r.catalog.PutPackage(ctx, p, evs...)
	if err != nil {
		return Package{}, false, fmt.Errorf("publish package %s: %w", id, err)
	}
	if !created {
		p, err = r.catalog.Package(ctx, id)
	}
	return p, created, err
}

func (r *Registry) checkPublisher(ctx context.Context, model ModelName, run RunID) error {
	if err := CheckName(string(model)); err != nil {
		return invalid("", "model: %v", err)
	}
	if run == (RunID{}) {
		return nil
	}
	made, err := r.catalog.Run(ctx, run)
	if err != nil {
		return err
	}
	if made.Model != model {
		return invalid("", "run %s trains the model %s, not %s", run, made.Model, model)
	}
	return nil
}

// inspect checks everything that a package promises: the manifest's bytes, that every blob is there whole, and that the
// config and the signature fit the files.
func (r *Registry) inspect(ctx context.Context, id cas.Digest, b []byte, model ModelName) (Package, error) {
	if cas.Sum(b) != id {
		return Package{}, invalid("", "the manifest hashes to %s", cas.Sum(b))
	}
	m, err := manifest.DecodePackage(b)
	if err != nil {
		return Package{}, err
	}
	p := Package{ID: id, Manifest: b, Model: model, Size: m.Size(), Created: now(), Blobs: m.Blobs()}
	// Leased again, because the one that the publisher took may be about to end.
	leased, err := r.catalog.LeaseBlobs(ctx, p.Blobs, now().Add(r.cfg.Lease))
	if err != nil {
		return Package{}, err
	}
	present, err := r.present(ctx, leased)
	if err != nil {
		return Package{}, err
	}
	var missing []cas.Digest
	for i, ok := range present {
		if !ok {
			missing = append(missing, p.Blobs[i].Digest)
		}
	}
	if len(missing) > 0 {
		return Package{}, &MissingBlobs{Digests: missing}
	}
	sig, err := r.signature(ctx, m)
	p.Format = sig.Format
	return p, err
}

// signature reads and checks the config and the signature of a package whose blobs are there.
func (r *Registry) signature(ctx context.Context, m manifest.Package) (manifest.Signature, error) {
	b, err := r.store.Fetch(ctx, m.Config)
	if err != nil {
		return manifest.Signature{}, err
	}
	format, err := manifest.CheckConfig(b, m)
	if err != nil {
		return manifest.Signature{}, fmt.Errorf("config: %w", err)
	}
	file, _ := m.Layer(manifest.SignatureFile)
	if file.Size > manifest.MaxSignature {
		return manifest.Signature{}, invalid("", "%s has %d bytes: at most %d are read", file.Path, file.Size, manifest.MaxSignature)
	}
	if b, err = r.store.Fetch(ctx, file.Descriptor); err != nil {
		return manifest.Signature{}, err
	}
	sig, err := manifest.DecodeSignature(b)
	if err == nil {
		err = sig.CheckFiles(m)
	}
	if err == nil && sig.Format != format {
		err = invalid("/format", "%s is not the config's format %.100q", sig.Format, format)
	}
	if err != nil {
		return manifest.Signature{}, fmt.Errorf("%s: %w", manifest.SignatureFile, err)
	}
	return sig, nil
}

// Signature returns the signature of a published package.
func (r *Registry) Signature(ctx context.Context, id cas.Digest) (manifest.Signature, error) {
	p, err := r.catalog.Package(ctx, id)
	if err != nil {
		return manifest.Signature{}, fmt.Errorf("signature: %w", err)
	}
	m, err := manifest.DecodePackage(p.Manifest)
	if err != nil {
		return manifest.Signature{}, fmt.Errorf("signature of %s: %w", id, err)
	}
	sig, err := r.signature(ctx, m)
	if err != nil {
		return manifest.Signature{}, fmt.Errorf("signature of %s: %w", id, err)
	}
	return sig, nil
}
