package icebergview

import (
	"context"
	"slices"
	"time"

	"github.com/apache/iceberg-go/table"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// publish makes the table show what is live. The table is read before the ledger: so a snapshot is of the same step as its
// parent or of a later one, and a file that was removed before its parent's step can never come back.
func (p *Publisher) publish(ctx context.Context, t topic, rest time.Duration) error {
	tbl, err := p.load(ctx, t)
	if err != nil {
		return err
	}
	head := tbl.CurrentSnapshot()
	if head != nil && time.Since(time.UnixMilli(head.TimestampMs)) < rest {
		return nil
	}
	files, err := p.cfg.Ledger.Files(ctx, ledger.FileQuery{Topic: t.name})
	if err != nil {
		return err
	}
	files = slices.DeleteFunc(files, func(f ledger.LedgerFile) bool { return f.TopicID != t.id })
	seq := seqOf(head)
	for _, f := range files {
		seq = max(seq, f.Seq)
	}
	if head == nil && len(files) == 0 || head != nil && seq == seqOf(head) && count(head) == len(files) {
		return nil
	}
	now := p.shown[t.id].files
	if now == nil {
		if now, err = contents(head, p.store(ctx)); err != nil {
			return err
		}
	}
	c, err := p.change(tbl.Spec(), files, now)
	if err != nil || c.empty() {
		return err
	}
	return p.commit(ctx, t, tbl, c, seq)
}

// load returns the table, which it makes where there is none.
func (p *Publisher) load(ctx context.Context, t topic) (*table.Table, error) {
	c := tables{p, t}
	v, meta, err := c.current(ctx)
	if err != nil {
		return nil, err
	}
	if meta == nil {
		if err := c.create(ctx); err != nil {
			return nil, err
		}
		return c.LoadTable(ctx, nil)
	}
	if p.shown[t.id].location != v.Location {
		p.shown[t.id] = shown{location: v.Location, meta: meta}
	}
	return c.evolve(ctx, table.New(c.ident(v), meta, v.Location, c.files, c))
}
