package pgcatalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// Views keeps where the archive's tables are, as SQL catalogs of Apache Iceberg do: any of them reads this database as it is.
type Views struct{ c *Catalog }

// Views returns the archive's views. They live as long as the catalog.
func (c *Catalog) Views() *Views { return &Views{c: c} }

// View returns the view of a topic; its Location is empty if there is none.
func (v *Views) View(ctx context.Context, topicID uuid.UUID) (ledger.View, error) {
	out := ledger.View{TopicID: topicID}
	err := v.c.pool.QueryRow(ctx, `
		SELECT catalog_name, table_namespace, table_name, coalesce(metadata_location, ''), since
		FROM archive_view JOIN iceberg_tables USING (catalog_name, table_namespace, table_name) WHERE topic_id = $1`,
		[16]byte(topicID)).Scan(&out.Catalog, &out.Namespace, &out.Name, &out.Location, &out.Since)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return ledger.View{}, fmt.Errorf("view of topic %s: %w", topicID, err)
	}
	return out, nil
}

// MoveView makes next current if the table is at from, and adds the table if from is empty: ledger.ErrViewMoved if it is
// elsewhere. Every location must be used once only.
func (v *Views) MoveView(ctx context.Context, next ledger.View, from string) error {
	err := v.c.write(ctx, func(tx pgx.Tx, again bool) error {
		if from == "" {
			if err := insertView(ctx, tx, next); err != nil {
				return err
			}
		}
		tag, err := tx.Exec(ctx, `
			UPDATE iceberg_tables t SET metadata_location = $3, previous_metadata_location = nullif($2, '')
			FROM archive_view v WHERE v.topic_id = $1 AND coalesce(t.metadata_location, '') = $2
				AND (t.catalog_name, t.table_namespace, t.table_name) = (v.catalog_name, v.table_namespace, v.table_name)`,
			[16]byte(next.TopicID), from, next.Location)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return viewMoved(ctx, tx, next, again)
		}
		_, err = tx.Exec(ctx, `UPDATE archive_view SET since = greatest(since, $2) WHERE topic_id = $1`, [16]byte(next.TopicID), next.Since)
		return err
	})
	if err != nil {
		return fmt.Errorf("move view %s.%s: %w", next.Namespace, next.Name, err)
	}
	return nil
}

// insertView adds a table that is nowhere yet, unless another did. Namespaces exist for SQL catalogs by having a property.
func insertView(ctx context.Context, tx pgx.Tx, v ledger.View) error {
	b := &pgx.Batch{}
	b.Queue(`
		INSERT INTO iceberg_namespace_properties (catalog_name, namespace, property_key, property_value)
		VALUES ($1, $2, 'exists', 'true') ON CONFLICT DO NOTHING`, v.Catalog, v.Namespace)
	b.Queue(`
		INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, iceberg_type)
		VALUES ($1, $2, $3, 'TABLE') ON CONFLICT DO NOTHING`, v.Catalog, v.Namespace, v.Name)
	b.Queue(`
		INSERT INTO archive_view (topic_id, catalog_name, table_namespace, table_name, since)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT (topic_id) DO NOTHING`, [16]byte(v.TopicID), v.Catalog, v.Namespace, v.Name, v.Since)
	return tx.SendBatch(ctx, b).Close()
}

// viewMoved tells a move that took effect in a run before from one that another was first to make.
func viewMoved(ctx context.Context, tx pgx.Tx, next ledger.View, again bool) error {
	if again {
		var there bool
		err := tx.QueryRow(ctx, `
			SELECT EXISTS (SELECT 1 FROM archive_view JOIN iceberg_tables USING (catalog_name, table_namespace, table_name)
				WHERE topic_id = $1 AND metadata_location = $2)`, [16]byte(next.TopicID), next.Location).Scan(&there)
		if there || err != nil {
			return err
		}
	}
	return ledger.ErrViewMoved
}

// Referenced returns those of the keys of files that a snapshot of some view may show: who removes replaced files must leave
// them. A view that is not kept up any more holds what it shows until it is dropped.
func (v *Views) Referenced(ctx context.Context, keys []string) (map[string]bool, error) {
	rows, err := v.c.pool.Query(ctx, `
		SELECT f.key FROM archive_file f JOIN archive_view v USING (topic_id)
		WHERE f.key = ANY ($1) AND (f.removed IS NULL OR f.removed > v.since)`, keys)
	found, err := collect(rows, err, func(row pgx.Row) (key string, err error) {
		err = row.Scan(&key)
		return key, err
	})
	if err != nil {
		return nil, fmt.Errorf("files that views show: %w", err)
	}
	out := make(map[string]bool, len(found))
	for _, key := range found {
		out[key] = true
	}
	return out, nil
}
