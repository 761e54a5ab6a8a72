//go:build mutant_m4 || mutant_m5

package archive

import "context"

// again takes a claim that was lost back, without an assignment.
func (a *Archiver) again(ctx context.Context, p *partition) error {
	claim, err := a.claim(ctx, p.TopicPartition)
	if err != nil {
		return err
	}
	last, err := a.cfg.Ledger.Flushes(ctx, claim.Partition, claim.Next-1, 1)
	if err != nil {
		return err
	}
	p.claim = claim
	for _, f := range last {
		p.last, p.mirrored, p.through, p.event = &f, false, f.ArchivedThrough, f.EventTime
	}
	return nil
}
