package generate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// counting counts reads.
type counting struct {
	bucket.Bucket
	gets atomic.Int64
}

func (c *counting) Get(ctx context.Context, key string, r bucket.Range) (io.ReadCloser, bucket.Attrs, error) {
	c.gets.Add(1)
	return c.Bucket.Get(ctx, key, r)
}

func stored(t *testing.T, b bucket.Bucket, n int) ledger.File {
	t.Helper()
	body := bytes.Repeat([]byte{byte(n)}, 100)
	f := ledger.File{Key: fmt.Sprint("archive/", n), Digest: cas.Sum(body), Bytes: 100}
	if _, err := b.Put(t.Context(), f.Key, bytes.NewReader(body), 100, bucket.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	return f
}

func cacheOf(t *testing.T, dir string, limit int64) (*cache, *counting) {
	t.Helper()
	b := &counting{Bucket: membucket.New()}
	c, err := openCache(dir, limit, b)
	if err != nil {
		t.Fatal(err)
	}
	return c, b
}

func hold(t *testing.T, c *cache, f ledger.File) string {
	t.Helper()
	path, err := c.hold(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestCacheFetchesOnce(t *testing.T) {
	c, b := cacheOf(t, t.TempDir(), 1000)
	f := stored(t, b, 1)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			path, err := c.hold(t.Context(), f)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.release(f.Digest)
			if body, err := os.ReadFile(path); err != nil || cas.Sum(body) != f.Digest {
				t.Errorf("read %d bytes, %v", len(body), err)
			}
		})
	}
	group.Wait()
	if n := b.gets.Load(); n != 1 {
		t.Errorf("%d reads of the bucket, want 1", n)
	}
}

func TestCacheEvictsWhatIsLongestUnused(t *testing.T) {
	c, b := cacheOf(t, t.TempDir(), 250)
	var paths []string
	for n := range 3 {
		f := stored(t, b, n)
		paths = append(paths, hold(t, c, f))
		if n > 0 {
			c.release(f.Digest) // 0 stays in use
		}
	}
	if !exists(paths[0]) || exists(paths[1]) || !exists(paths[2]) {
		t.Errorf("kept %v %v %v, want 0 (in use) and 2 (newer)", exists(paths[0]), exists(paths[1]), exists(paths[2]))
	}
	hold(t, c, stored(t, b, 1)) // 300 bytes in use, above the limit: a build needs its files
	hold(t, c, stored(t, b, 2))
	for n, path := range paths {
		if !exists(path) {
			t.Errorf("file %d is in use and gone", n)
		}
	}
	for n := range 3 {
		c.release(stored(t, b, n).Digest)
	}
	if c.used > 250 {
		t.Errorf("%d bytes stay in use, limit 250", c.used)
	}
}

func TestCacheSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	c, b := cacheOf(t, dir, 1000)
	f := stored(t, b, 1)
	hold(t, c, f)
	half := filepath.Join(dir, "fetch-123")
	if err := os.WriteFile(half, []byte("half a download"), 0o600); err != nil {
		t.Fatal(err)
	}
	again, _ := cacheOf(t, dir, 1000) // its bucket is empty
	hold(t, again, f)
	if again.used != 100 || exists(half) {
		t.Errorf("used %d bytes, half a download exists: %v; want 100 and false", again.used, exists(half))
	}
	if small, _ := cacheOf(t, dir, 50); small.used != 0 {
		t.Errorf("with a lower limit %d bytes stay", small.used)
	}
}

func TestCacheRefusesOtherBytes(t *testing.T) {
	c, b := cacheOf(t, t.TempDir(), 1000)
	f := stored(t, b, 1)
	for name, change := range map[string]func(*ledger.File){
		"digest":    func(f *ledger.File) { f.Digest = cas.Sum([]byte("other")) },
		"too short": func(f *ledger.File) { f.Bytes = 101 },
		"too long":  func(f *ledger.File) { f.Bytes = 99 },
	} {
		wrong := f
		change(&wrong)
		if _, err := c.hold(t.Context(), wrong); !errors.Is(err, errCorrupt) {
			t.Errorf("%s: err = %v, want errCorrupt", name, err)
		}
	}
	missing := ledger.File{Key: "archive/none", Digest: cas.Sum([]byte("none"))}
	if _, err := c.hold(t.Context(), missing); !errors.Is(err, bucket.ErrNotFound) {
		t.Errorf("missing: err = %v, want ErrNotFound", err)
	}
	if len(c.entries) != 0 || c.used != 0 {
		t.Errorf("failed fetches left %d entries, %d bytes", len(c.entries), c.used)
	}
	if files, _ := os.ReadDir(c.dir); len(files) != 0 {
		t.Errorf("failed fetches left %v", files)
	}
}
