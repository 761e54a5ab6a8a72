package pgcatalog

import (
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// defaultLimit is how many objects a list without a limit has.
const defaultLimit = 100

// digest is a cas.Digest as text; the zero digest is NULL.
type digest cas.Digest

// TextValue implements pgtype.TextValuer.
func (d digest) TextValue() (pgtype.Text, error) {
	if cas.Digest(d).IsZero() {
		return pgtype.Text{}, nil
	}
	return pgtype.Text{String: cas.Digest(d).String(), Valid: true}, nil
}

// ScanText implements pgtype.TextScanner.
func (d *digest) ScanText(v pgtype.Text) error {
	if !v.Valid {
		*d = digest{}
		return nil
	}
	parsed, err := cas.Parse(v.String)
	*d = digest(parsed)
	return err
}

func texts(ds []cas.Digest) []string {
	out := make([]string, len(ds))
	for i, d := range ds {
		out[i] = d.String()
	}
	return out
}

// missing turns the absence of a row into registry.ErrNotFound.
func missing(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return registry.ErrNotFound
	}
	return err
}

// collect reads all rows with scan.
func collect[T any](rows pgx.Rows, err error, scan func(pgx.Row) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (T, error) { return scan(row) })
}
