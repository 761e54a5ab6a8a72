package registry

import (
	"context"
	"fmt"
	"math"

	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// Lineage is where a package comes from and where it went.
type Lineage struct {
	Package Package      `json:"package"`
	Runs    []RunLineage `json:"runs"` // that left it, newest first
	Tags    []TagLineage `json:"tags"` // that ever pointed at it, by name
}

// RunLineage is a run with what it was trained on.
type RunLineage struct {
	Run     Run             `json:"run"`
	Dataset *DatasetLineage `json:"dataset,omitempty"` // nil where the request named paths
}

// DatasetLineage is a dataset with the archive files, and so the offsets of the log, that it was built from.
type DatasetLineage struct {
	Dataset Dataset           `json:"dataset"`
	Sources []manifest.Source `json:"sources"`
}

// TagLineage is a tag with the generations at which it pointed at the package.
type TagLineage struct {
	Tag         string  `json:"tag"`
	Generations []int64 `json:"generations"`
	Current     bool    `json:"current"` // the newest generation is among them
}

// Lineage walks both ways from a package: back to the offsets of the log, and forward to the tags.
func (r *Registry) Lineage(ctx context.Context, pkg cas.Digest) (Lineage, error) {
	p, err := r.catalog.Package(ctx, pkg)
	if err != nil {
		return Lineage{}, fmt.Errorf("lineage: %w", err)
	}
	out := Lineage{Package: p, Runs: []RunLineage{}, Tags: []TagLineage{}}
	runs, err := r.catalog.ListRuns(ctx, RunFilter{Package: pkg, Limit: math.MaxInt32})
	if err != nil {
		return Lineage{}, fmt.Errorf("lineage of %s: %w", pkg, err)
	}
	for _, run := range runs {
		l := RunLineage{Run: run}
		if !run.Dataset.IsZero() {
			d, err := r.datasetLineage(ctx, run.Dataset)
			if err != nil {
				return Lineage{}, fmt.Errorf("lineage of %s: %w", pkg, err)
			}
			l.Dataset = &d
		}
		out.Runs = append(out.Runs, l)
	}
	if out.Tags, err = r.tagLineage(ctx, pkg); err != nil {
		return Lineage{}, fmt.Errorf("lineage of %s: %w", pkg, err)
	}
	return out, nil
}

func (r *Registry) datasetLineage(ctx context.Context, id cas.Digest) (DatasetLineage, error) {
	d, err := r.catalog.Dataset(ctx, id)
	if err != nil {
		return DatasetLineage{}, err
	}
	m, err := manifest.DecodeDataset(d.Manifest)
	if err != nil {
		return DatasetLineage{}, fmt.Errorf("dataset %s: %w", id, err)
	}
	return DatasetLineage{Dataset: d, Sources: m.Sources}, nil
}

func (r *Registry) tagLineage(ctx context.Context, pkg cas.Digest) ([]TagLineage, error) {
	tags, err := r.catalog.ListTags(ctx)
	if err != nil {
		return nil, err
	}
	out := []TagLineage{}
	for _, now := range tags {
		h, err := r.catalog.TagHistory(ctx, now.Tag)
		if err != nil {
			return nil, err
		}
		l := TagLineage{Tag: now.Tag.String()}
		for _, s := range h {
			if points(s.Arms, pkg) {
				l.Generations = append(l.Generations, s.Generation)
				l.Current = s.Generation == h[len(h)-1].Generation
			}
		}
		if len(l.Generations) > 0 {
			out = append(out, l)
		}
	}
	return out, nil
}

func points(arms []Arm, pkg cas.Digest) bool {
	for _, a := range arms {
		if a.Package == pkg {
			return true
		}
	}
	return false
}

// DatasetUse is what became of a dataset.
type DatasetUse struct {
	DatasetLineage
	Runs []Run `json:"runs"` // that were trained on it, newest first; their packages are in them
}

// DatasetUse walks both ways from a dataset: back to the offsets of the log, and forward to the runs and packages.
func (r *Registry) DatasetUse(ctx context.Context, id cas.Digest) (DatasetUse, error) {
	d, err := r.datasetLineage(ctx, id)
	if err != nil {
		return DatasetUse{}, fmt.Errorf("lineage of dataset %s: %w", id, err)
	}
	runs, err := r.catalog.ListRuns(ctx, RunFilter{Dataset: id, Limit: math.MaxInt32})
	if err != nil {
		return DatasetUse{}, fmt.Errorf("lineage of dataset %s: %w", id, err)
	}
	return DatasetUse{DatasetLineage: d, Runs: runs}, nil
}
