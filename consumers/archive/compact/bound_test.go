package compact_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive/compact"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// stopping is a bucket whose connections stop in the midst of a transfer.
type stopping struct {
	bucket.Bucket
	get, put bool
	stopped  int
}

func (b *stopping) Get(ctx context.Context, key string, r bucket.Range) (io.ReadCloser, bucket.Attrs, error) {
	body, attrs, err := b.Bucket.Get(ctx, key, r)
	if b.get && err == nil {
		b.stopped++
		body = stopped{body, ctx}
	}
	return body, attrs, err
}

func (b *stopping) Put(ctx context.Context, key string, body io.ReadSeeker, size int64, o bucket.PutOptions) (bucket.Attrs, error) {
	if b.put {
		b.stopped++
		<-ctx.Done()
		return bucket.Attrs{}, ctx.Err()
	}
	return b.Bucket.Put(ctx, key, body, size, o)
}

// stopped is a body of which nothing more comes: reading ends with its request.
type stopped struct {
	io.Closer
	ctx context.Context
}

func (s stopped) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

// sized is a ledger that says that files are of a size.
type sized struct {
	compact.Ledger
	bytes int64
}

func (l sized) Files(ctx context.Context, q ledger.FileQuery) ([]ledger.LedgerFile, error) {
	files, err := l.Ledger.Files(ctx, q)
	for i := range files {
		files[i].Bytes = l.bytes
	}
	return files, err
}

// TestStoreThatStops: no transfer holds a compactor for ever, and with it the lock of all others; a large object takes longer.
func TestStoreThatStops(t *testing.T) {
	const large = 300 << 20
	for name, tc := range map[string]struct {
		bucket      stopping
		bytes       int64
		least, most time.Duration
	}{
		"in a small file":   {stopping{get: true}, 1000, time.Minute, 2 * time.Minute},
		"in a large file":   {stopping{get: true}, large, 5 * time.Minute, 10 * time.Minute},
		"before a manifest": {stopping{put: true}, 1000, time.Minute, 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			tp := partitionOf(topic, 0)
			w.archive(t, tp, 2, 1, event(0, start(), "a", "t"), event(1, start(), "b", "t"))
			if tc.bucket.put { // it looks again whether the manifest of the last swap is there
				check(t, w.compactor(t, nil).Look(t.Context()))
			}
			tc.bucket.Bucket = w.bucket
			c := w.compactor(t, func(c *compact.Config) { c.Bucket, c.Ledger = &tc.bucket, sized{w.ledger, tc.bytes} })
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				err := c.Look(t.Context())
				if err == nil || !strings.Contains(err.Error(), "the object store is too slow") {
					t.Errorf("looked: %v", err)
				}
				if took := time.Since(began); took < tc.least || took > tc.most {
					t.Errorf("took %s, want %s to %s", took, tc.least, tc.most)
				}
			})
			if tc.bucket.stopped == 0 {
				t.Error("nothing stopped: the test is void")
			}
		})
	}
}
