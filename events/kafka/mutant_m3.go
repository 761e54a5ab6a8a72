//go:build mutant_m3

package kafka

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/signalbox-ml/signalbox/events"
)

// Committed is what Commit was told last, 0 if nothing.
func (t *Tap) Committed(ctx context.Context, tp events.TopicPartition) (int64, error) {
	l := t.running.Load().lane(tp.Topic, tp.Partition)
	if l == nil {
		return 0, fmt.Errorf("committed %s: %w", tp, errDisowned)
	}
	offsets, err := kadm.NewClient(l.cl).FetchOffsets(ctx, t.cfg.Group)
	if err != nil {
		return 0, err
	}
	o, _ := offsets.Lookup(tp.Topic, tp.Partition)
	return max(0, o.At), o.Err
}
