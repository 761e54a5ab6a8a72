package pgcatalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// PutPackage implements registry.Packages. Its registry.ErrBlobsMissing is a *registry.MissingBlobs.
func (c *Catalog) PutPackage(ctx context.Context, p registry.Package, evs ...events.Event) (bool, error) {
	var created bool
	err := c.write(ctx, func(tx pgx.Tx, again bool) error {
		tag, err := tx.Exec(ctx, `
			INSERT INTO package (id, manifest, model, format, size, created) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (id) DO NOTHING`,
			digest(p.ID), p.Manifest, p.Model, p.Format, p.Size, p.Created)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			created = again
			return nil
		}
		created = true
		if err := addBlobs(ctx, tx, p); err != nil {
			return err
		}
		return enqueue(ctx, tx, evs)
	})
	if err != nil {
		return false, fmt.Errorf("put package %s: %w", p.ID, err)
	}
	return created, nil
}

// addBlobs makes the blobs of p live and counts the reference, once for each blob however often p names it.
func addBlobs(ctx context.Context, tx pgx.Tx, p registry.Package) error {
	held, err := hold(ctx, tx, p.Blobs)
	if err != nil {
		return err
	}
	b := &pgx.Batch{}
	for i, d := range p.Blobs {
		b.Queue(`INSERT INTO package_blob (package, n, digest, incarnation, media_type, size) VALUES ($1, $2, $3, $4, $5, $6)`,
			digest(p.ID), i, digest(d.Digest), held[d.Digest], d.MediaType, d.Size)
	}
	return tx.SendBatch(ctx, b).Close()
}

// hold references every blob and returns the incarnations. Rows are locked in the order of their digests, so that
// packages that share blobs do not deadlock. The collector takes a blob only by the columns of its locked row, so from
// here on it waits for us and then sees the reference.
func hold(ctx context.Context, tx pgx.Tx, blobs []cas.Descriptor) (map[cas.Digest]int, error) {
	want := distinct(blobs)
	rows, err := tx.Query(ctx, `
		SELECT digest, incarnation FROM blob WHERE digest = ANY ($1) AND state IN ('staged', 'live')
		ORDER BY digest FOR UPDATE`, texts(want))
	if err != nil {
		return nil, err
	}
	held := make(map[cas.Digest]int, len(want))
	var d digest
	var incarnation int
	if _, err := pgx.ForEachRow(rows, []any{&d, &incarnation}, func() error {
		held[cas.Digest(d)] = incarnation
		return nil
	}); err != nil {
		return nil, err
	}
	if len(held) < len(want) {
		return nil, &registry.MissingBlobs{Digests: slices.DeleteFunc(want, func(d cas.Digest) bool { _, ok := held[d]; return ok })}
	}
	_, err = tx.Exec(ctx, `UPDATE blob SET refs = refs + 1, state = 'live' WHERE digest = ANY ($1)`, texts(want))
	return held, err
}

// distinct returns the digests of blobs, each once and in the order of their text, as the database sorts them.
func distinct(blobs []cas.Descriptor) []cas.Digest {
	ds := make([]cas.Digest, len(blobs))
	for i, b := range blobs {
		ds[i] = b.Digest
	}
	slices.SortFunc(ds, func(a, b cas.Digest) int { return cmp.Compare(a.String(), b.String()) })
	return slices.Compact(ds)
}

// Package implements registry.Packages.
func (c *Catalog) Package(ctx context.Context, id cas.Digest) (registry.Package, error) {
	out, err := scanPackage(c.pool.QueryRow(ctx, selectPackages+`WHERE id = $1`, digest(id)))
	if err != nil {
		return registry.Package{}, fmt.Errorf("package %s: %w", id, missing(err))
	}
	return out, nil
}

// ListPackages implements registry.Packages.
func (c *Catalog) ListPackages(ctx context.Context, f registry.PackageFilter) ([]registry.Package, error) {
	rows, err := c.pool.Query(ctx, selectPackages+`
		WHERE $1 = '' OR model = $1 ORDER BY created DESC, seq DESC LIMIT $2`, f.Model, cmp.Or(f.Limit, defaultLimit))
	out, err := collect(rows, err, scanPackage)
	if err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	return out, nil
}

const selectPackages = `
	SELECT id, manifest, model, format, size, created, (
		SELECT coalesce(json_agg(json_build_object('mediaType', media_type, 'digest', digest, 'size', b.size) ORDER BY n), '[]')
		FROM package_blob b WHERE package = id
	) FROM package `

func scanPackage(row pgx.Row) (registry.Package, error) {
	var p registry.Package
	err := row.Scan((*digest)(&p.ID), &p.Manifest, &p.Model, &p.Format, &p.Size, &p.Created, &p.Blobs)
	p.Created = p.Created.UTC()
	return p, err
}

// LeaseBlobs implements registry.Packages. A blob that the collector has claimed, or that is gone, starts a new life under
// the next incarnation: what still happens to the old object then does not matter.
func (c *Catalog) LeaseBlobs(ctx context.Context, blobs []cas.Descriptor, until time.Time) ([]registry.Blob, error) {
	if len(blobs) == 0 {
		return nil, nil
	}
	byDigest := make(map[cas.Digest]registry.Blob, len(blobs))
	for _, d := range blobs {
		byDigest[d.Digest] = registry.Blob{Descriptor: d}
	}
	digests := distinct(blobs)
	sizes := make([]int64, len(digests))
	for i, d := range digests {
		sizes[i] = byDigest[d].Size
	}
	err := c.write(ctx, func(tx pgx.Tx, _ bool) error {
		rows, err := tx.Query(ctx, leaseBlobs, texts(digests), sizes, until)
		if err != nil {
			return err
		}
		var d digest
		var b registry.Blob
		_, err = pgx.ForEachRow(rows, []any{&d, &b.Incarnation, &b.Size, &b.Live, &b.LeasedUntil}, func() error {
			b.Digest, b.LeasedUntil = cas.Digest(d), b.LeasedUntil.UTC()
			byDigest[b.Digest] = b
			return nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("lease %d blobs: %w", len(digests), err)
	}
	out := make([]registry.Blob, len(blobs))
	for i, d := range blobs {
		out[i] = byDigest[d.Digest]
		out[i].MediaType = d.MediaType
	}
	return out, nil
}

// leaseBlobs locks rows in the order of the arrays, which is that of the digests. The size of a blob that is not live is
// only what a publisher said, and the next one may know better.
const leaseBlobs = `
	INSERT INTO blob (digest, size, state, lease)
	SELECT digest, size, 'staged', $3 FROM unnest($1::text[], $2::bigint[]) AS want (digest, size)
	ON CONFLICT (digest) DO UPDATE SET
		lease = greatest(blob.lease, excluded.lease),
		size = CASE WHEN blob.state = 'live' THEN blob.size ELSE excluded.size END,
		incarnation = blob.incarnation + CASE WHEN blob.state IN ('deleting', 'gone') THEN 1 ELSE 0 END,
		state = CASE WHEN blob.state IN ('deleting', 'gone') THEN 'staged' ELSE blob.state END
	RETURNING digest, incarnation, size, state = 'live', lease`
