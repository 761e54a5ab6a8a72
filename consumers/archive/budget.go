package archive

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// budget counts the bytes of records in memory.
type budget struct {
	mu    sync.Mutex
	limit int64
	used  int64
	freed chan struct{} // closed at the next give
}

func newBudget(limit int64) *budget { return &budget{limit: limit, freed: make(chan struct{})} }

// take counts n bytes if they fit. Anything fits into an empty budget: one delivery may be larger than the whole.
func (b *budget) take(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used > 0 && b.used+n > b.limit {
		return false
	}
	b.used += n
	return true
}

// give returns n bytes.
func (b *budget) give(n int64) {
	if n == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	close(b.freed)
	b.freed = make(chan struct{})
}

// wait returns a channel that closes at the next give.
func (b *budget) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.freed
}

func (b *budget) size() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// room takes n bytes for p, which the caller holds. As long as they do not fit it flushes the largest partition that
// nobody else works on, or waits for those that are being flushed.
func (a *Archiver) room(ctx context.Context, p *partition, n int64) error {
	for {
		freed := a.budget.wait()
		if a.budget.take(n) {
			return nil
		}
		flushed, err := a.flushLargest(ctx, p)
		if err != nil {
			return err
		}
		if flushed {
			continue
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// flushLargest reports false if every partition with records is held by somebody else. The error is p's own.
func (a *Archiver) flushLargest(ctx context.Context, p *partition) (bool, error) {
	all := a.assigned()
	slices.SortFunc(all, func(x, y *partition) int { return cmp.Compare(y.buffered.Load(), x.buffered.Load()) })
	for _, q := range all {
		if q.buffered.Load() == 0 {
			return false, nil
		}
		if q == p {
			return true, a.flush(ctx, p, ledger.ReasonSize)
		}
		qctx, release, ok := q.tryHold(ctx)
		if !ok {
			continue
		}
		_ = a.flush(qctx, q, ledger.ReasonSize) // q keeps its own error
		release()
		return true, context.Cause(ctx)
	}
	return false, nil
}
