package archive_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

var errDead = errors.New("this process was killed")

// life stands between one archiver and the world. It can end the archiver at any call, like kill -9: the call has its
// effect or has not, and none follows. It can also make calls fail, lose their answers, and wait like a stopped process.
type life struct {
	kill context.CancelFunc // what the archiver runs under

	mu    sync.Mutex
	calls int
	end   int  // the call that is the last one; 0 for none
	after bool // it has its effect
	dead  bool
	rng   *rand.Rand // for random faults; nil makes none

	fenced int // commits that the ledger refused
	fates  fates
}

// fates counts what became of the calls that were not left alone.
type fates struct{ killedBefore, killedAfter, failed, deaf, paused int }

func (f *fates) add(g fates) {
	f.killedBefore += g.killedBefore
	f.killedAfter += g.killedAfter
	f.failed += g.failed
	f.deaf += g.deaf
	f.paused += g.paused
}

func (l *life) mortal(cfg *archive.Config) {
	cfg.Bucket, cfg.Ledger = mortalBucket{cfg.Bucket, l}, mortalLedger{cfg.Ledger.(ledger.Ledger), l}
}

// die ends the archiver between two calls.
func (l *life) die() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
	l.kill()
}

// call makes a call, or not.
func (l *life) call(ctx context.Context, do func() error) error {
	wait, before, after := l.fate()
	if wait > 0 {
		<-time.After(wait) // a stopped process hears of no context
	}
	if before != nil {
		return before
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err := do()
	if errors.Is(err, ledger.ErrFenced) {
		l.mu.Lock()
		l.fenced++
		l.mu.Unlock()
	}
	if after != nil {
		return after
	}
	return err
}

func (l *life) fate() (wait time.Duration, before, after error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return 0, errDead, nil
	}
	l.calls++
	if l.calls == l.end {
		l.dead = true
		l.kill()
		if l.after {
			l.fates.killedAfter++
			return 0, nil, errDead
		}
		l.fates.killedBefore++
		return 0, errDead, nil
	}
	if l.rng == nil {
		return 0, nil, nil
	}
	switch l.rng.IntN(40) {
	case 0:
		l.fates.failed++
		return 0, errDown, nil
	case 1:
		l.fates.deaf++
		return 0, nil, errDown
	case 2:
		l.fates.paused++
		return time.Duration(l.rng.Int64N(int64(20 * time.Second))), nil, nil
	}
	return 0, nil, nil
}

type mortalBucket struct {
	bucket.Bucket
	life *life
}

func (b mortalBucket) Put(ctx context.Context, key string, body io.ReadSeeker, size int64, o bucket.PutOptions) (a bucket.Attrs, err error) {
	err = b.life.call(ctx, func() error { a, err = b.Bucket.Put(ctx, key, body, size, o); return err })
	return a, err
}

func (b mortalBucket) Stat(ctx context.Context, key string) (a bucket.Attrs, err error) {
	err = b.life.call(ctx, func() error { a, err = b.Bucket.Stat(ctx, key); return err })
	a.SHA256 = [32]byte{} // as a store that does not keep them
	return a, err
}

type mortalLedger struct {
	ledger.Ledger
	life *life
}

func (m mortalLedger) Claim(ctx context.Context, p ledger.Partition, owner string) (c ledger.Claim, err error) {
	err = m.life.call(ctx, func() error { c, err = m.Ledger.Claim(ctx, p, owner); return err })
	return c, err
}

func (m mortalLedger) Commit(ctx context.Context, f ledger.Flush, seal func(int64) ([]events.Event, error)) (done ledger.Flush, err error) {
	err = m.life.call(ctx, func() error { done, err = m.Ledger.Commit(ctx, f, seal); return err })
	if err != nil {
		return ledger.Flush{}, err
	}
	return done, nil
}

func (m mortalLedger) Observe(ctx context.Context, c ledger.Claim, through, event time.Time, caughtUp bool) error {
	return m.life.call(ctx, func() error { return m.Ledger.Observe(ctx, c, through, event, caughtUp) })
}

func (m mortalLedger) Flushes(ctx context.Context, p ledger.Partition, from int64, limit int) (fs []ledger.Flush, err error) {
	err = m.life.call(ctx, func() error { fs, err = m.Ledger.Flushes(ctx, p, from, limit); return err })
	return fs, err
}
