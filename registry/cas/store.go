package cas

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/signalbox-ml/signalbox/registry/bucket"
)

var (
	// ErrCorrupt reports bytes that are not the ones their descriptor names.
	ErrCorrupt = errors.New("blob is corrupt: its bytes are not those of its descriptor")
	// ErrTooLarge reports a blob that Fetch does not hold in memory.
	ErrTooLarge = errors.New("blob is too large to fetch into memory: stream it with Open")
)

// MaxFetch is the largest blob, in bytes, that Fetch returns.
const MaxFetch = 64 << 20

// Store keeps blobs in a bucket under their digests. Nothing enters or leaves it unverified.
type Store struct{ bucket bucket.Bucket }

// NewStore returns a store over b.
func NewStore(b bucket.Bucket) *Store { return &Store{bucket: b} }

// Push stores b and returns its descriptor. A blob that is there already is a success.
func (s *Store) Push(ctx context.Context, mediaType string, b []byte) (Descriptor, error) {
	d := Descriptor{MediaType: mediaType, Digest: Sum(b), Size: int64(len(b))}
	if err := s.put(ctx, d, bytes.NewReader(b)); err != nil {
		return Descriptor{}, fmt.Errorf("push %s: %w", d.Digest, err)
	}
	return d, nil
}

// PushFrom stores the blob that d describes. It reads body twice: bytes that do not match d are ErrCorrupt before any
// of them is sent. A blob that is there already is a success.
func (s *Store) PushFrom(ctx context.Context, d Descriptor, body io.ReadSeeker) error {
	if err := checkBody(d, body); err != nil {
		return fmt.Errorf("push %s: %w", d.Digest, err)
	}
	if err := s.put(ctx, d, body); err != nil {
		return fmt.Errorf("push %s: %w", d.Digest, err)
	}
	return nil
}

// Stat returns nil if the blob that d describes is stored whole, bucket.ErrNotFound if it is absent, and ErrCorrupt if
// what is stored has another size, another checksum or none.
func (s *Store) Stat(ctx context.Context, d Descriptor) error {
	if err := s.stat(ctx, d); err != nil {
		return fmt.Errorf("stat %s: %w", d.Digest, err)
	}
	return nil
}

// Fetch returns the bytes of the blob that d describes: verified, and at most MaxFetch of them.
func (s *Store) Fetch(ctx context.Context, d Descriptor) ([]byte, error) {
	if d.Size > MaxFetch {
		return nil, fmt.Errorf("fetch %s of %d bytes: %w", d.Digest, d.Size, ErrTooLarge)
	}
	r, err := s.Open(ctx, d)
	if err != nil {
		return nil, err
	}
	b := bytes.NewBuffer(make([]byte, 0, d.Size+bytes.MinRead))
	_, err = b.ReadFrom(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Open streams the blob that d describes. The reader gives the last bytes, and io.EOF, only when all of them are
// verified; a blob with other bytes ends in ErrCorrupt instead. The caller closes it.
func (s *Store) Open(ctx context.Context, d Descriptor) (io.ReadCloser, error) {
	if err := d.check(); err != nil {
		return nil, fmt.Errorf("open %s: %w", d.Digest, err)
	}
	r, attrs, err := s.bucket.Get(ctx, BlobKey(d.Digest, 0), bucket.Range{})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", d.Digest, err)
	}
	if attrs.Size != d.Size {
		err := fmt.Errorf("%d bytes are stored, want %d: %w", attrs.Size, d.Size, ErrCorrupt)
		return nil, fmt.Errorf("open %s: %w", d.Digest, errors.Join(err, r.Close()))
	}
	return newVerifier(r, d), nil
}

func (s *Store) put(ctx context.Context, d Descriptor, body io.ReadSeeker) error {
	_, err := s.bucket.Put(ctx, BlobKey(d.Digest, 0), body, d.Size, bucket.PutOptions{
		CreateOnly: true, SHA256: d.Digest, ContentType: d.MediaType,
	})
	if errors.Is(err, bucket.ErrExists) {
		// Somebody stored it before: trust the store's own checksum, not the key.
		return s.stat(ctx, d)
	}
	return err
}

func (s *Store) stat(ctx context.Context, d Descriptor) error {
	if err := d.check(); err != nil {
		return err
	}
	attrs, err := s.bucket.Stat(ctx, BlobKey(d.Digest, 0))
	if err != nil {
		return err
	}
	if attrs.Size != d.Size || attrs.SHA256 != d.Digest {
		return fmt.Errorf("stored are %d bytes with checksum %s: %w", attrs.Size, Digest(attrs.SHA256), ErrCorrupt)
	}
	return nil
}

// checkBody reads body to its end and rewinds it.
func checkBody(d Descriptor, body io.ReadSeeker) error {
	if err := d.check(); err != nil {
		return err
	}
	start, err := body.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("rewind the body: %w", err)
	}
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(body, d.Size+1))
	if err != nil {
		return fmt.Errorf("read the body: %w", err)
	}
	if n != d.Size || Digest(h.Sum(nil)) != d.Digest {
		return ErrCorrupt
	}
	if _, err = body.Seek(start, io.SeekStart); err != nil {
		return fmt.Errorf("rewind the body: %w", err)
	}
	return nil
}
