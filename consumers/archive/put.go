package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// put stores body under key unless it is there already. Existing bytes are fine if they are the same: then an earlier
// attempt got through whose answer was lost.
func (a *Archiver) put(ctx context.Context, key string, body []byte, sum cas.Digest, contentType string) error {
	_, err := a.cfg.Bucket.Put(ctx, key, bytes.NewReader(body), int64(len(body)),
		createOnly(sum, contentType))
	if !errors.Is(err, bucket.ErrExists) {
		return err
	}
	attrs, err := a.cfg.Bucket.Stat(ctx, key)
	if err != nil {
		return err
	}
	there, err := digestOf(ctx, a.cfg.Bucket, attrs)
	if err != nil {
		return err
	}
	if there != sum {
		return fmt.Errorf("%s: %w", key, ErrConflict)
	}
	return nil
}

// digestOf returns the digest of an object, from the store if it knows it.
func digestOf(ctx context.Context, b bucket.Bucket, attrs bucket.Attrs) (cas.Digest, error) {
	if attrs.SHA256 != [32]byte{} {
		return attrs.SHA256, nil
	}
	body, err := readAll(ctx, b, attrs.Key)
	if err != nil {
		return cas.Digest{}, err
	}
	return cas.Sum(body), nil
}

func readAll(ctx context.Context, b bucket.Bucket, key string) ([]byte, error) {
	r, _, err := b.Get(ctx, key, bucket.Range{})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return body, nil
}
