package compact

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/archive/mirror"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// compact merges the files of a job. ErrSwapped says that another compactor was there first.
func (c *Compactor) compact(ctx context.Context, j job) (ledger.Swap, error) {
	s, err := c.begin(ctx, j.topicID, j.topic, ledger.SwapCompact)
	if err != nil {
		return s, err
	}
	m := newMerging(c)
	defer m.close()
	for _, f := range j.files {
		if err := m.read(ctx, f); err != nil {
			return s, err
		}
		s.Remove = append(s.Remove, ledger.FileRef{Key: f.Key, Digest: f.Digest, Rows: f.Rows})
	}
	if err := m.settle(); err != nil {
		return s, err
	}
	out := &output{c: c, job: j, n: s.N, left: m.raw}
	defer out.drop()
	if err := m.sorted(ctx, func(row []byte) error { return out.row(ctx, row) }); err != nil {
		return s, err
	}
	if err := out.end(ctx); err != nil {
		return s, err
	}
	s.Add, s.Duplicates = out.inOrder(), m.dropped
	return c.commit(ctx, s)
}

// begin returns the topic's next swap of a kind, once nothing of the one before is left to do: so after a crash only the last
// one has to be looked at.
func (c *Compactor) begin(ctx context.Context, topicID uuid.UUID, topic, kind string) (ledger.Swap, error) {
	s := ledger.Swap{TopicID: topicID, Topic: topic, Kind: kind, N: 1}
	last, err := c.newest(ctx, topicID)
	if err != nil {
		return s, err
	}
	if last != nil {
		if err := c.aftermath(ctx, *last); err != nil {
			return s, err
		}
		body, err := mirror.EncodeSwap(*last)
		if err != nil {
			return s, err
		}
		s.N, s.Previous = last.N+1, cas.Sum(body)
	}
	s.Manifest = mirror.SwapKey(topicID, s.N)
	return s, nil
}

// commit brings s into the ledger, and does what follows from it. What is begun here goes on when ctx ends: the answer matters.
func (c *Compactor) commit(ctx context.Context, s ledger.Swap) (ledger.Swap, error) {
	if err := context.Cause(ctx); err != nil {
		return s, err
	}
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	done, err := c.cfg.Ledger.Swap(bound, s)
	if err != nil {
		return s, err
	}
	if err := c.aftermath(bound, done); err != nil {
		c.cfg.Log.WarnContext(ctx, "swap is not finished yet, the next one of the topic will", "topic", s.Topic, "swap", done.N, "error", err)
	}
	return done, nil
}

// aftermath writes the manifest of a swap that is in the ledger, and removes what a purge purged.
func (c *Compactor) aftermath(ctx context.Context, s ledger.Swap) error {
	if c.cleared[s.TopicID] >= s.N {
		return nil
	}
	body, err := mirror.EncodeSwap(s)
	if err != nil {
		return err
	}
	err = c.put(ctx, s.Manifest, bytes.NewReader(body), int64(len(body)), cas.Sum(body), "application/json")
	if errors.Is(err, ErrConflict) {
		// The ledger is the authority and goes on; Verify reports the manifest until somebody has looked at it.
		c.counts.conflicts.Add(1)
		c.cfg.Log.ErrorContext(ctx, "manifest does not match the ledger", "topic", s.Topic, "swap", s.N, "error", err)
		err = nil
	}
	if err != nil {
		return err
	}
	if s.Kind == ledger.SwapPurge {
		for _, f := range s.Remove {
			if err := c.cfg.Bucket.Delete(ctx, f.Key); err != nil {
				return fmt.Errorf("remove purged file: %w", err)
			}
		}
	}
	c.cleared[s.TopicID] = s.N
	return nil
}

// newest returns the topic's last swap, nil without any. From the last that it knows it looks ahead in growing steps, and then
// halves what is left: numbers have no gaps.
func (c *Compactor) newest(ctx context.Context, topicID uuid.UUID) (*ledger.Swap, error) {
	known, step := c.last[topicID], int64(1)
	var last *ledger.Swap
	there := func(n int64) (bool, error) {
		s, err := c.cfg.Ledger.Swaps(ctx, topicID, n, 1)
		if err != nil || len(s) == 0 {
			return false, err
		}
		known, last = s[0].N, &s[0]
		return true, nil
	}
	for {
		ok, err := there(max(1, known+step))
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		step *= 2
	}
	for step > 1 {
		step /= 2
		if _, err := there(known + step); err != nil {
			return nil, err
		}
	}
	if last == nil && known > 0 {
		if _, err := there(known); err != nil {
			return nil, err
		}
	}
	c.last[topicID] = known
	return last, nil
}
