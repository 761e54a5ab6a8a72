package archive

import (
	"context"
	"errors"
	"time"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// tailsEvery is how often partitions are looked for that nobody has, and how long beyond MaxAge nothing was heard of them.
const tailsEvery = 10 * time.Second

// watchTails mirrors, until ctx ends, the newest flushes that their archivers left without a manifest. Whoever claims a
// partition does so at once, but nobody claims one of a topic that was deleted or made again.
func (a *Archiver) watchTails(ctx context.Context) {
	tick := time.NewTicker(tailsEvery)
	defer tick.Stop()
	mirrored := map[ledger.Partition]int64{} // up to which offset
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := once(ctx, func(ctx context.Context) error { return a.mirrorTails(ctx, mirrored) }); err != nil && ctx.Err() == nil {
			a.counts.retries.Add(1)
			a.cfg.Log.WarnContext(ctx, "manifests of partitions that nobody has not looked at", "error", err)
		}
	}
}

func (a *Archiver) mirrorTails(ctx context.Context, mirrored map[ledger.Partition]int64) error {
	states, err := a.cfg.Ledger.History(ctx)
	if err != nil {
		return err
	}
	var faults []error // one partition's must not keep the others from theirs
	for _, s := range states {
		if s.Next == mirrored[s.Partition] || time.Since(s.Updated) < a.cfg.MaxAge+tailsEvery {
			continue
		}
		if err := a.mirrorTail(ctx, s); err != nil {
			faults = append(faults, err)
			continue
		}
		mirrored[s.Partition] = s.Next
	}
	return errors.Join(faults...)
}

func (a *Archiver) mirrorTail(ctx context.Context, s ledger.PartitionState) error {
	last, err := a.cfg.Ledger.Flushes(ctx, s.Partition, s.Next-1, 1)
	if err != nil {
		return err
	}
	for _, f := range last {
		if err := a.writeManifest(ctx, f); err != nil {
			return err
		}
	}
	return nil
}
