package icebergview

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apache/iceberg-go/table"
)

// expired returns the snapshots that go: all but the current one that are too old or too many, and that no tag or branch names.
// A snapshot's age counts from the moment when it was replaced.
func (p *Publisher) expired(meta table.Metadata) (ids []int64) {
	named := map[int64]bool{}
	for _, ref := range meta.Refs() {
		named[ref.SnapshotID] = true
	}
	all := slices.Clone(meta.Snapshots())
	slices.SortFunc(all, func(a, b table.Snapshot) int { return int(b.SequenceNumber - a.SequenceNumber) })
	oldest := time.Now().Add(-p.cfg.Retain).UnixMilli()
	for i, s := range all {
		if i > 0 && !named[s.SnapshotID] && (i >= p.cfg.Snapshots || all[i-1].TimestampMs < oldest) {
			ids = append(ids, s.SnapshotID)
		}
	}
	return ids
}

// upkeep does what no snapshot has to be made for. The metadata of a snapshot that goes here stays for those who are at it.
func (p *Publisher) upkeep(ctx context.Context, t topic) error {
	if err := p.sweep(ctx, t); err != nil {
		return fmt.Errorf("remove old metadata: %w", err)
	}
	if err := p.expire(ctx, t); err != nil {
		return fmt.Errorf("expire snapshots: %w", err)
	}
	return nil
}

// expire lets go of old snapshots of a table that gets no new ones: the files that they show could never be purged.
func (p *Publisher) expire(ctx context.Context, t topic) error {
	c := tables{p, t}
	_, meta, err := c.current(ctx)
	if err != nil || meta == nil || len(p.expired(meta)) == 0 {
		return err
	}
	files := p.shown[t.id].files
	if _, _, err := c.CommitTable(ctx, nil, nil, nil); err != nil {
		return err
	}
	now := p.shown[t.id]
	now.files = files
	p.shown[t.id] = now
	return nil
}

// since is the oldest step that a snapshot of the table shows.
func since(meta table.Metadata) int64 {
	oldest := int64(0)
	for i, s := range meta.Snapshots() {
		if seq := seqOf(&s); i == 0 || seq < oldest {
			oldest = seq
		}
	}
	return oldest
}

// sweep removes metadata that no snapshot needs any more, and what crashes left.
func (p *Publisher) sweep(ctx context.Context, t topic) error {
	keep, err := p.needed(ctx, t)
	if err != nil || keep == nil {
		return err
	}
	before := time.Now().Add(-sweepAge)
	for a, err := range p.cfg.Bucket.List(ctx, t.dir()) {
		if err != nil {
			return err
		}
		if keep[a.Key] || !a.Modified.Before(before) {
			continue
		}
		if err := p.cfg.Bucket.Delete(ctx, a.Key); err != nil {
			return err
		}
		p.counts.swept.Add(1)
	}
	return nil
}

// needed returns the keys of all metadata that a reader may come upon; nil if there is no table.
func (p *Publisher) needed(ctx context.Context, t topic) (map[string]bool, error) {
	keep := map[string]bool{}
	need := func(url string) { keep[strings.TrimPrefix(url, p.root())] = true }
	v, meta, err := tables{p, t}.current(ctx)
	if err != nil || meta == nil {
		return nil, err
	}
	need(v.Location)
	for f := range meta.PreviousFiles() {
		need(f.MetadataFile)
	}
	for _, s := range meta.Snapshots() {
		need(s.ManifestList)
		manifests, err := s.Manifests(p.store(ctx))
		if err != nil {
			return nil, err
		}
		for _, m := range manifests {
			need(m.FilePath())
		}
	}
	return keep, nil
}
