package registry

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

const (
	// maxBlobs is what one package can need: its files and its config.
	maxBlobs = manifest.MaxLayers + 1
	// probes is how many blobs are looked for at once.
	probes = 16
)

// BlobUpload says of a blob that it is in the bucket, or how to bring it there.
type BlobUpload struct {
	Digest  cas.Digest     `json:"digest"`
	Present bool           `json:"present"`
	Put     *bucket.Signed `json:"put,omitempty"`
}

// MissingBlobs says which blobs of a package a publisher must still upload, in the order asked for, and keeps all of them
// from collection until the lease ends. A write that is refused because the object exists is a success.
func (r *Registry) MissingBlobs(ctx context.Context, blobs []cas.Descriptor) ([]BlobUpload, error) {
	if err := checkBlobs(blobs); err != nil {
		return nil, fmt.Errorf("missing blobs: %w", err)
	}
	leased, err := r.catalog.LeaseBlobs(ctx, blobs, now().Add(r.cfg.Lease))
	if err != nil {
		return nil, fmt.Errorf("missing blobs: %w", err)
	}
	present, err := r.present(ctx, leased)
	if err != nil {
		return nil, fmt.Errorf("missing blobs: %w", err)
	}
	out := make([]BlobUpload, len(blobs))
	for i, b := range leased {
		out[i] = BlobUpload{Digest: b.Digest, Present: present[i]}
		if present[i] {
			continue
		}
		put, err := r.cfg.Signer.SignPut(ctx, cas.BlobKey(b.Digest, b.Incarnation), b.Digest, b.Size, r.cfg.SignFor)
		if err != nil {
			return nil, fmt.Errorf("missing blobs: %w", err)
		}
		out[i].Put = &put
	}
	return out, nil
}

func checkBlobs(blobs []cas.Descriptor) error {
	if len(blobs) > maxBlobs {
		return invalid("/blobs", "%d: at most %d at once", len(blobs), maxBlobs)
	}
	var errs []error
	for i, b := range blobs {
		if b.Digest.IsZero() || b.Size < 0 || b.Size > manifest.MaxLayer {
			errs = append(errs, invalid("/blobs/"+strconv.Itoa(i), "want a digest, and a size of 0 to %d bytes", int64(manifest.MaxLayer)))
		}
	}
	return errors.Join(errs...)
}

// present asks the bucket for every blob. One whose size is not the promised one is ErrInvalid: no upload can mend that.
func (r *Registry) present(ctx context.Context, blobs []Blob) ([]bool, error) {
	out := make([]bool, len(blobs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(probes)
	for i, b := range blobs {
		g.Go(func() error {
			err := r.store.Stat(ctx, b.Descriptor)
			switch {
			case errors.Is(err, bucket.ErrNotFound):
				return nil
			case errors.Is(err, cas.ErrCorrupt):
				return invalid("/blobs/"+strconv.Itoa(i)+"/size", "the blob %s does not have %d bytes", b.Digest, b.Size)
			}
			out[i] = err == nil
			return err
		})
	}
	return out, g.Wait()
}

// SignedFile is a file of a package, and how to read it.
type SignedFile struct {
	Path string `json:"path"`
	cas.Descriptor
	Get bucket.Signed `json:"get"`
}

// SignPackage hands out reads for every file of a package. Readers check what they get against the digest.
func (r *Registry) SignPackage(ctx context.Context, id cas.Digest) ([]SignedFile, error) {
	p, err := r.catalog.Package(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("sign package: %w", err)
	}
	m, err := manifest.DecodePackage(p.Manifest)
	if err != nil {
		return nil, fmt.Errorf("sign package %s: %w", id, err)
	}
	out := make([]SignedFile, len(m.Layers))
	for i, l := range m.Layers {
		get, err := r.SignBlob(ctx, l.Digest)
		if err != nil {
			return nil, fmt.Errorf("sign package %s: %w", id, err)
		}
		out[i] = SignedFile{Path: l.Path, Descriptor: l.Descriptor, Get: get}
	}
	return out, nil
}

// SignBlob hands out a read of a blob that the caller knows to exist.
func (r *Registry) SignBlob(ctx context.Context, d cas.Digest) (bucket.Signed, error) {
	return r.cfg.Signer.SignGet(ctx, cas.BlobKey(d, 0), r.cfg.SignFor)
}
