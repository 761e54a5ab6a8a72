package archive

import (
	"context"
	"fmt"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive/mirror"
	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// flush brings all that p has taken into the ledger; the caller holds p. It tries for ever: an error means that ctx
// ended, and then the flush goes on where it stopped when it is called again, or that p is no longer ours, and then
// the buffer is dropped.
func (a *Archiver) flush(ctx context.Context, p *partition, reason string) error {
	for !p.clean() {
		if p.closed == nil {
			p.closed, p.open = p.open, nil
			p.closed.reason = reason
			p.buffered.Store(0)
		}
		err := a.settle(ctx, p)
		if err == nil {
			continue
		}
		if err := a.resolve(ctx, p, err); err != nil {
			return err
		}
	}
	return nil
}

// settle takes the closed batch through the protocol: manifest of the flush before, files, ledger, manifest.
func (a *Archiver) settle(ctx context.Context, p *partition) error {
	// The manifest before goes first: so at most one is missing at any moment, and the next owner finds it.
	if err := a.retry(ctx, p, "write manifest", func(ctx context.Context) error { return a.writeMirror(ctx, p) }); err != nil {
		return err
	}
	b := p.closed
	ctx, span := a.trace(ctx, p, b)
	defer span.End()
	if err := a.putFiles(ctx, p, b); err != nil {
		return err
	}
	f, err := a.describe(p, b)
	if err != nil {
		return err
	}
	var done ledger.Flush
	err = a.retry(ctx, p, "commit", func(ctx context.Context) error {
		var err error
		done, err = a.cfg.Ledger.Commit(ctx, f, func(seq int64) ([]events.Event, error) { return a.sealed(ctx, f, seq) })
		return err
	})
	if err != nil {
		return err
	}
	p.closed = nil
	b.recs.release()
	a.budget.give(b.bytes)
	a.committed(ctx, p, done)
	return nil
}

// committed moves p on behind f.
func (a *Archiver) committed(ctx context.Context, p *partition, f ledger.Flush) {
	p.claim.Next, p.through, p.event, p.last, p.mirrored = f.End, f.ArchivedThrough, f.EventTime, &f, false
	a.counts.flush(f)
	a.cfg.Log.DebugContext(ctx, "flush committed", "partition", p.String(), "seq", f.Seq, "start", f.Start, "end", f.End,
		"records", f.Records, "files", len(f.Files), "reason", f.Reason)
	a.tryMirror(ctx, p)
	if a.cfg.Committer == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	if err := a.cfg.Committer.Commit(ctx, p.TopicPartition, f.End); err != nil {
		a.cfg.Log.DebugContext(ctx, "offset not committed to kafka", "partition", p.String(), "next", f.End, "error", err)
	}
}

// describe makes the flush of b. Times are in microseconds, as every store keeps them.
func (a *Archiver) describe(p *partition, b *batch) (ledger.Flush, error) {
	previous, err := p.link()
	if err != nil {
		return ledger.Flush{}, err
	}
	through, caughtUp := later(p.through, b.through), !p.heard.IsZero() && p.open == nil
	if caughtUp {
		p.noted = later(p.noted, micros(a.clock.before(p.heard)))
		through = later(through, p.noted)
	}
	f := ledger.Flush{
		Claim: p.claim, Start: b.start, End: b.end, Records: int64(b.recs.len()), Reason: b.reason, Files: b.files,
		Manifest: mirror.FlushKey(p.claim.TopicID, p.Partition, b.start), Previous: previous,
		ArchivedThrough: micros(through), EventTime: p.event, CaughtUp: caughtUp,
	}
	for _, g := range b.plan {
		f.EventTime = micros(later(f.EventTime, g.available))
	}
	return f, nil
}

// putFiles encodes and stores one group after another, so that one encoded file is in memory at a time.
func (a *Archiver) putFiles(ctx context.Context, p *partition, b *batch) error {
	if b.plan == nil {
		b.plan, b.columns = b.recs.files(a.cfg.MaxFiles), a.cfg.Columns(p.Topic)
	}
	for len(b.files) < len(b.plan) {
		g := b.plan[len(b.files)]
		seg, err := a.encode(ctx, p.Partition, b, g)
		if err != nil {
			return err
		}
		f := file(p.TopicPartition, p.claim.Epoch, g.typ, b.hour, seg)
		if err := a.store(ctx, p, f, seg.Body); err != nil {
			return err
		}
		b.files = append(b.files, f)
	}
	return nil
}

// encode waits for a writer: encoding takes a core, and more at a time would only take memory.
func (a *Archiver) encode(ctx context.Context, part int32, b *batch, g group) (segment.Segment, error) {
	var w *segment.Writer
	select {
	case w = <-a.writers:
	case <-ctx.Done():
		return segment.Segment{}, context.Cause(ctx)
	}
	defer func() { a.writers <- w }()
	if g.typ == ledger.TypeMixed {
		w.Columns(b.columns)
	} else {
		w.Columns(b.columns.Only(g.typ))
	}
	if err := b.recs.each(g, func(r *events.Record) error { return w.Append(part, r) }); err != nil {
		w.Reset()
		return segment.Segment{}, fmt.Errorf("encode %s: %w", g.typ, err)
	}
	seg, err := w.Close()
	if err != nil {
		return segment.Segment{}, fmt.Errorf("encode %s: %w", g.typ, err)
	}
	return seg, nil
}

func file(tp events.TopicPartition, epoch int64, typ string, hour time.Time, seg segment.Segment) ledger.File {
	return ledger.File{
		Key: fileKey(tp, epoch, typ, hour, seg.Start, seg.End), Digest: seg.Digest, Bytes: int64(len(seg.Body)), Rows: seg.Rows,
		Type: typ, Hour: hour, Start: seg.Start, End: seg.End,
		MinTime: seg.MinTime, MaxTime: seg.MaxTime, MinSeen: seg.MinSeen, MaxSeen: seg.MaxSeen,
	}
}

// lose enters offsets that retention removed before they were read.
func (a *Archiver) lose(ctx context.Context, p *partition, logStart int64) error {
	if err := a.flush(ctx, p, ledger.ReasonDrain); err != nil {
		return err
	}
	if logStart <= p.claim.Next {
		return nil
	}
	lost := logStart - p.claim.Next
	a.cfg.Log.WarnContext(ctx, "retention removed records before they were archived", "partition", p.String(),
		"start", p.claim.Next, "end", logStart, "offsets", lost)
	p.heard = time.Time{}
	p.open = &batch{start: p.claim.Next, end: logStart, opened: time.Now()}
	if err := a.flush(ctx, p, ledger.ReasonLost); err != nil {
		return err
	}
	a.counts.lost.Add(lost)
	return nil
}

func micros(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Microsecond)
}
