package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// flushManifest is a flush as the bucket keeps it, from which the ledger can be rebuilt.
type flushManifest struct {
	Version         int           `json:"version"`
	TopicID         string        `json:"topic_id"`
	Topic           string        `json:"topic"`
	Partition       int32         `json:"partition"`
	Epoch           int64         `json:"epoch"`
	Seq             int64         `json:"seq"`
	Start           int64         `json:"start"` // offsets [start, end)
	End             int64         `json:"end"`
	Records         int64         `json:"records"`
	Reason          string        `json:"reason"`
	Files           []ledger.File `json:"files"`
	Committed       time.Time     `json:"committed"`
	ArchivedThrough time.Time     `json:"archived_through"`
	EventTime       time.Time     `json:"event_time"`
	CaughtUp        bool          `json:"caught_up"`
}

// encodeManifest returns the canonical JSON of f: the same for whoever writes it, from whichever ledger it was read.
func encodeManifest(f ledger.Flush) ([]byte, error) {
	m := flushManifest{
		Version: 1, TopicID: fmt.Sprintf("%x", f.TopicID[:]), Topic: f.Topic, Partition: f.Partition.Partition, Epoch: f.Epoch, Seq: f.Seq,
		Start: f.Start, End: f.End, Records: f.Records, Reason: f.Reason, Files: make([]ledger.File, 0, len(f.Files)),
		Committed: micros(f.Committed), ArchivedThrough: micros(f.ArchivedThrough), EventTime: micros(f.EventTime), CaughtUp: f.CaughtUp,
	}
	for _, file := range f.Files {
		file.Hour, file.MinTime, file.MaxTime = micros(file.Hour), micros(file.MinTime), micros(file.MaxTime)
		file.MinSeen, file.MaxSeen = micros(file.MinSeen), micros(file.MaxSeen)
		m.Files = append(m.Files, file)
	}
	slices.SortFunc(m.Files, func(x, y ledger.File) int { return strings.Compare(x.Key, y.Key) })
	b, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	return manifest.Canonical(b)
}

// writeMirror writes the manifest of p's last flush if it may be missing.
func (a *Archiver) writeMirror(ctx context.Context, p *partition) error {
	if p.mirror == nil {
		return nil
	}
	body, err := encodeManifest(*p.mirror)
	if err != nil {
		return err
	}
	err = a.put(ctx, p.mirror.Manifest, body, cas.Sum(body), mediaJSON)
	if errors.Is(err, ErrConflict) {
		// The ledger is the authority and goes on; Verify reports the manifest until somebody has looked at it.
		a.counts.conflicts.Add(1)
		a.cfg.Log.ErrorContext(ctx, "manifest does not match the ledger", "partition", p.String(), "error", err)
		err = nil
	}
	if err == nil {
		p.mirror = nil
	}
	return err
}

// tryMirror writes the manifest once; the next flush insists.
func (a *Archiver) tryMirror(ctx context.Context, p *partition) {
	err := once(ctx, func(ctx context.Context) error { return a.writeMirror(ctx, p) })
	if err != nil {
		a.counts.retries.Add(1)
		a.cfg.Log.WarnContext(ctx, "manifest not written yet", "partition", p.String(), "error", err)
	}
}
