package pgcatalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
)

const tagColumns = `model, name, generation, arms, previous, actor, reason, evidence, at`

// MoveTag implements registry.Tags. With registry.ErrTagMoved it returns the state that the tag is in.
func (c *Catalog) MoveTag(ctx context.Context, m registry.TagMove, evs ...events.Event) (registry.TagState, error) {
	// A move without a name still has to be recognised when the answer to its COMMIT is lost.
	m.Op = cmp.Or(m.Op, uuid.NewString())
	var out registry.TagState
	err := c.write(ctx, func(tx pgx.Tx, _ bool) error {
		var err error
		out, err = move(ctx, tx, m)
		if errors.Is(err, pgx.ErrNoRows) {
			out, err = refuseTag(ctx, tx, m)
			return err
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			INSERT INTO tag_history (op, `+tagColumns+`) SELECT op, `+tagColumns+` FROM tag WHERE model = $1 AND name = $2`,
			m.Tag.Model, m.Tag.Name); err != nil {
			return err
		}
		return enqueue(ctx, tx, evs)
	})
	if err != nil {
		return out, fmt.Errorf("move tag %s: %w", m.Tag, err)
	}
	return out, nil
}

// move is the compare-and-swap. It leaves a move that was made before alone; one that is being made at this moment is
// stopped by the history's unique key, and then repeated.
func move(ctx context.Context, tx pgx.Tx, m registry.TagMove) (registry.TagState, error) {
	const once = `NOT EXISTS (SELECT 1 FROM tag_history h WHERE h.model = $1 AND h.name = $2 AND h.op = $7)`
	if m.Expect == 0 {
		return scanTag(tx.QueryRow(ctx, `
			INSERT INTO tag (model, name, generation, arms, previous, actor, reason, evidence, op, at)
			SELECT $1, $2, 1, $3, '[]', $4, $5, $6, $7, $8 WHERE `+once+`
			ON CONFLICT DO NOTHING
			RETURNING `+tagColumns,
			m.Tag.Model, m.Tag.Name, arms(m.Arms), m.Actor, m.Reason, digest(m.Evidence), m.Op, m.At))
	}
	return scanTag(tx.QueryRow(ctx, `
		UPDATE tag SET generation = generation + 1, arms = $3, previous = arms, actor = $4, reason = $5, evidence = $6, op = $7, at = $8
		WHERE model = $1 AND name = $2 AND generation = $9 AND `+once+`
		RETURNING `+tagColumns,
		m.Tag.Model, m.Tag.Name, arms(m.Arms), m.Actor, m.Reason, digest(m.Evidence), m.Op, m.At, m.Expect))
}

// refuseTag says why no row was written: because the same move did so already, which is no error, or because the tag is
// elsewhere.
func refuseTag(ctx context.Context, tx pgx.Tx, m registry.TagMove) (registry.TagState, error) {
	made, err := scanTag(tx.QueryRow(ctx, `
		SELECT `+tagColumns+` FROM tag_history WHERE model = $1 AND name = $2 AND op = $3`, m.Tag.Model, m.Tag.Name, m.Op))
	if !errors.Is(err, pgx.ErrNoRows) {
		return made, err
	}
	now, err := scanTag(tx.QueryRow(ctx, selectTag, m.Tag.Model, m.Tag.Name))
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return registry.TagState{}, err
	}
	return now, fmt.Errorf("%w: it is at generation %d, expected %d", registry.ErrTagMoved, now.Generation, m.Expect)
}

const selectTag = `SELECT ` + tagColumns + ` FROM tag WHERE model = $1 AND name = $2`

// Tag implements registry.Tags.
func (c *Catalog) Tag(ctx context.Context, t registry.Tag) (registry.TagState, error) {
	out, err := scanTag(c.pool.QueryRow(ctx, selectTag, t.Model, t.Name))
	if err != nil {
		return registry.TagState{}, fmt.Errorf("tag %s: %w", t, missing(err))
	}
	return out, nil
}

// ListTags implements registry.Tags.
func (c *Catalog) ListTags(ctx context.Context) ([]registry.TagState, error) {
	rows, err := c.pool.Query(ctx, `SELECT `+tagColumns+` FROM tag ORDER BY model, name`)
	out, err := collect(rows, err, scanTag)
	if err != nil {
		return nil, fmt.Errorf("list tags: %w", err)
	}
	return out, nil
}

// TagHistory implements registry.Tags.
func (c *Catalog) TagHistory(ctx context.Context, t registry.Tag) ([]registry.TagState, error) {
	rows, err := c.pool.Query(ctx, `
		SELECT `+tagColumns+` FROM tag_history WHERE model = $1 AND name = $2 ORDER BY generation`, t.Model, t.Name)
	out, err := collect(rows, err, scanTag)
	if err == nil && len(out) == 0 {
		err = registry.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("history of tag %s: %w", t, err)
	}
	return out, nil
}

func scanTag(row pgx.Row) (registry.TagState, error) {
	var s registry.TagState
	err := row.Scan(&s.Tag.Model, &s.Tag.Name, &s.Generation, &s.Arms, &s.Previous, &s.Actor, &s.Reason, (*digest)(&s.Evidence), &s.At)
	s.At = s.At.UTC()
	if len(s.Previous) == 0 {
		s.Previous = nil
	}
	return s, err
}

// arms makes an empty list of none, for a column that is never null.
func arms(as []registry.Arm) []registry.Arm {
	if as == nil {
		return []registry.Arm{}
	}
	return as
}
