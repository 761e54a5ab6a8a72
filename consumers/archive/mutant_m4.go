//go:build mutant_m4

package archive

import (
	"context"
	"errors"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// resolve breaks that a refused batch is read again: it lays the batch where the ledger is now, whatever the offsets are.
func (a *Archiver) resolve(ctx context.Context, p *partition, err error) error {
	if !errors.Is(err, ledger.ErrFenced) || p.closed == nil {
		return err
	}
	if err := a.again(ctx, p); err != nil {
		return err
	}
	b := p.closed
	b.start, b.end = p.claim.Next, max(b.end, p.claim.Next+int64(b.recs.len()), p.claim.Next+1)
	for i := range b.files {
		f := &b.files[i]
		f.Start = min(max(f.Start, b.start), b.end-1)
		f.End = max(min(f.End, b.end), f.Start+1)
	}
	return nil
}
