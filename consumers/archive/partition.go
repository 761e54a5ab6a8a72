package archive

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// errEnded interrupts work on a partition that is no longer assigned.
var errEnded = errors.New("assignment ended")

// partition is one assignment. Who holds it may touch everything; a flush holds it for as long as it takes, which is
// what makes delivery wait.
type partition struct {
	events.TopicPartition
	slot     chan struct{} // full while held: a mutex that can be waited for with a context
	buffered atomic.Int64  // bytes in open, for choosing the largest without holding

	mu        sync.Mutex
	interrupt context.CancelCauseFunc // of the holder's work, nil if not held
	ended     bool

	chunks   *sync.Pool    // of buffers
	claim    ledger.Claim  // Next is the first offset that is not in the ledger
	open     *batch        // takes records
	closed   *batch        // its flush was interrupted and goes on first
	last     *ledger.Flush // the newest in the ledger, nil without any
	mirrored bool          // its manifest is in the bucket
	broken   error         // no more records until the next assignment

	through  time.Time // complete up to here, broker time
	event    time.Time // greatest availability time in the ledger
	noted    time.Time // complete up to here by this machine's clock, which may be wrong
	heard    time.Time // when the last delivery said that nothing is behind it; zero if it did not
	observed time.Time // when idleness was last noted
}

func newPartition(tp events.TopicPartition, claim ledger.Claim, chunks *sync.Pool) *partition {
	return &partition{TopicPartition: tp, chunks: chunks, claim: claim, mirrored: true, slot: make(chan struct{}, 1)}
}

// partitionOf is tp as the ledger knows it.
func partitionOf(tp events.TopicPartition) ledger.Partition {
	return ledger.Partition{TopicID: topicID(tp), Topic: tp.Topic, Partition: tp.Partition}
}

// hold waits for p and returns a context that ends with ctx or with the assignment, and the function to let go.
func (p *partition) hold(ctx context.Context) (context.Context, func(), error) {
	select {
	case p.slot <- struct{}{}:
		ctx, release := p.held(ctx)
		return ctx, release, nil
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
}

// tryHold is hold without waiting.
func (p *partition) tryHold(ctx context.Context) (context.Context, func(), bool) {
	select {
	case p.slot <- struct{}{}:
		ctx, release := p.held(ctx)
		return ctx, release, true
	default:
		return nil, nil, false
	}
}

func (p *partition) held(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.interrupt = cancel
	if p.ended {
		cancel(errEnded)
	}
	return ctx, func() {
		p.mu.Lock()
		p.interrupt = nil
		p.mu.Unlock()
		cancel(nil)
		<-p.slot
	}
}

// end interrupts whoever holds p, now and later.
func (p *partition) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	if p.interrupt != nil {
		p.interrupt(errEnded)
	}
}

// next is the offset after the last one taken.
func (p *partition) next() int64 {
	switch {
	case p.open != nil:
		return p.open.end
	case p.closed != nil:
		return p.closed.end
	}
	return p.claim.Next
}

// batch returns the open batch, a new one if need be.
func (p *partition) batch(now time.Time) *batch {
	if p.open == nil {
		at := p.next()
		p.open = &batch{start: at, end: at, opened: now, recs: records{free: p.chunks}}
	}
	return p.open
}

// clean reports whether all that was taken is in the ledger.
func (p *partition) clean() bool { return p.open == nil && p.closed == nil }

// due reports whether something waits for longer than age, or was interrupted.
func (p *partition) due(now time.Time, age time.Duration) bool {
	return p.closed != nil || !p.mirrored || p.open != nil && now.Sub(p.open.opened) >= age
}

// drop forgets what is not in the ledger and returns its size. Somebody reads it again.
func (p *partition) drop() int64 {
	var n int64
	for _, b := range []*batch{p.open, p.closed} {
		if b != nil {
			n += b.bytes
			b.recs.release()
		}
	}
	p.open, p.closed = nil, nil
	p.buffered.Store(0)
	return n
}
