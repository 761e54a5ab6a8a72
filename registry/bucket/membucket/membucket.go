// Package membucket is a bucket in memory, for tests: as strict as the strictest store that a key may meet.
package membucket

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/signalbox-ml/signalbox/registry/bucket"
)

// ErrParentKey reports a key that is the parent path of another: stores that map keys to files cannot hold both.
var ErrParentKey = errors.New("key is the parent path of another key")

type object struct {
	attrs bucket.Attrs
	body  []byte
}

// Bucket holds objects until it is garbage. It is safe for concurrent use.
type Bucket struct {
	mu      sync.RWMutex
	objects map[string]object
	parents map[string]int // parent path -> number of keys below it
}

// New returns an empty bucket.
func New() *Bucket {
	return &Bucket{objects: map[string]object{}, parents: map[string]int{}}
}

// Get implements bucket.Bucket.
func (b *Bucket) Get(ctx context.Context, key string, r bucket.Range) (io.ReadCloser, bucket.Attrs, error) {
	o, err := b.find(ctx, key)
	if err != nil {
		return nil, bucket.Attrs{}, fmt.Errorf("get %s: %w", key, err)
	}
	start, end, err := r.Within(o.attrs.Size)
	if err != nil {
		return nil, bucket.Attrs{}, fmt.Errorf("get %s: %w", key, err)
	}
	return io.NopCloser(bytes.NewReader(o.body[start:end])), o.attrs, nil
}

// Stat implements bucket.Bucket.
func (b *Bucket) Stat(ctx context.Context, key string) (bucket.Attrs, error) {
	o, err := b.find(ctx, key)
	if err != nil {
		return bucket.Attrs{}, fmt.Errorf("stat %s: %w", key, err)
	}
	return o.attrs, nil
}

// List implements bucket.Bucket. It yields the keys of the moment when it starts, without the ones deleted since.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[bucket.Attrs, error] {
	return func(yield func(bucket.Attrs, error) bool) {
		b.mu.RLock()
		keys := slices.Sorted(maps.Keys(b.objects))
		b.mu.RUnlock()
		for _, key := range keys {
			if !strings.HasPrefix(key, prefix) {
				continue
			}
			o, err := b.find(ctx, key)
			if errors.Is(err, bucket.ErrNotFound) {
				continue
			}
			if err != nil {
				yield(bucket.Attrs{}, fmt.Errorf("list %s: %w", prefix, err))
				return
			}
			o.attrs.SHA256 = [32]byte{} // as in any store: callers must not come to rely on it
			if !yield(o.attrs, nil) {
				return
			}
		}
	}
}

// Put implements bucket.Bucket.
func (b *Bucket) Put(ctx context.Context, key string, body io.ReadSeeker, size int64, o bucket.PutOptions) (bucket.Attrs, error) {
	attrs, err := b.put(ctx, key, body, size, o)
	if err != nil {
		return bucket.Attrs{}, fmt.Errorf("put %s: %w", key, err)
	}
	return attrs, nil
}

func (b *Bucket) put(ctx context.Context, key string, body io.Reader, size int64, o bucket.PutOptions) (bucket.Attrs, error) {
	if err := errors.Join(ctx.Err(), bucket.CheckKey(key)); err != nil {
		return bucket.Attrs{}, err
	}
	data, err := io.ReadAll(io.LimitReader(body, size+1))
	if err != nil {
		return bucket.Attrs{}, fmt.Errorf("read the body: %w", err)
	}
	if int64(len(data)) != size {
		return bucket.Attrs{}, fmt.Errorf("the body does not have %d bytes: %w", size, io.ErrUnexpectedEOF)
	}
	attrs := bucket.Attrs{Key: key, Size: size, SHA256: sha256.Sum256(data), Modified: time.Now()}
	if o.SHA256 != [32]byte{} && o.SHA256 != attrs.SHA256 {
		return bucket.Attrs{}, bucket.ErrChecksum
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	_, replaces := b.objects[key]
	if replaces && o.CreateOnly {
		return bucket.Attrs{}, bucket.ErrExists
	}
	if !replaces {
		if err := b.enter(key); err != nil {
			return bucket.Attrs{}, err
		}
	}
	b.objects[key] = object{attrs: attrs, body: data}
	return attrs, nil
}

// Delete implements bucket.Bucket.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.objects[key]; !ok {
		return nil
	}
	delete(b.objects, key)
	for p := range parents(key) {
		if b.parents[p]--; b.parents[p] == 0 {
			delete(b.parents, p)
		}
	}
	return nil
}

func (b *Bucket) find(ctx context.Context, key string) (object, error) {
	if err := ctx.Err(); err != nil {
		return object{}, err
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	o, ok := b.objects[key]
	if !ok {
		return object{}, bucket.ErrNotFound
	}
	return o, nil
}

// enter counts key below its parents, unless the tree has no place for it.
func (b *Bucket) enter(key string) error {
	if b.parents[key] > 0 {
		return ErrParentKey
	}
	for p := range parents(key) {
		if _, ok := b.objects[p]; ok {
			return fmt.Errorf("%s exists: %w", p, ErrParentKey)
		}
	}
	for p := range parents(key) {
		b.parents[p]++
	}
	return nil
}

// parents yields a, a/b for a/b/c.
func parents(key string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i, c := range key {
			if c == '/' && !yield(key[:i]) {
				return
			}
		}
	}
}
