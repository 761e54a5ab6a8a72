package compact

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// purgesPerGrace is how often files are purged: a file stays by this much longer at the most.
const purgesPerGrace = 24

// purge removes files that were replaced a grace ago and that no dataset was made from. A dataset in the making planned on its
// files before they were replaced, so it is registered by now, or it takes longer than the grace.
func (c *Compactor) purge(ctx context.Context, now time.Time) error {
	if now.Sub(c.purged) < c.cfg.Grace/purgesPerGrace {
		return nil
	}
	horizons, err := c.horizons(ctx, now.Add(-c.cfg.Grace))
	if err != nil {
		return err
	}
	p := purging{c: c, due: map[uuid.UUID][]ledger.FileState{}}
	for after := ""; ; {
		states, err := c.cfg.Ledger.Inventory(ctx, after, page)
		if err != nil {
			return err
		}
		for _, f := range states {
			after = f.Key
			if f.Removed == 0 || f.Purged != 0 || f.Removed > horizons[f.TopicID] {
				continue
			}
			if err := p.add(ctx, f); err != nil {
				return err
			}
		}
		if len(states) == 0 {
			break
		}
	}
	for id := range p.due {
		if err := p.flush(ctx, id); err != nil {
			return err
		}
	}
	c.counts.pinned.Store(p.pinned)
	c.purged = now
	return nil
}

// horizons returns for each topic the place of the newest swap that was committed before a time. On the way it does what a
// crash left to do.
func (c *Compactor) horizons(ctx context.Context, before time.Time) (map[uuid.UUID]int64, error) {
	states, err := c.cfg.Ledger.History(ctx)
	if err != nil {
		return nil, err
	}
	out := map[uuid.UUID]int64{}
	for _, s := range states {
		if _, done := out[s.TopicID]; done {
			continue
		}
		out[s.TopicID] = 0
		last, err := c.newest(ctx, s.TopicID)
		if err != nil {
			return nil, err
		}
		if last == nil {
			continue
		}
		if err := c.aftermath(ctx, *last); err != nil {
			return nil, err
		}
		if out[s.TopicID], err = c.horizon(ctx, *last, before); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// horizon halves the numbers up to last.
func (c *Compactor) horizon(ctx context.Context, last ledger.Swap, before time.Time) (seq int64, err error) {
	low, high := int64(1), last.N // those below low were committed before
	for low <= high {
		mid := (low + high) / 2
		s, err := c.cfg.Ledger.Swaps(ctx, last.TopicID, mid, 1)
		if err != nil {
			return 0, err
		}
		if len(s) == 0 {
			return 0, fmt.Errorf("swap %d of topic %s is missing in the ledger", mid, last.Topic)
		}
		if s[0].Committed.After(before) {
			high = mid - 1
		} else {
			low, seq = mid+1, s[0].Seq
		}
	}
	return seq, nil
}

// purging collects what may be purged, by topic.
type purging struct {
	c      *Compactor
	due    map[uuid.UUID][]ledger.FileState
	pinned int64
}

func (p *purging) add(ctx context.Context, f ledger.FileState) error {
	p.due[f.TopicID] = append(p.due[f.TopicID], f)
	if len(p.due[f.TopicID]) < purgeFiles {
		return nil
	}
	return p.flush(ctx, f.TopicID)
}

// flush purges what was collected of a topic and is not pinned.
func (p *purging) flush(ctx context.Context, topicID uuid.UUID) error {
	files := p.due[topicID]
	p.due[topicID] = nil
	if len(files) == 0 {
		return nil
	}
	keys := make([]string, len(files))
	for i, f := range files {
		keys[i] = f.Key
	}
	pinned, err := p.c.cfg.References.Referenced(ctx, keys)
	if err != nil {
		return fmt.Errorf("which files datasets were made from: %w", err)
	}
	s, err := p.c.begin(ctx, topicID, files[0].Topic, ledger.SwapPurge)
	if err != nil {
		return err
	}
	size := int64(0)
	for _, f := range files {
		if pinned[f.Key] {
			p.pinned++
			continue
		}
		s.Remove = append(s.Remove, ledger.FileRef{Key: f.Key, Digest: f.Digest, Rows: f.Rows})
		size += f.Bytes
	}
	if len(s.Remove) == 0 {
		return nil
	}
	s, err = p.c.commit(ctx, s)
	if errors.Is(err, ledger.ErrSwapped) {
		p.c.counts.beaten.Add(1)
		return nil
	}
	if err != nil {
		return err
	}
	p.c.counts.purged.Add(int64(len(s.Remove)))
	p.c.counts.purgedBytes.Add(size)
	p.c.cfg.Log.InfoContext(ctx, "replaced archive files purged", "topic", s.Topic, "seq", s.Seq, "files", len(s.Remove), "bytes", size)
	return nil
}
