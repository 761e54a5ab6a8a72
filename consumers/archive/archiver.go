package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

var (
	// ErrStopped reports a call after Run began to stop.
	ErrStopped = errors.New("archiver stopped")
	// ErrNotAssigned reports records of a partition that was not assigned, or not any more.
	ErrNotAssigned = errors.New("partition not assigned")
	// ErrConflict reports a key of the bucket that holds other bytes than the ones to be written.
	ErrConflict = errors.New("object exists with other content")
)

// Archiver is an events.Sink that writes each record of its partitions into the archive exactly once. Run drives what
// has to happen without a delivery.
type Archiver struct {
	cfg     Config
	budget  *budget
	writers chan *segment.Writer // as many as flushes may encode at a time
	chunks  sync.Pool            // memory of buffers
	counts  counters
	clock   clock

	mu         sync.Mutex
	partitions map[events.TopicPartition]*partition
	stopping   bool
}

var _ events.Sink = (*Archiver)(nil)

// New checks cfg and returns an archiver without partitions.
func New(cfg Config) (*Archiver, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	a := &Archiver{
		cfg:        cfg,
		budget:     newBudget(cfg.Budget),
		writers:    make(chan *segment.Writer, encoders()),
		partitions: map[events.TopicPartition]*partition{},
	}
	a.clock.skew = cfg.Skew
	for range cap(a.writers) {
		a.writers <- segment.NewWriter()
	}
	return a, nil
}

// Assigned implements events.Sink: it claims tp in the ledger, which alone knows where to start.
func (a *Archiver) Assigned(ctx context.Context, tp events.TopicPartition) (int64, error) {
	if old := a.remove(tp); old != nil {
		a.abandon(ctx, old) // an error ended its assignment
	}
	claim, err := a.claim(ctx, tp)
	if err != nil {
		return 0, fmt.Errorf("claim %s: %w", tp, err)
	}
	last, err := a.cfg.Ledger.Flushes(ctx, claim.Partition, claim.Next-1, 1)
	if err != nil {
		return 0, fmt.Errorf("claim %s: %w", tp, err)
	}
	p := newPartition(tp, claim, &a.chunks)
	for _, f := range last {
		p.last, p.mirrored, p.through, p.event = &f, false, f.ArchivedThrough, f.EventTime
		a.tryMirror(ctx, p) // whoever committed it may have died before writing its manifest
	}
	if err := a.insert(p); err != nil {
		return 0, err
	}
	a.cfg.Log.DebugContext(ctx, "partition claimed", "partition", tp.String(), "next", claim.Next, "epoch", claim.Epoch)
	return claim.Next, nil
}

// Records implements events.Sink. It returns when recs are in memory, flushing first what has no room beside them.
func (a *Archiver) Records(ctx context.Context, tp events.TopicPartition, recs []events.Record, next, end int64) error {
	heard := time.Now() // before the wait for the partition: news that it is idle ages meanwhile
	p, ctx, release, err := a.holdLive(ctx, tp)
	if err != nil {
		return err
	}
	defer release()
	if err := a.take(ctx, p, recs, next, end, heard); err != nil {
		// Without these records a later delivery would look like a legal gap.
		p.broken = err
		return fmt.Errorf("archive %s: %w", tp, err)
	}
	return nil
}

// Lost implements events.Sink: it flushes what it has, then enters the hole into the ledger.
func (a *Archiver) Lost(ctx context.Context, tp events.TopicPartition, logStart int64) (int64, error) {
	p, ctx, release, err := a.holdLive(ctx, tp)
	if err != nil {
		return 0, err
	}
	defer release()
	if err := a.lose(ctx, p, logStart); err != nil {
		p.broken = err
		return 0, fmt.Errorf("archive %s: %w", tp, err)
	}
	return p.claim.Next, nil
}

// Revoked implements events.Sink: it hands off with a last flush, so that the next owner need not read again. What
// does not get there by the end of ctx is dropped.
func (a *Archiver) Revoked(ctx context.Context, tp events.TopicPartition) {
	p := a.remove(tp)
	if p == nil {
		return
	}
	bound, cancel := context.WithTimeout(ctx, a.cfg.Drain)
	defer cancel()
	if hctx, release, err := p.hold(bound); err == nil {
		if err := a.flush(hctx, p, ledger.ReasonDrain); err != nil {
			a.cfg.Log.WarnContext(ctx, "hand-off dropped", "partition", tp.String(), "next", p.claim.Next, "error", err)
		}
		release()
	}
	a.abandon(ctx, p)
}

