//go:build mutant_m3

package archive

import (
	"context"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// claim breaks that the ledger says where tp goes on: it asks Kafka.
func (a *Archiver) claim(ctx context.Context, tp events.TopicPartition) (ledger.Claim, error) {
	claim, err := a.cfg.Ledger.Claim(ctx, partitionOf(tp), a.cfg.Owner)
	if err != nil {
		return claim, err
	}
	claim.Next, err = a.cfg.Committer.(interface {
		Committed(context.Context, events.TopicPartition) (int64, error)
	}).Committed(ctx, tp)
	return claim, err
}
