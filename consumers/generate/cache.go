package generate

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// errCorrupt reports an archive file whose bytes are not those that the ledger has on record.
var errCorrupt = errors.New("archive file is corrupt: its bytes do not match the ledger")

const cached = ".parquet"

// cache keeps archive files on disk under their digests. Files never change, so a file that is there is right. What
// nobody holds goes when space is needed, least recently used first.
type cache struct {
	dir    string
	limit  int64 // bytes
	bucket bucket.Bucket

	mu      sync.Mutex
	entries map[cas.Digest]*entry
	used    int64 // bytes
	clock   int64 // counts releases
}

type entry struct {
	fetching chan struct{} // holds a token while somebody fetches
	present  bool
	size     int64
	holders  int
	released int64
}

// openCache takes over what an earlier process left in dir.
func openCache(dir string, limit int64, b bucket.Bucket) (*cache, error) {
	c := &cache{dir: dir, limit: limit, bucket: b, entries: map[cas.Digest]*entry{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	for _, f := range files {
		d, err := cas.ParseHex(strings.TrimSuffix(f.Name(), cached))
		info, statErr := f.Info()
		if err != nil || statErr != nil || !info.Mode().IsRegular() {
			// A download that a crash cut short. If it stays, it only takes space.
			_ = os.Remove(filepath.Join(dir, f.Name()))
			continue
		}
		c.entries[d] = &entry{fetching: make(chan struct{}, 1), present: true, size: info.Size()}
		c.used += info.Size()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.evict()
	return c, nil
}

func (c *cache) path(d cas.Digest) string { return filepath.Join(c.dir, d.Hex()+cached) }

// hold returns the path of a file's copy, fetched once however many ask, and keeps it until release.
func (c *cache) hold(ctx context.Context, f ledger.File) (string, error) {
	c.mu.Lock()
	e, ok := c.entries[f.Digest]
	if !ok {
		e = &entry{fetching: make(chan struct{}, 1)}
		c.entries[f.Digest] = e
	}
	e.holders++
	c.mu.Unlock()
	if err := c.fill(ctx, e, f); err != nil {
		c.release(f.Digest)
		return "", fmt.Errorf("fetch %s: %w", f.Key, err)
	}
	return c.path(f.Digest), nil
}

// release ends a hold.
func (c *cache) release(d cas.Digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[d]
	e.holders--
	c.clock++
	e.released = c.clock
	if e.holders == 0 && !e.present {
		delete(c.entries, d)
	}
	c.evict()
}

// fill makes the entry present. The caller holds it.
func (c *cache) fill(ctx context.Context, e *entry, f ledger.File) error {
	select {
	case e.fetching <- struct{}{}:
		defer func() { <-e.fetching }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	c.mu.Lock()
	present := e.present
	c.mu.Unlock()
	if present {
		return nil
	}
	size, err := c.download(ctx, f)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e.present, e.size = true, size
	c.used += size
	c.evict()
	return nil
}

// download verifies while it writes; only a whole and right file gets its name.
func (c *cache) download(ctx context.Context, f ledger.File) (int64, error) {
	body, _, err := c.bucket.Get(ctx, f.Key, bucket.Range{})
	if err != nil {
		return 0, err
	}
	defer body.Close()
	tmp, err := os.CreateTemp(c.dir, "fetch-*")
	if err != nil {
		return 0, err
	}
	defer os.Remove(tmp.Name()) // after the rename there is nothing under this name
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(tmp, sum), io.LimitReader(body, f.Bytes+1))
	if err == nil && (size != f.Bytes || cas.Digest(sum.Sum(nil)) != f.Digest) {
		err = fmt.Errorf("%d bytes with digest %s, want %d with %s: %w", size, cas.Digest(sum.Sum(nil)), f.Bytes, f.Digest, errCorrupt)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return 0, err
	}
	return size, os.Rename(tmp.Name(), c.path(f.Digest))
}

// evict needs the lock.
func (c *cache) evict() {
	for c.used > c.limit {
		oldest, found := cas.Digest{}, false
		for d, e := range c.entries {
			if e.present && e.holders == 0 && (!found || e.released < c.entries[oldest].released) {
				oldest, found = d, true
			}
		}
		if !found {
			return // everything is in use
		}
		if err := os.Remove(c.path(oldest)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return // it still takes its space; the next release tries again
		}
		c.used -= c.entries[oldest].size
		delete(c.entries, oldest)
	}
}
