package pgcatalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
)

const specColumns = `kind, name, body, digest, generation, updated`

// PutSpec implements registry.Specs.
func (c *Catalog) PutSpec(ctx context.Context, s registry.Spec, evs ...events.Event) (registry.Spec, bool, error) {
	var out registry.Spec
	var changed bool
	err := c.write(ctx, func(tx pgx.Tx, again bool) error {
		var err error
		out, err = scanSpec(tx.QueryRow(ctx, `
			INSERT INTO spec (`+specColumns+`) VALUES ($1, $2, $3, $4, 1, $5)
			ON CONFLICT (kind, name) DO UPDATE
				SET body = excluded.body, digest = excluded.digest, generation = spec.generation + 1, updated = excluded.updated
				WHERE spec.digest <> excluded.digest
			RETURNING `+specColumns,
			s.Kind, s.Name, s.Body, digest(s.Digest), s.Updated))
		if errors.Is(err, pgx.ErrNoRows) {
			changed = again
			out, err = scanSpec(tx.QueryRow(ctx, selectSpec, s.Kind, s.Name))
			return err
		}
		if err != nil {
			return err
		}
		if s.Generation != 0 && out.Generation != s.Generation {
			return fmt.Errorf("it is at generation %d: %w", out.Generation-1, registry.ErrSpecMoved)
		}
		changed = true
		if _, err := tx.Exec(ctx, `
			INSERT INTO spec_history (`+specColumns+`) `+selectSpec, s.Kind, s.Name); err != nil {
			return err
		}
		return enqueue(ctx, tx, evs)
	})
	if err != nil {
		return registry.Spec{}, false, fmt.Errorf("put %s %s: %w", s.Kind, s.Name, err)
	}
	return out, changed, nil
}

const selectSpec = `SELECT ` + specColumns + ` FROM spec WHERE kind = $1 AND name = $2`

// Spec implements registry.Specs.
func (c *Catalog) Spec(ctx context.Context, kind, name string) (registry.Spec, error) {
	out, err := scanSpec(c.pool.QueryRow(ctx, selectSpec, kind, name))
	if err != nil {
		return registry.Spec{}, fmt.Errorf("%s %s: %w", kind, name, missing(err))
	}
	return out, nil
}

// ListSpecs implements registry.Specs.
func (c *Catalog) ListSpecs(ctx context.Context, kind string) ([]registry.Spec, error) {
	rows, err := c.pool.Query(ctx, `SELECT `+specColumns+` FROM spec WHERE $1 = '' OR kind = $1 ORDER BY kind, name`, kind)
	out, err := collect(rows, err, scanSpec)
	if err != nil {
		return nil, fmt.Errorf("list specs: %w", err)
	}
	return out, nil
}

// SpecHistory implements registry.Specs.
func (c *Catalog) SpecHistory(ctx context.Context, kind, name string) ([]registry.Spec, error) {
	rows, err := c.pool.Query(ctx, `
		SELECT `+specColumns+` FROM spec_history WHERE kind = $1 AND name = $2 ORDER BY generation`, kind, name)
	out, err := collect(rows, err, scanSpec)
	if err == nil && len(out) == 0 {
		err = registry.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("history of %s %s: %w", kind, name, err)
	}
	return out, nil
}

func scanSpec(row pgx.Row) (registry.Spec, error) {
	var s registry.Spec
	err := row.Scan(&s.Kind, &s.Name, &s.Body, (*digest)(&s.Digest), &s.Generation, &s.Updated)
	s.Updated = s.Updated.UTC()
	return s, err
}
