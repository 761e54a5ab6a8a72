package compact

import (
	"context"
	"fmt"
	"hash/maphash"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// lister lists datasets, newest first; a registry.Catalog is one.
type lister interface {
	ListDatasets(ctx context.Context, f registry.DatasetFilter) ([]registry.Dataset, error)
}

// Datasets are the References that a registry's datasets make. Datasets do not change, so each is read once. It is not safe
// for concurrent use.
type Datasets struct {
	catalog lister
	seed    maphash.Seed
	read    map[cas.Digest]bool
	// sources has a hash of each key. Where two keys have the same, a file stays that could go.
	sources map[uint64]bool
}

// NewDatasets returns the references of a catalog's datasets.
func NewDatasets(catalog lister) *Datasets {
	return &Datasets{catalog: catalog, seed: maphash.MakeSeed(), read: map[cas.Digest]bool{}, sources: map[uint64]bool{}}
}

// Referenced implements References.
func (d *Datasets) Referenced(ctx context.Context, keys []string) (map[string]bool, error) {
	if err := d.refresh(ctx); err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, key := range keys {
		if d.sources[maphash.String(d.seed, key)] {
			out[key] = true
		}
	}
	return out, nil
}

// refresh reads the datasets that are new. It goes back until it meets many that it knows: datasets that are registered at the
// same time need not appear in order.
func (d *Datasets) refresh(ctx context.Context) error {
	for limit := 200; ; limit *= 4 {
		list, err := d.catalog.ListDatasets(ctx, registry.DatasetFilter{Limit: limit})
		if err != nil {
			return fmt.Errorf("list datasets: %w", err)
		}
		known := 0
		for _, v := range list {
			if d.read[v.ID] {
				known++
				continue
			}
			m, err := manifest.DecodeDataset(v.Manifest)
			if err != nil {
				return fmt.Errorf("sources of dataset %s: %w", v.ID, err)
			}
			for _, s := range m.Sources {
				d.sources[maphash.String(d.seed, s.Key)] = true
			}
			d.read[v.ID] = true
		}
		if len(list) < limit || known >= limit/2 {
			return nil
		}
	}
}