// abandon interrupts work on p and drops what p has. p must not be in the map any more.
func (a *Archiver) abandon(ctx context.Context, p *partition) {
	p.end()
	_, release, err := p.hold(context.WithoutCancel(ctx))
	if err != nil {
		return // a context without end does not end
	}
	defer release()
	a.budget.give(p.drop())
}

// holdLive waits for an assigned partition that takes records.
func (a *Archiver) holdLive(ctx context.Context, tp events.TopicPartition) (*partition, context.Context, func(), error) {
	a.mu.Lock()
	p, stopping := a.partitions[tp], a.stopping
	a.mu.Unlock()
	if stopping {
		return nil, nil, nil, fmt.Errorf("archive %s: %w", tp, ErrStopped)
	}
	if p == nil {
		return nil, nil, nil, fmt.Errorf("archive %s: %w", tp, ErrNotAssigned)
	}
	hctx, release, err := p.hold(ctx)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("archive %s: %w", tp, err)
	}
	if err := cmp.Or(context.Cause(hctx), p.broken); err != nil {
		release()
		return nil, nil, nil, fmt.Errorf("archive %s: %w", tp, err)
	}
	return p, hctx, release, nil
}

// take adds recs to p's batches and flushes whatever is full or too old.
func (a *Archiver) take(ctx context.Context, p *partition, recs []events.Record, next, end int64, now time.Time) error {
	if err := checkDelivery(recs, p.next(), next); err != nil {
		return err
	}
	p.heard = time.Time{}
	if err := a.add(ctx, p, recs, now); err != nil {
		return err
	}
	if next > p.next() {
		p.batch(now).end = next // control records and compaction leave offsets without a record
	}
	if len(recs) == 0 && next >= end {
		p.heard = now // with records it is not news: they may have waited for us
	}
	switch {
	case p.clean():
		return a.observe(ctx, p, now)
	case p.open != nil && p.open.atLimit(&a.cfg):
		return a.flush(ctx, p, ledger.ReasonSize)
	case p.due(now, a.cfg.MaxAge):
		return a.flush(ctx, p, ledger.ReasonAge)
	}
	return nil
}

func (a *Archiver) add(ctx context.Context, p *partition, recs []events.Record, now time.Time) error {
	var total, added int64
	for i := range recs {
		total += sizeOf(&recs[i])
	}
	if err := a.room(ctx, p, total); err != nil {
		return err
	}
	defer func() { a.budget.give(total - added) }() // less than nothing where a chunk was begun
	for i := range recs {
		r := &recs[i]
		if p.open != nil {
			if reason := p.open.full(r, &a.cfg); reason != "" {
				if err := a.flush(ctx, p, reason); err != nil {
					return err
				}
			}
		}
		a.punctual(ctx, p, r)
		b := p.batch(now)
		added += b.add(r)
		p.buffered.Store(b.bytes)
	}
	return nil
}

// observe notes in the ledger that an idle partition is complete up to now, at most once in a while. It is repeated
// anyway, so only losing the claim is an error.
func (a *Archiver) observe(ctx context.Context, p *partition, now time.Time) error {
	if p.heard.IsZero() || now.Sub(p.observed) < idle {
		return nil
	}
	noted := a.clock.before(now)
	through := later(p.through, noted)
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	err := a.cfg.Ledger.Observe(ctx, p.claim, through, p.event, true)
	if errors.Is(err, ledger.ErrFenced) {
		a.counts.fenced.Add(1)
		return err
	}
	if err != nil {
		a.counts.retries.Add(1)
		a.cfg.Log.WarnContext(ctx, "idle partition not noted", "partition", p.String(), "error", err)
		return nil
	}
	p.observed, p.through, p.noted = now, through, noted
	return nil
}

func (a *Archiver) insert(p *partition) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopping {
		return fmt.Errorf("archive %s: %w", p, ErrStopped)
	}
	a.partitions[p.TopicPartition] = p
	return nil
}

func (a *Archiver) remove(tp events.TopicPartition) *partition {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.partitions[tp]
	delete(a.partitions, tp)
	return p
}

// assigned lists the partitions of the moment.
func (a *Archiver) assigned() []*partition {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make([]*partition, 0, len(a.partitions))
	for _, p := range a.partitions {
		all = append(all, p)
	}
	return all
}
