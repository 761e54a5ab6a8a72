package pgcatalog

import (
	"cmp"
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

const datasetColumns = `id, name, manifest, key, plan, spec, rows, window_start, window_end, watermark, created`

// PutDataset implements registry.Datasets.
func (c *Catalog) PutDataset(ctx context.Context, d registry.Dataset, evs ...events.Event) (bool, error) {
	created, err := c.insertOnce(ctx, evs, `
		INSERT INTO dataset (`+datasetColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (id) DO NOTHING`,
		digest(d.ID), d.Name, d.Manifest, d.Key, digest(d.Plan), digest(d.Spec), d.Rows, d.Start, d.End, d.Watermark, d.Created)
	if err != nil {
		return false, fmt.Errorf("put dataset %s: %w", d.ID, err)
	}
	return created, nil
}

// Dataset implements registry.Datasets.
func (c *Catalog) Dataset(ctx context.Context, id cas.Digest) (registry.Dataset, error) {
	out, err := scanDataset(c.pool.QueryRow(ctx, `SELECT `+datasetColumns+` FROM dataset WHERE id = $1`, digest(id)))
	if err != nil {
		return registry.Dataset{}, fmt.Errorf("dataset %s: %w", id, missing(err))
	}
	return out, nil
}

// ListDatasets implements registry.Datasets.
func (c *Catalog) ListDatasets(ctx context.Context, f registry.DatasetFilter) ([]registry.Dataset, error) {
	rows, err := c.pool.Query(ctx, `
		SELECT `+datasetColumns+` FROM dataset
		WHERE ($1 = '' OR name = $1) AND ($2::text IS NULL OR plan = $2)
		ORDER BY created DESC, seq DESC LIMIT $3`,
		f.Name, digest(f.Plan), cmp.Or(f.Limit, defaultLimit))
	out, err := collect(rows, err, scanDataset)
	if err != nil {
		return nil, fmt.Errorf("list datasets: %w", err)
	}
	return out, nil
}

func scanDataset(row pgx.Row) (registry.Dataset, error) {
	var d registry.Dataset
	err := row.Scan((*digest)(&d.ID), &d.Name, &d.Manifest, &d.Key, (*digest)(&d.Plan), (*digest)(&d.Spec), &d.Rows,
		&d.Start, &d.End, &d.Watermark, &d.Created)
	d.Start, d.End, d.Watermark, d.Created = d.Start.UTC(), d.End.UTC(), d.Watermark.UTC(), d.Created.UTC()
	return d, err
}
