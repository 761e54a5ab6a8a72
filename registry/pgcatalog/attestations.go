package pgcatalog

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// Attest implements registry.Attestations.
func (c *Catalog) Attest(ctx context.Context, a registry.Attestation, evs ...events.Event) (bool, error) {
	created, err := c.insertOnce(ctx, evs, `
		INSERT INTO attestation (subject, type, id, body, created) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		digest(a.Subject), a.Type, digest(a.ID), a.Body, a.Created)
	if err != nil {
		return false, fmt.Errorf("attest %s of %s: %w", a.Type, a.Subject, err)
	}
	return created, nil
}

// insertOnce runs an INSERT that does nothing where the row stands already, and writes the events only where it did.
func (c *Catalog) insertOnce(ctx context.Context, evs []events.Event, sql string, args ...any) (created bool, err error) {
	err = c.write(ctx, func(tx pgx.Tx, again bool) error {
		tag, err := tx.Exec(ctx, sql, args...)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			created = again
			return nil
		}
		created = true
		return enqueue(ctx, tx, evs)
	})
	return created, err
}

// ListAttestations implements registry.Attestations.
func (c *Catalog) ListAttestations(ctx context.Context, subject cas.Digest) ([]registry.Attestation, error) {
	rows, err := c.pool.Query(ctx, `
		SELECT subject, type, id, body, created FROM attestation WHERE subject = $1 ORDER BY seq`, digest(subject))
	out, err := collect(rows, err, scanAttestation)
	if err != nil {
		return nil, fmt.Errorf("attestations of %s: %w", subject, err)
	}
	return out, nil
}

func scanAttestation(row pgx.Row) (registry.Attestation, error) {
	var a registry.Attestation
	err := row.Scan((*digest)(&a.Subject), &a.Type, (*digest)(&a.ID), &a.Body, &a.Created)
	a.Created = a.Created.UTC()
	return a, err
}
