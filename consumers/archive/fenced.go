//go:build !mutant_m4 && !mutant_m5

package archive

import (
	"context"
	"errors"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// resolve says what becomes of a batch that was not settled because of err: what can never be committed is dropped, and
// the assignment ends, so that the next one reads from where the ledger is.
func (a *Archiver) resolve(_ context.Context, p *partition, err error) error {
	switch {
	case errors.Is(err, ledger.ErrFenced):
		a.counts.fenced.Add(1)
	case errors.Is(err, ErrConflict):
		a.counts.conflicts.Add(1) // another claim writes under other keys
	default:
		return err
	}
	a.budget.give(p.drop())
	p.broken = err
	return err
}
