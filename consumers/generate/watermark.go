package generate

import (
	"context"
	"fmt"
	"time"

	"github.com/signalbox-ml/signalbox/registry/spec"
)

// watermark is the availability up to which every stream of d is archived; zero where that is unknown.
func (g *Generator) watermark(ctx context.Context, d spec.Dataset) (time.Time, error) {
	var least time.Time
	first := true
	for topic := range topics(d) {
		partitions, err := g.positions(ctx, topic)
		if err != nil {
			return time.Time{}, fmt.Errorf("archive positions of %s: %w", topic, err)
		}
		mark := complete(partitions) // on the append clock that is all
		if d.Available == spec.AvailableRecorded {
			mark = watermark(partitions)
		}
		if first || mark.Before(least) {
			least, first = mark, false
		}
	}
	return least, nil
}

func (g *Generator) positions(ctx context.Context, topic string) ([]position, error) {
	states, err := g.cfg.Ledger.Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	out := make([]position, len(states))
	for i, s := range states {
		out[i] = position{through: s.ArchivedThrough, event: s.EventTime}
		last, err := g.cfg.Ledger.Flushes(ctx, s.Partition, s.Next-1, 1)
		if err != nil {
			return nil, err
		}
		for _, f := range last {
			out[i].flushed = f.ArchivedThrough
		}
	}
	return out, nil
}
