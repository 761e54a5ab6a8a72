package main

import (
	"context"
	"fmt"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/figures"
	"github.com/signalbox-ml/signalbox/deploy/bench/internal/rig"
)

// memory is A4: the most that `serve archive` ever has resident, with many partitions and types, against what it is told.
func (b *bench) memory(ctx context.Context) error {
	s := rig.Shop{Topic: "events.wide", Records: b.n, Partitions: 200, Types: 20}
	if err := b.fill(ctx, s); err != nil {
		return err
	}
	for _, mib := range []int64{256, 384} {
		run, err := b.archived(ctx, fmt.Sprintf("a4-%d", mib), s, fmt.Sprintf("archive: {max_age: 10s, budget: %d}\n", mib<<20))
		if err != nil {
			return err
		}
		ratio := float64(run.peak) / float64(mib<<20)
		b.report.Add(figures.Row{Goal: "A4", What: fmt.Sprintf("most memory with %d partitions and %d types; %d files, %.1f s of processor, %.1f s", s.Partitions, s.Types, run.files, run.cpu.Seconds(), run.wall.Seconds()),
			Numerator: figures.Mebibytes(float64(run.peak)), Denominator: fmt.Sprintf("a budget of %d MiB", mib), Ratio: ratio, Limit: "<= 1.20", Met: ratio <= 1.2})
	}
	return nil
}
