package compact

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

var (
	// ErrCorrupt reports a file whose bytes are not those that the ledger has on record.
	ErrCorrupt = errors.New("archive file does not match the ledger")
	// ErrConflict reports a key of the bucket that holds other bytes than the ones to be written.
	ErrConflict = errors.New("object exists with other content")
)

// Compactor merges files and removes what was replaced. Run does both; nothing else may be called meanwhile but Stats.
type Compactor struct {
	cfg    Config
	counts counters

	settled map[uuid.UUID]time.Time // before this hour nothing was to be merged
	scanned time.Time               // when settled was begun
	last    map[uuid.UUID]int64     // of each topic a swap that is there
	cleared map[uuid.UUID]int64     // swaps up to here have had their aftermath
	purged  time.Time               // when the last purge began
}

// New checks cfg and returns a compactor. It makes Dir.
func New(cfg Config) (*Compactor, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("compact: %w", err)
	}
	return &Compactor{
		cfg: cfg.withDefaults(), settled: map[uuid.UUID]time.Time{}, last: map[uuid.UUID]int64{}, cleared: map[uuid.UUID]int64{},
	}, nil
}

// Run looks for closed hours and for files to purge until ctx ends; then it drops the merge under way and returns nil.
func (c *Compactor) Run(ctx context.Context) error {
	tick := time.NewTicker(c.cfg.Interval)
	defer tick.Stop()
	for {
		if err := c.Look(ctx); err != nil && ctx.Err() == nil {
			c.cfg.Log.WarnContext(ctx, "compaction incomplete, will look again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Look does once what Run does again and again: it merges every closed group that has files to merge, and purges what is
// due. A group that fails does not keep the others waiting.
func (c *Compactor) Look(ctx context.Context) error {
	jobs, err := c.jobs(ctx, time.Now())
	faults := []error{err}
	for _, j := range jobs {
		if ctx.Err() != nil {
			break
		}
		began := time.Now()
		giveBack := c.cfg.Lend(c.cfg.Memory + groupBytes)
		s, err := c.compact(ctx, j)
		giveBack()
		switch {
		case errors.Is(err, ledger.ErrSwapped):
			c.counts.beaten.Add(1) // the next look sees what another did
		case err != nil:
			c.counts.failures.Add(1)
			faults = append(faults, fmt.Errorf("merge %s of %s at %s: %w", j.typ, j.topic, j.hour.Format(time.RFC3339), err))
		default:
			c.counts.compacted(j, s)
			c.cfg.Log.InfoContext(ctx, "archive files merged", "topic", j.topic, "type", j.typ, "hour", j.hour, "seq", s.Seq,
				"before", len(s.Remove), "after", len(s.Add), "duplicates", s.Duplicates, "seconds", time.Since(began).Seconds())
		}
	}
	if err := c.purge(ctx, time.Now()); err != nil && ctx.Err() == nil {
		c.counts.failures.Add(1)
		faults = append(faults, fmt.Errorf("purge: %w", err))
	}
	return errors.Join(faults...)
}
