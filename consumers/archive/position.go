//go:build !mutant_m3

package archive

import (
	"context"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// claim makes tp ours. The ledger alone says where it goes on: Kafka's committed offset is late after a crash.
func (a *Archiver) claim(ctx context.Context, tp events.TopicPartition) (ledger.Claim, error) {
	return a.cfg.Ledger.Claim(ctx, partitionOf(tp), a.cfg.Owner)
}
