package pgcatalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

const runColumns = `id, key, model, dataset, workflow, request, cause, state, attempt, package, exception, artifacts, compute_class, executor,
	retry_of, sweep, trial, created, updated`

// CreateRun implements registry.Runs.
func (c *Catalog) CreateRun(ctx context.Context, r registry.Run, evs ...events.Event) (registry.Run, bool, error) {
	var out registry.Run
	var created bool
	err := c.write(ctx, func(tx pgx.Tx, again bool) error {
		var err error
		out, err = scanRun(tx.QueryRow(ctx, `
			INSERT INTO run (`+runColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $18)
			ON CONFLICT (key) DO NOTHING
			RETURNING `+runColumns,
			[16]byte(r.ID), digest(r.Key), r.Model, digest(r.Dataset), digest(r.Workflow), r.Request, r.Cause, r.State, r.Attempt,
			digest(r.Package), r.Exception, artifacts(r.Artifacts), r.ComputeClass, r.Executor, runRef(r.RetryOf),
			sweepRef(r.Sweep), r.Trial, r.Created))
		if errors.Is(err, pgx.ErrNoRows) {
			out, err = runByKey(ctx, tx, r.Key)
			created = again && out.ID == r.ID
			return err
		}
		if err != nil {
			return err
		}
		created = true
		if err := addTransition(ctx, tx, out, "", uuid.New()); err != nil {
			return err
		}
		return enqueue(ctx, tx, evs)
	})
	if err != nil {
		return registry.Run{}, false, fmt.Errorf("create run %s: %w", r.ID, err)
	}
	return out, created, nil
}

func runByKey(ctx context.Context, tx pgx.Tx, key cas.Digest) (registry.Run, error) {
	return scanRun(tx.QueryRow(ctx, `SELECT `+runColumns+` FROM run WHERE key = $1`, digest(key)))
}

// ChangeRun implements registry.Runs. With registry.ErrRunMoved it returns the run as it stands.
func (c *Catalog) ChangeRun(ctx context.Context, v registry.RunChange, evs ...events.Event) (registry.Run, error) {
	var out registry.Run
	op := uuid.New()
	err := c.write(ctx, func(tx pgx.Tx, again bool) error {
		var err error
		if again {
			if out, err = changedBy(ctx, tx, op); !errors.Is(err, pgx.ErrNoRows) {
				return err
			}
		}
		out, err = scanRun(tx.QueryRow(ctx, `
			UPDATE run SET state = $4, attempt = $5, updated = $6, package = coalesce($7, package),
				exception = coalesce($8, exception), artifacts = artifacts || $9,
				compute_class = coalesce(nullif($10, ''), compute_class),
				executor = CASE WHEN $11 <> '' THEN $11 WHEN attempt = $5 THEN executor ELSE '' END
			WHERE id = $1 AND state = ANY ($2) AND attempt = $3 AND ($7::text IS NULL OR package IS NULL)
				AND ($11 = '' OR executor IN ('', $11))
			RETURNING `+runColumns,
			[16]byte(v.ID), states(v.From), v.FromAttempt, v.To, v.Attempt, v.At, digest(v.Package), v.Exception,
			artifacts(v.Artifacts), v.ComputeClass, v.Executor))
		if errors.Is(err, pgx.ErrNoRows) {
			return refuseRun(ctx, tx, v.ID, &out)
		}
		if err != nil {
			return err
		}
		if err := addTransition(ctx, tx, out, v.Reason, op); err != nil {
			return err
		}
		return enqueue(ctx, tx, evs)
	})
	if err != nil {
		return out, fmt.Errorf("change run %s to %s: %w", v.ID, v.To, err)
	}
	return out, nil
}

// changedBy returns the run that the change op was made to.
func changedBy(ctx context.Context, tx pgx.Tx, op uuid.UUID) (registry.Run, error) {
	return scanRun(tx.QueryRow(ctx, `
		SELECT `+runColumns+` FROM run WHERE id = (SELECT run FROM run_transition WHERE op = $1)`, [16]byte(op)))
}

// refuseRun says why no row was updated.
func refuseRun(ctx context.Context, tx pgx.Tx, id registry.RunID, out *registry.Run) error {
	var err error
	*out, err = scanRun(tx.QueryRow(ctx, `SELECT `+runColumns+` FROM run WHERE id = $1`, [16]byte(id)))
	if err != nil {
		return missing(err)
	}
	return fmt.Errorf("%w: it is %s at attempt %d", registry.ErrRunMoved, out.State, out.Attempt)
}

// addTransition appends to the history. The row of the run is locked, so nobody else counts at the same time.
func addTransition(ctx context.Context, tx pgx.Tx, r registry.Run, reason string, op uuid.UUID) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO run_transition (run, n, state, attempt, reason, compute_class, at, op)
		SELECT $1, coalesce(max(n), 0) + 1, $2, $3, $4, $5, $6, $7 FROM run_transition WHERE run = $1`,
		[16]byte(r.ID), r.State, r.Attempt, reason, r.ComputeClass, r.Updated, [16]byte(op))
	return err
}

// Run implements registry.Runs.
func (c *Catalog) Run(ctx context.Context, id registry.RunID) (registry.Run, error) {
	var history []registry.Transition
	// One statement, so that the run and its history are of one moment.
	out, err := scanRun(c.pool.QueryRow(ctx, `
		SELECT `+runColumns+`, (
			SELECT json_agg(json_build_object('job_state', t.state, 'attempt', t.attempt, 'reason', t.reason,
				'compute_class', t.compute_class, 'created_at', t.at) ORDER BY n)
			FROM run_transition t WHERE run = id
		) FROM run WHERE id = $1`, [16]byte(id)), &history)
	if err != nil {
		return registry.Run{}, fmt.Errorf("run %s: %w", id, missing(err))
	}
	for i := range history {
		history[i].At = history[i].At.UTC()
	}
	out.History = history
	return out, nil
}

// ListRuns implements registry.Runs.
func (c *Catalog) ListRuns(ctx context.Context, f registry.RunFilter) ([]registry.Run, error) {
	order := "DESC"
	if f.Oldest {
		order = "ASC"
	}
	rows, err := c.pool.Query(ctx, `
		SELECT `+runColumns+` FROM run
		WHERE ($1 = '' OR model = $1) AND (cardinality($2::text[]) = 0 OR state = ANY ($2))
			AND ($3::text IS NULL OR dataset = $3) AND ($4::text IS NULL OR package = $4)
			AND ($5 = '' OR project = $5) AND ($6 = '' OR owner = $6) AND ($7 = '' OR trainer = $7)
			AND (cardinality($8::text[]) = 0 OR workflow_name = ANY ($8))
			AND ($9::timestamptz IS NULL OR created >= $9) AND ($10::timestamptz IS NULL OR created < $10)
			AND ($11::timestamptz IS NULL OR (created, id) < ($11, $12)) AND ($14::uuid IS NULL OR sweep = $14)
		ORDER BY created `+order+`, id `+order+` LIMIT $13`,
		f.Model, states(f.States), digest(f.Dataset), digest(f.Package), f.Project, f.Owner, f.Trainer,
		append([]string{}, f.Workflows...), instant(f.Since), instant(f.Until), instant(f.After.Created), [16]byte(f.After.ID),
		cmp.Or(f.Limit, defaultLimit), sweepRef(f.Sweep))
	out, err := collect(rows, err, func(row pgx.Row) (registry.Run, error) { return scanRun(row) })
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	return out, nil
}

// instant is a time that may be none.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// runRef is a reference to a run that may be none.
func runRef(id registry.RunID) pgtype.UUID {
	return pgtype.UUID{Bytes: id, Valid: id != registry.RunID{}}
}

// scanRun reads runColumns, and more that follow them into more.
func scanRun(row pgx.Row, more ...any) (registry.Run, error) {
	var r registry.Run
	var retryOf, sweep pgtype.UUID
	err := row.Scan(append([]any{(*[16]byte)(&r.ID), (*digest)(&r.Key), &r.Model, (*digest)(&r.Dataset), (*digest)(&r.Workflow),
		&r.Request, &r.Cause, &r.State, &r.Attempt, (*digest)(&r.Package), &r.Exception, &r.Artifacts, &r.ComputeClass, &r.Executor,
		&retryOf, &sweep, &r.Trial, &r.Created, &r.Updated},
		more...)...)
	r.RetryOf, r.Sweep = retryOf.Bytes, sweep.Bytes
	r.Created, r.Updated = r.Created.UTC(), r.Updated.UTC()
	if len(r.Artifacts) == 0 {
		r.Artifacts = nil
	}
	return r, err
}

func states(ss []registry.RunState) []string {
	out := make([]string, len(ss))
	for i, s := range ss {
		out[i] = string(s)
	}
	return out
}

// artifacts makes an empty object of no map, for a column that is never null.
func artifacts(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
