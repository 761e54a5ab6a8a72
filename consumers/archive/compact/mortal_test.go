package compact_test

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/archive/compact"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

var errDead = errors.New("this process was killed")

// life stands between one compactor and the world. It can end the compactor at any call, like kill -9: the call has its effect
// or has not, and none follows.
type life struct {
	end   int  // the call that is the last one; 0 for none
	after bool // it has its effect

	mu    sync.Mutex
	calls int
	dead  bool
}

func (l *life) mortal(cfg *compact.Config) {
	cfg.Bucket, cfg.Ledger = mortalBucket{cfg.Bucket, l}, mortalLedger{cfg.Ledger, l}
}

func (l *life) call(do func() error) error {
	l.mu.Lock()
	l.calls++
	dead := l.dead
	l.dead = l.dead || l.calls == l.end
	last := l.dead && !dead
	l.mu.Unlock()
	if dead || last && !l.after {
		return errDead
	}
	if err := do(); err != nil {
		return err
	}
	if last {
		return errDead
	}
	return nil
}

type mortalBucket struct {
	bucket.Bucket
	life *life
}

func (b mortalBucket) Get(ctx context.Context, key string, r bucket.Range) (body io.ReadCloser, a bucket.Attrs, err error) {
	err = b.life.call(func() error { body, a, err = b.Bucket.Get(ctx, key, r); return err })
	return body, a, err
}

func (b mortalBucket) Put(ctx context.Context, key string, body io.ReadSeeker, size int64, o bucket.PutOptions) (a bucket.Attrs, err error) {
	err = b.life.call(func() error { a, err = b.Bucket.Put(ctx, key, body, size, o); return err })
	return a, err
}

func (b mortalBucket) Stat(ctx context.Context, key string) (a bucket.Attrs, err error) {
	err = b.life.call(func() error { a, err = b.Bucket.Stat(ctx, key); return err })
	a.SHA256 = [32]byte{} // as a store that does not keep them
	return a, err
}

func (b mortalBucket) Delete(ctx context.Context, key string) error {
	return b.life.call(func() error { return b.Bucket.Delete(ctx, key) })
}

type mortalLedger struct {
	compact.Ledger
	life *life
}

func (m mortalLedger) Files(ctx context.Context, q ledger.FileQuery) (fs []ledger.LedgerFile, err error) {
	err = m.life.call(func() error { fs, err = m.Ledger.Files(ctx, q); return err })
	return fs, err
}

func (m mortalLedger) Swap(ctx context.Context, s ledger.Swap) (done ledger.Swap, err error) {
	err = m.life.call(func() error { done, err = m.Ledger.Swap(ctx, s); return err })
	return done, err
}

func (m mortalLedger) Swaps(ctx context.Context, id uuid.UUID, from int64, limit int) (s []ledger.Swap, err error) {
	err = m.life.call(func() error { s, err = m.Ledger.Swaps(ctx, id, from, limit); return err })
	return s, err
}

func (m mortalLedger) Inventory(ctx context.Context, after string, limit int) (fs []ledger.FileState, err error) {
	err = m.life.call(func() error { fs, err = m.Ledger.Inventory(ctx, after, limit); return err })
	return fs, err
}
