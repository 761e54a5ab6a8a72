package pgcatalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
)

const sweepColumns = `id, model, dataset, workflow, request, search, cause, state, reason, best, created, updated`

// CreateSweep implements registry.Sweeps.
func (c *Catalog) CreateSweep(ctx context.Context, s registry.Sweep, evs ...events.Event) (registry.Sweep, bool, error) {
	var out registry.Sweep
	var created bool
	op := uuid.New()
	err := c.write(ctx, func(tx pgx.Tx, again bool) error {
		var err error
		out, err = scanSweep(tx.QueryRow(ctx, `
			INSERT INTO sweep (`+sweepColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
			ON CONFLICT (id) DO NOTHING
			RETURNING `+sweepColumns,
			[16]byte(s.ID), s.Model, digest(s.Dataset), digest(s.Workflow), s.Request, s.Search, s.Cause, s.State, s.Reason,
			runRef(s.Best), s.Created))
		if errors.Is(err, pgx.ErrNoRows) {
			created = false
			if again {
				err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM sweep_transition WHERE op = $1)`, [16]byte(op)).Scan(&created)
				if err != nil {
					return err
				}
			}
			out, err = sweepByID(ctx, tx, s.ID)
			return err
		}
		if err != nil {
			return err
		}
		created = true
		if err := addSweepTransition(ctx, tx, out, op); err != nil {
			return err
		}
		return enqueue(ctx, tx, evs)
	})
	if err != nil {
		return registry.Sweep{}, false, fmt.Errorf("create sweep %s: %w", s.ID, err)
	}
	return out, created, nil
}

// ChangeSweep implements registry.Sweeps. With registry.ErrSweepMoved it returns the sweep as it stands.
func (c *Catalog) ChangeSweep(ctx context.Context, v registry.SweepChange, evs ...events.Event) (registry.Sweep, error) {
	var out registry.Sweep
	op := uuid.New()
	err := c.write(ctx, func(tx pgx.Tx, again bool) error {
		var err error
		if again {
			out, err = scanSweep(tx.QueryRow(ctx, `
				SELECT `+sweepColumns+` FROM sweep WHERE id = (SELECT sweep FROM sweep_transition WHERE op = $1)`, [16]byte(op)))
			if !errors.Is(err, pgx.ErrNoRows) {
				return err
			}
		}
		out, err = scanSweep(tx.QueryRow(ctx, `
			UPDATE sweep SET state = $2, best = $3, reason = $4, updated = $5 WHERE id = $1 AND state = 'running'
			RETURNING `+sweepColumns, [16]byte(v.ID), v.To, runRef(v.Best), v.Reason, v.At))
		if errors.Is(err, pgx.ErrNoRows) {
			if out, err = sweepByID(ctx, tx, v.ID); err != nil {
				return missing(err)
			}
			return fmt.Errorf("%w: it is %s", registry.ErrSweepMoved, out.State)
		}
		if err != nil {
			return err
		}
		if err := addSweepTransition(ctx, tx, out, op); err != nil {
			return err
		}
		return enqueue(ctx, tx, evs)
	})
	if err != nil {
		return out, fmt.Errorf("change sweep %s to %s: %w", v.ID, v.To, err)
	}
	return out, nil
}

func sweepByID(ctx context.Context, tx pgx.Tx, id registry.SweepID) (registry.Sweep, error) {
	return scanSweep(tx.QueryRow(ctx, `SELECT `+sweepColumns+` FROM sweep WHERE id = $1`, [16]byte(id)))
}

// addSweepTransition appends to the history. The row of the sweep is locked, so nobody else counts at the same time.
func addSweepTransition(ctx context.Context, tx pgx.Tx, s registry.Sweep, op uuid.UUID) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO sweep_transition (sweep, n, state, reason, at, op)
		SELECT $1, coalesce(max(n), 0) + 1, $2, $3, $4, $5 FROM sweep_transition WHERE sweep = $1`,
		[16]byte(s.ID), s.State, s.Reason, s.Updated, [16]byte(op))
	return err
}

// Sweep implements registry.Sweeps.
func (c *Catalog) Sweep(ctx context.Context, id registry.SweepID) (registry.Sweep, error) {
	var history []registry.SweepTransition
	// One statement, so that the sweep and its history are of one moment.
	out, err := scanSweep(c.pool.QueryRow(ctx, `
		SELECT `+sweepColumns+`, (
			SELECT json_agg(json_build_object('state', t.state, 'reason', t.reason, 'created_at', t.at) ORDER BY n)
			FROM sweep_transition t WHERE sweep = id
		) FROM sweep WHERE id = $1`, [16]byte(id)), &history)
	if err != nil {
		return registry.Sweep{}, fmt.Errorf("sweep %s: %w", id, missing(err))
	}
	for i := range history {
		history[i].At = history[i].At.UTC()
	}
	out.History = history
	return out, nil
}

// ListSweeps implements registry.Sweeps.
func (c *Catalog) ListSweeps(ctx context.Context, f registry.SweepFilter) ([]registry.Sweep, error) {
	states := make([]string, len(f.States))
	for i, s := range f.States {
		states[i] = string(s)
	}
	rows, err := c.pool.Query(ctx, `
		SELECT `+sweepColumns+` FROM sweep
		WHERE ($1 = '' OR model = $1) AND (cardinality($2::text[]) = 0 OR state = ANY ($2))
			AND ($3::timestamptz IS NULL OR (created, id) < ($3, $4))
		ORDER BY created DESC, id DESC LIMIT $5`,
		f.Model, states, instant(f.After.Created), [16]byte(f.After.ID), cmp.Or(f.Limit, defaultLimit))
	out, err := collect(rows, err, func(row pgx.Row) (registry.Sweep, error) { return scanSweep(row) })
	if err != nil {
		return nil, fmt.Errorf("list sweeps: %w", err)
	}
	return out, nil
}

// sweepRef is a reference to a sweep that may be none.
func sweepRef(id registry.SweepID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: !id.IsZero()} }

// scanSweep reads sweepColumns, and more that follow them into more.
func scanSweep(row pgx.Row, more ...any) (registry.Sweep, error) {
	var s registry.Sweep
	var best pgtype.UUID
	err := row.Scan(append([]any{(*[16]byte)(&s.ID), &s.Model, (*digest)(&s.Dataset), (*digest)(&s.Workflow), &s.Request, &s.Search,
		&s.Cause, &s.State, &s.Reason, &best, &s.Created, &s.Updated}, more...)...)
	s.Best = best.Bytes
	s.Created, s.Updated = s.Created.UTC(), s.Updated.UTC()
	return s, err
}
