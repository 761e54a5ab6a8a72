package cas

import (
	"context"
	"fmt"
)

// Find describes the blob d to somebody who knows nothing but its digest; the media type stays empty. It is
// bucket.ErrNotFound if d is absent, and ErrCorrupt if the store has another checksum for it or none.
func (s *Store) Find(ctx context.Context, d Digest) (Descriptor, error) {
	if d.IsZero() {
		return Descriptor{}, fmt.Errorf("find a blob: %w", ErrBadDigest)
	}
	attrs, err := s.bucket.Stat(ctx, BlobKey(d, 0))
	if err != nil {
		return Descriptor{}, fmt.Errorf("find %s: %w", d, err)
	}
	if attrs.SHA256 != d {
		return Descriptor{}, fmt.Errorf("find %s: stored is checksum %s: %w", d, Digest(attrs.SHA256), ErrCorrupt)
	}
	return Descriptor{Digest: d, Size: attrs.Size}, nil
}
