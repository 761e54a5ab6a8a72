package training

import (
	"context"
	"sync"

	"github.com/signalbox-ml/signalbox/registry/bucket"
)

// maxTallied bounds the streams that are counted at once.
const maxTallied = 4096

// tally counts the bytes below prefixes, so that the bucket is asked once for each and not for every chunk. Of several
// servers that take chunks of one stream each counts its own and what it found at first: the bound that is kept by it is one
// against floods, not one to the byte.
type tally struct {
	mu    sync.Mutex
	bytes map[string]int64
}

// of returns how many bytes are known to be below a prefix.
func (t *tally) of(ctx context.Context, b bucket.Bucket, prefix string) (int64, error) {
	t.mu.Lock()
	n, ok := t.bytes[prefix]
	t.mu.Unlock()
	if ok {
		return n, nil
	}
	for attrs, err := range b.List(ctx, prefix) {
		if err != nil {
			return 0, err
		}
		n += attrs.Size
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bytes == nil || len(t.bytes) >= maxTallied {
		t.bytes = map[string]int64{} // the streams that go on are counted again
	}
	t.bytes[prefix] = n
	return n, nil
}

func (t *tally) add(prefix string, n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.bytes[prefix]; ok {
		t.bytes[prefix] += n
	}
}
