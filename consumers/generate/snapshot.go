package generate

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/generate/compile"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// snapshot is the archive as one spec sees it: live files by source.
type snapshot map[string][]ledger.LedgerFile

func (g *Generator) snapshot(ctx context.Context, d spec.Dataset) (snapshot, error) {
	out := snapshot{}
	for name := range compile.Reach(d, compile.Window{}) {
		s := d.Sources[name]
		var files []ledger.LedgerFile
		for _, typ := range []string{s.Type, ledger.TypeMixed} {
			more, err := g.cfg.Ledger.Files(ctx, ledger.FileQuery{Topic: topicOf(s), Type: typ})
			if err != nil {
				return nil, fmt.Errorf("files of source %s: %w", name, err)
			}
			files = append(files, more...)
		}
		slices.SortFunc(files, func(a, b ledger.LedgerFile) int { return cmp.Compare(a.Key, b.Key) })
		out[name] = files
	}
	return out, nil
}

// window keeps the files that can hold rows of a dataset over w.
func (s snapshot) window(d spec.Dataset, w compile.Window) snapshot {
	out := snapshot{}
	horizon := compile.Horizon(d, w)
	for name, reach := range compile.Reach(d, w) {
		for _, f := range s[name] {
			// On the append clock nothing is available before it was appended. On the other clock it may be.
			unseen := d.Available != spec.AvailableRecorded && !f.MinSeen.Before(horizon)
			if overlaps(reach, f.File) && !unseen {
				out[name] = append(out[name], f)
			}
		}
	}
	return out
}

// overlaps reports whether a file may hold rows of an event time. Rows without a time of their own count by their append
// time, so both ranges matter.
func overlaps(r compile.Range, f ledger.File) bool {
	return !f.MinTime.IsZero() && r.Overlaps(f.MinTime, f.MaxTime) || r.Overlaps(f.MinSeen, f.MaxSeen)
}

// sources lists the files once each, sorted by key.
func (s snapshot) sources() []manifest.Source {
	byKey := map[string]manifest.Source{}
	for _, files := range s {
		for _, f := range files {
			byKey[f.Key] = manifest.Source{
				Key: f.Key, Digest: f.Digest, Topic: f.Topic, TopicID: f.TopicID.String(), Partition: f.Partition.Partition,
				Start: f.Start, End: f.End, Rows: f.Rows, Spans: spans(f),
			}
		}
	}
	out := make([]manifest.Source, 0, len(byKey))
	for _, src := range byKey {
		out = append(out, src)
	}
	slices.SortFunc(out, func(a, b manifest.Source) int { return cmp.Compare(a.Key, b.Key) })
	return out
}

// spans are the offsets of a file of several partitions: one range for each, whatever the ledger has.
func spans(f ledger.LedgerFile) []manifest.Span {
	if f.Partition.Partition != ledger.Several {
		return nil
	}
	byPartition := map[int32]manifest.Span{}
	for _, s := range f.Spans {
		p, ok := byPartition[s.Partition]
		if !ok {
			p = manifest.Span(s)
		}
		p.Start, p.End = min(p.Start, s.Start), max(p.End, s.End)
		byPartition[s.Partition] = p
	}
	return slices.SortedFunc(maps.Values(byPartition), func(a, b manifest.Span) int { return cmp.Compare(a.Partition, b.Partition) })
}

// identity is what a dataset is made from. Its canonical JSON is hashed: a change of form is a change of every plan.
type identity struct {
	Compiler string            `json:"compiler"`
	Spec     cas.Digest        `json:"spec"`
	Start    time.Time         `json:"window_start"`
	End      time.Time         `json:"window_end"`
	Sources  []manifest.Source `json:"sources"`
}

// planDigest identifies a build before it runs.
func planDigest(s registry.Spec, w compile.Window, sources []manifest.Source) (cas.Digest, error) {
	b, err := json.Marshal(identity{Compiler: compile.Version, Spec: s.Digest, Start: w.Start.UTC(), End: w.End.UTC(), Sources: sources})
	if err == nil {
		b, err = manifest.Canonical(b)
	}
	if err != nil {
		return cas.Digest{}, fmt.Errorf("plan of %s: %w", s.Name, err)
	}
	return cas.Sum(b), nil
}
