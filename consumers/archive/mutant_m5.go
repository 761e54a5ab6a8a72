//go:build mutant_m5

package archive

import (
	"context"
	"errors"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// resolve breaks that a refused batch is read again: it drops the batch and goes on with what comes next.
func (a *Archiver) resolve(ctx context.Context, p *partition, err error) error {
	if !errors.Is(err, ledger.ErrFenced) {
		return err
	}
	a.budget.give(p.drop())
	return a.again(ctx, p)
}
