package pgcatalog

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// Ledger is a ledger.Ledger in the catalog's database.
type Ledger struct{ c *Catalog }

var _ ledger.Ledger = (*Ledger)(nil)

// Ledger returns the archive's ledger. It lives as long as the catalog.
func (c *Catalog) Ledger() *Ledger { return &Ledger{c: c} }

// Claim implements ledger.Ledger. An answer that is lost costs an epoch and nothing else.
func (l *Ledger) Claim(ctx context.Context, p ledger.Partition, owner string) (ledger.Claim, error) {
	out := ledger.Claim{Partition: p}
	err := l.c.write(ctx, func(tx pgx.Tx, _ bool) error {
		if _, err := tx.Exec(ctx, `INSERT INTO archive_topic (topic_id, topic) VALUES ($1, $2) ON CONFLICT (topic_id) DO NOTHING`,
			[16]byte(p.TopicID), p.Topic); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `
			INSERT INTO archive_partition (topic_id, partition, next_offset, epoch, owner, archived_through, event_time, caught_up, updated)
			VALUES ($1, $2, 0, 1, $3, $4, $4, false, $5)
			ON CONFLICT (topic_id, partition) DO UPDATE
				SET epoch = archive_partition.epoch + 1, owner = excluded.owner, updated = excluded.updated
			RETURNING epoch, next_offset`,
			[16]byte(p.TopicID), p.Partition, owner, time.Time{}, time.Now()).Scan(&out.Epoch, &out.Next)
	})
	if err != nil {
		return ledger.Claim{}, fmt.Errorf("claim %s/%d: %w", p.Topic, p.Partition, err)
	}
	return out, nil
}

// Commit implements ledger.Ledger.
func (l *Ledger) Commit(ctx context.Context, f ledger.Flush, seal func(seq int64) ([]events.Event, error)) (ledger.Flush, error) {
	if err := f.Validate(); err != nil {
		return ledger.Flush{}, fmt.Errorf("commit %s/%d: %w", f.Topic, f.Partition.Partition, err)
	}
	f.Next = f.Start
	if f.Committed.IsZero() {
		f.Committed = time.Now().UTC()
	}
	f.Committed = f.Committed.Truncate(time.Microsecond)
	var out ledger.Flush
	err := l.c.write(ctx, func(tx pgx.Tx, _ bool) error {
		out = f
		tag, err := tx.Exec(ctx, `
			UPDATE archive_partition SET next_offset = $4, archived_through = greatest(archived_through, $6),
				event_time = greatest(event_time, $7), caught_up = $8, updated = $9
			WHERE topic_id = $1 AND partition = $2 AND next_offset = $3 AND epoch = $5`,
			[16]byte(f.TopicID), f.Partition.Partition, f.Start, f.End, f.Epoch, f.ArchivedThrough, f.EventTime, f.CaughtUp, time.Now())
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			out, err = committed(ctx, tx, f)
			return err
		}
		return insertFlush(ctx, tx, &out, seal)
	})
	if err != nil {
		return ledger.Flush{}, fmt.Errorf("commit %s/%d [%d, %d): %w", f.Topic, f.Partition.Partition, f.Start, f.End, err)
	}
	return out, nil
}

// committed finds the flush f where it was committed before, by the run of a transaction whose COMMIT got no answer or by
// an earlier call. Anything else in its place is somebody else's.
func committed(ctx context.Context, tx pgx.Tx, f ledger.Flush) (ledger.Flush, error) {
	found, err := flushes(ctx, tx, `
		WHERE f.topic_id = $1 AND f.partition = $2 AND f.off_start = $3 AND f.off_end = $4 AND f.epoch = $5`,
		[16]byte(f.TopicID), f.Partition.Partition, f.Start, f.End, f.Epoch)
	if err != nil {
		return ledger.Flush{}, err
	}
	if len(found) == 0 {
		return ledger.Flush{}, ledger.ErrFenced
	}
	return found[0], nil
}

// insertFlush gives f the next place in the total order. From here to the end of the transaction all other flushes wait.
func insertFlush(ctx context.Context, tx pgx.Tx, f *ledger.Flush, seal func(seq int64) ([]events.Event, error)) error {
	if err := tx.QueryRow(ctx, `UPDATE archive_head SET seq = seq + 1 RETURNING seq`).Scan(&f.Seq); err != nil {
		return err
	}
	var evs []events.Event
	if seal != nil {
		var err error
		if evs, err = seal(f.Seq); err != nil {
			return fmt.Errorf("seal: %w", err)
		}
	}
	b := &pgx.Batch{}
	queueFlush(b, *f)
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return err
	}
	return enqueue(ctx, tx, evs)
}

func queueFlush(b *pgx.Batch, f ledger.Flush) {
	b.Queue(`
		INSERT INTO archive_flush (seq, topic_id, partition, epoch, off_start, off_end, records, reason, manifest, previous,
			archived_through, event_time, caught_up, committed)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		f.Seq, [16]byte(f.TopicID), f.Partition.Partition, f.Epoch, f.Start, f.End, f.Records, f.Reason, f.Manifest, digest(f.Previous),
		f.ArchivedThrough, f.EventTime, f.CaughtUp, f.Committed)
	for _, file := range f.Files {
		queueFile(b, ledger.LedgerFile{File: file, Partition: f.Partition, Seq: f.Seq})
	}
}

func queueFile(b *pgx.Batch, f ledger.LedgerFile) {
	b.Queue(`
		INSERT INTO archive_file (key, seq, topic_id, partition, digest, bytes, rows, type, hour, off_start, off_end, spans,
			min_time, max_time, min_append, max_append)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
		f.Key, f.Seq, [16]byte(f.TopicID), f.Partition.Partition, digest(f.Digest), f.Bytes, f.Rows, f.Type, f.Hour, f.Start, f.End, f.Spans,
		f.MinTime, f.MaxTime, f.MinSeen, f.MaxSeen)
}

// Observe implements ledger.Ledger.
func (l *Ledger) Observe(ctx context.Context, c ledger.Claim, archivedThrough, eventTime time.Time, caughtUp bool) error {
	err := l.c.write(ctx, func(tx pgx.Tx, _ bool) error {
		tag, err := tx.Exec(ctx, `
			UPDATE archive_partition SET archived_through = greatest(archived_through, $4),
				event_time = greatest(event_time, $5), caught_up = $6, updated = $7
			WHERE topic_id = $1 AND partition = $2 AND epoch = $3`,
			[16]byte(c.TopicID), c.Partition.Partition, c.Epoch, archivedThrough, eventTime, caughtUp, time.Now())
		if err == nil && tag.RowsAffected() == 0 {
			err = ledger.ErrFenced
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("observe %s/%d: %w", c.Topic, c.Partition.Partition, err)
	}
	return nil
}
