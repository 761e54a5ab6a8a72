package pgcatalog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// restoreBatch is how many flushes go to the server at a time.
const restoreBatch = 200

// Restore implements ledger.Ledger.
func (l *Ledger) Restore(ctx context.Context, steps iter.Seq2[ledger.Step, error]) error {
	var head int64 // of an earlier run
	err := l.c.write(ctx, func(tx pgx.Tx, again bool) error {
		there, empty, err := lockEmpty(ctx, tx)
		switch {
		case err != nil:
			return err
		case !empty && again && head > 0 && there == head:
			return nil // its COMMIT was not answered
		case !empty:
			return ledger.ErrNotEmpty
		}
		r := restoring{tx: tx}
		for step, err := range steps {
			if err == nil {
				err = r.step(ctx, step)
			}
			if err != nil {
				return err
			}
		}
		head, err = r.end(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("restore ledger: %w", err)
	}
	return nil
}

// lockEmpty keeps everybody else from writing until the end of the transaction, and says whether nobody did before.
func lockEmpty(ctx context.Context, tx pgx.Tx) (head int64, empty bool, err error) {
	if _, err := tx.Exec(ctx, `
		LOCK TABLE archive_head, archive_topic, archive_partition, archive_flush, archive_file, archive_swap
		IN SHARE ROW EXCLUSIVE MODE`); err != nil {
		return 0, false, err
	}
	err = tx.QueryRow(ctx, `SELECT seq, seq = 0 AND NOT EXISTS (SELECT FROM archive_topic) FROM archive_head`).Scan(&head, &empty)
	return head, empty, err
}

// restoring collects flushes until they are worth a round trip.
type restoring struct {
	tx      pgx.Tx
	batch   pgx.Batch
	queued  []string // the manifest behind each statement of batch
	flushes int
}

func (r *restoring) step(ctx context.Context, s ledger.Step) error {
	switch {
	case s.Flush != nil:
		f := *s.Flush
		r.claim(f.Claim, f.Manifest)
		r.extend(f)
		if r.flushes++; r.flushes < restoreBatch {
			return nil
		}
		return r.send(ctx)
	case s.Swap != nil:
		if err := r.send(ctx); err != nil {
			return err
		}
		return torn(s.Swap.Manifest, insertSwap(ctx, r.tx, *s.Swap))
	case s.Claim != nil:
		r.claim(*s.Claim, s.Claim.Topic)
	}
	return nil
}

// queue adds a statement on behalf of a manifest.
func (r *restoring) queue(manifest, sql string, args ...any) {
	r.batch.Queue(sql, args...)
	r.queued = append(r.queued, manifest)
}

func (r *restoring) claim(c ledger.Claim, manifest string) {
	id := [16]byte(c.TopicID)
	r.queue(manifest, `INSERT INTO archive_topic (topic_id, topic) VALUES ($1, $2) ON CONFLICT (topic_id) DO NOTHING`, id, c.Topic)
	r.queue(manifest, `
		INSERT INTO archive_partition (topic_id, partition, next_offset, epoch, owner, archived_through, event_time, caught_up, updated)
		VALUES ($1, $2, 0, $3, 'restored', '0001-01-01 00:00:00Z', '0001-01-01 00:00:00Z', false, now())
		ON CONFLICT (topic_id, partition) DO UPDATE SET epoch = greatest(archive_partition.epoch, excluded.epoch)`,
		id, c.Partition.Partition, c.Epoch)
}

// extend does what a commit of f does.
func (r *restoring) extend(f ledger.Flush) {
	r.queue(f.Manifest, `
		UPDATE archive_partition SET next_offset = $3, archived_through = greatest(archived_through, $4),
			event_time = greatest(event_time, $5), caught_up = $6
		WHERE topic_id = $1 AND partition = $2`,
		[16]byte(f.TopicID), f.Partition.Partition, f.End, f.ArchivedThrough, f.EventTime, f.CaughtUp)
	queueFlush(&r.batch, f)
	for range len(f.Files) + 1 {
		r.queued = append(r.queued, f.Manifest)
	}
}

func (r *restoring) send(ctx context.Context) error {
	results := r.tx.SendBatch(ctx, &r.batch)
	for _, manifest := range r.queued {
		if _, err := results.Exec(); err != nil {
			_ = results.Close() // the transaction is lost anyway
			return torn(manifest, err)
		}
	}
	r.batch, r.queued, r.flushes = pgx.Batch{}, r.queued[:0], 0
	return results.Close()
}

// torn tells what the history is to blame for from what the database is.
func torn(manifest string, err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && strings.HasPrefix(pg.Code, "23") { // a constraint
		return fmt.Errorf("%s: %s (%s): %w", manifest, pg.Message, pg.Detail, ledger.ErrTorn)
	}
	if errors.Is(err, ledger.ErrSwapped) {
		return fmt.Errorf("%s removes files that were not as it says: %w: %w", manifest, ledger.ErrTorn, err)
	}
	return err
}

// end checks what no constraint does, orders the topics and sets the head.
func (r *restoring) end(ctx context.Context) (head int64, err error) {
	if err := r.send(ctx); err != nil {
		return 0, err
	}
	for what, sql := range map[string]string{
		"two steps in place %s":                `SELECT seq::text FROM archive_flush JOIN archive_swap USING (seq) ORDER BY seq LIMIT 1`,
		"%s is replaced before it was written": `SELECT key FROM archive_file WHERE removed <= seq LIMIT 1`,
	} {
		var at string
		if err := r.tx.QueryRow(ctx, sql).Scan(&at); err == nil {
			return 0, fmt.Errorf(what+": %w", at, ledger.ErrTorn)
		} else if !errors.Is(err, pgx.ErrNoRows) {
			return 0, err
		}
	}
	if err := r.orderTopics(ctx); err != nil {
		return 0, err
	}
	// Each partition and each topic's swaps may have had one more step, which was announced and not mirrored: its place
	// must not be given again.
	err = r.tx.QueryRow(ctx, `
		UPDATE archive_head SET seq = (SELECT coalesce(max(seq), 0) FROM (SELECT seq FROM archive_flush UNION ALL SELECT seq FROM archive_swap) s)
			+ (SELECT count(*) FROM archive_partition) + (SELECT count(*) FROM archive_topic)
		RETURNING seq`).Scan(&head)
	return head, err
}

// orderTopics makes the topic of a name that began last the one of now.
func (r *restoring) orderTopics(ctx context.Context) error {
	rows, err := r.tx.Query(ctx, `SELECT topic_id FROM archive_flush GROUP BY topic_id ORDER BY min(seq)`)
	ids, err := collect(rows, err, func(row pgx.Row) (id [16]byte, err error) { err = row.Scan(&id); return id, err })
	for _, id := range ids {
		if err == nil {
			_, err = r.tx.Exec(ctx, `UPDATE archive_topic SET n = DEFAULT WHERE topic_id = $1`, id)
		}
	}
	return err
}
