package pgcatalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// Swap implements ledger.Ledger.
func (l *Ledger) Swap(ctx context.Context, s ledger.Swap) (ledger.Swap, error) {
	if err := s.Validate(); err != nil {
		return ledger.Swap{}, fmt.Errorf("swap %d of %s: %w", s.N, s.Topic, err)
	}
	if s.Committed.IsZero() {
		s.Committed = time.Now().UTC()
	}
	s.Committed = s.Committed.Truncate(time.Microsecond)
	var out ledger.Swap
	err := l.c.write(ctx, func(tx pgx.Tx, _ bool) error {
		out = s
		// From here on all other flushes and swaps wait: what is read now stays true.
		if err := tx.QueryRow(ctx, `SELECT seq + 1 FROM archive_head FOR UPDATE`).Scan(&out.Seq); err != nil {
			return err
		}
		var next int64
		if err := tx.QueryRow(ctx, `SELECT coalesce(max(n), 0) + 1 FROM archive_swap WHERE topic_id = $1`, [16]byte(s.TopicID)).Scan(&next); err != nil {
			return err
		}
		switch {
		case s.N < next:
			var err error
			out, err = swapped(ctx, tx, s)
			return err
		case s.N > next:
			return fmt.Errorf("the next one is %d: %w", next, ledger.ErrSwapped)
		}
		return insertSwap(ctx, tx, out)
	})
	if err != nil {
		return ledger.Swap{}, fmt.Errorf("swap %d of %s: %w", s.N, s.Topic, err)
	}
	return out, nil
}

// swapped finds s where it was committed before, by the run of a transaction whose COMMIT got no answer or by an earlier
// call. Anything else in its place is somebody else's.
func swapped(ctx context.Context, tx pgx.Tx, s ledger.Swap) (ledger.Swap, error) {
	found, err := swaps(ctx, tx, `WHERE s.topic_id = $1 AND s.n = $2`, [16]byte(s.TopicID), s.N)
	if err != nil {
		return ledger.Swap{}, err
	}
	if !slices.Equal(found[0].Remove, s.Remove) || !slices.EqualFunc(found[0].Add, s.Add, sameFile) {
		return ledger.Swap{}, ledger.ErrSwapped
	}
	return found[0], nil
}

func sameFile(a, b ledger.File) bool { return a.Key == b.Key && a.Digest == b.Digest }

func insertSwap(ctx context.Context, tx pgx.Tx, s ledger.Swap) error {
	if _, err := tx.Exec(ctx, `UPDATE archive_head SET seq = $1`, s.Seq); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO archive_swap (seq, topic_id, n, kind, duplicates, manifest, previous, committed)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		s.Seq, [16]byte(s.TopicID), s.N, s.Kind, s.Duplicates, s.Manifest, digest(s.Previous), s.Committed); err != nil {
		return err
	}
	if err := replace(ctx, tx, s); err != nil {
		return err
	}
	b := &pgx.Batch{}
	for _, f := range s.Add {
		p := ledger.Partition{TopicID: s.TopicID, Partition: f.Of()}
		queueFile(b, ledger.LedgerFile{File: f, Partition: p, Seq: s.Seq})
	}
	return tx.SendBatch(ctx, b).Close()
}

// replace marks the files that s removes; each must be as s expects it.
func replace(ctx context.Context, tx pgx.Tx, s ledger.Swap) error {
	mark := `UPDATE archive_file f SET removed = $1 FROM want WHERE f.removed IS NULL`
	if s.Kind == ledger.SwapPurge {
		mark = `UPDATE archive_file f SET purged = $1 FROM want WHERE f.removed IS NOT NULL AND f.purged IS NULL`
	}
	keys, digests, rows := make([]string, len(s.Remove)), make([]string, len(s.Remove)), make([]int64, len(s.Remove))
	for i, r := range s.Remove {
		keys[i], digests[i], rows[i] = r.Key, r.Digest.String(), r.Rows
	}
	tag, err := tx.Exec(ctx, `WITH want AS (SELECT * FROM unnest($3::text[], $4::text[], $5::bigint[]) AS w (key, digest, rows)) `+mark+`
		AND f.topic_id = $2 AND f.key = want.key AND f.digest = want.digest AND f.rows = want.rows`,
		s.Seq, [16]byte(s.TopicID), keys, digests, rows)
	if err != nil {
		return err
	}
	if tag.RowsAffected() != int64(len(s.Remove)) {
		return fmt.Errorf("%d of %d files are as expected: %w", tag.RowsAffected(), len(s.Remove), ledger.ErrSwapped)
	}
	return nil
}

// Swaps implements ledger.Ledger.
func (l *Ledger) Swaps(ctx context.Context, topicID uuid.UUID, from int64, limit int) ([]ledger.Swap, error) {
	out, err := swaps(ctx, l.c.pool, `WHERE s.topic_id = $1 AND s.n >= $2 ORDER BY s.n LIMIT $3`,
		[16]byte(topicID), from, cmp.Or(limit, defaultLimit))
	if err != nil {
		return nil, fmt.Errorf("swaps of topic %s: %w", topicID, err)
	}
	return out, nil
}

// swaps reads swaps s and what they removed and added.
func swaps(ctx context.Context, q querier, where string, args ...any) ([]ledger.Swap, error) {
	rows, err := q.Query(ctx, `
		SELECT s.seq, s.topic_id, t.topic, s.n, s.kind, s.duplicates, s.manifest, s.previous, s.committed
		FROM archive_swap s JOIN archive_topic t USING (topic_id) `+where, args...)
	out, err := collect(rows, err, scanSwap)
	if err != nil {
		return nil, err
	}
	seqs, place := make([]int64, len(out)), make(map[int64]*ledger.Swap, len(out))
	for i := range out {
		seqs[i], place[out[i].Seq] = out[i].Seq, &out[i]
	}
	added, err := filesOf(ctx, q, seqs)
	if err != nil {
		return nil, err
	}
	for _, f := range added {
		place[f.Seq].Add = append(place[f.Seq].Add, f.File)
	}
	type gone struct {
		by int64
		ledger.FileRef
	}
	rows, err = q.Query(ctx, `
		SELECT s.by, f.key, f.digest, f.rows FROM archive_file f,
			LATERAL (VALUES (f.removed), (f.purged)) AS s (by) WHERE s.by = ANY ($1) AND (f.removed = ANY ($1) OR f.purged = ANY ($1))
		ORDER BY f.key`, seqs)
	removed, err := collect(rows, err, func(row pgx.Row) (g gone, err error) {
		err = row.Scan(&g.by, &g.Key, (*digest)(&g.Digest), &g.Rows)
		return g, err
	})
	for _, g := range removed {
		place[g.by].Remove = append(place[g.by].Remove, g.FileRef)
	}
	return out, err
}

func scanSwap(row pgx.Row) (ledger.Swap, error) {
	var s ledger.Swap
	err := row.Scan(&s.Seq, (*[16]byte)(&s.TopicID), &s.Topic, &s.N, &s.Kind, &s.Duplicates, &s.Manifest, (*digest)(&s.Previous), &s.Committed)
	s.Committed = s.Committed.UTC()
	return s, err
}
