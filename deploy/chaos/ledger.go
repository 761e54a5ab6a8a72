package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// ledgerReader reads the ledger with SQL of its own, so that a fault of the product's reader hides nothing.
type ledgerReader struct{ url string }

// ledgerPartition is how far one partition is archived.
type ledgerPartition struct {
	part logPartition
	next int64
}

// ledgerFile is what the ledger says of a file.
type ledgerFile struct {
	seq        int64
	key        string
	digest     string
	bytes      int64
	rows       int64
	start, end int64
	purged     bool // a swap says that its object is removed
}

func (l ledgerReader) with(ctx context.Context, f func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, l.url)
	if err != nil {
		return fmt.Errorf("read ledger: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := f(conn); err != nil {
		return fmt.Errorf("read ledger: %w", err)
	}
	return nil
}

// partitions lists every partition, and how many events wait in the outbox.
func (l ledgerReader) partitions(ctx context.Context) (all []ledgerPartition, waiting int, err error) {
	err = l.with(ctx, func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, `SELECT p.topic_id::text, t.topic, p.partition, p.next_offset
			FROM archive_partition p JOIN archive_topic t USING (topic_id) ORDER BY t.topic, p.partition`)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (p ledgerPartition, err error) {
			err = r.Scan(&p.part.topicID, &p.part.topic, &p.part.number, &p.next)
			p.part.topicID = strings.ReplaceAll(p.part.topicID, "-", "")
			return p, err
		})
		if err != nil {
			return err
		}
		return c.QueryRow(ctx, `SELECT count(*) FROM outbox`).Scan(&waiting)
	})
	return all, waiting, err
}

// flushes lists the flushes of a partition that end after an offset, in order, with the files that they wrote.
func (l ledgerReader) flushes(ctx context.Context, p ledgerPartition, from int64) (all []flushRow, files map[int64][]ledgerFile, err error) {
	files = map[int64][]ledgerFile{}
	err = l.with(ctx, func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, `SELECT seq, off_start, off_end, records FROM archive_flush
			WHERE topic_id = $1 AND partition = $2 AND off_end > $3 ORDER BY off_start`, p.part.topicID, p.part.number, from)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (flushRow, error) {
			f := flushRow{part: p.part}
			return f, r.Scan(&f.seq, &f.start, &f.end, &f.records)
		})
		if err != nil {
			return err
		}
		seqs := make([]int64, 0, len(all))
		for _, f := range all {
			seqs = append(seqs, f.seq)
		}
		rows, err = c.Query(ctx, `SELECT seq, key, digest, bytes, rows, off_start, off_end, purged IS NOT NULL FROM archive_file
			WHERE seq = ANY($1) ORDER BY key`, seqs)
		if err != nil {
			return err
		}
		var f ledgerFile
		_, err = pgx.ForEachRow(rows, []any{&f.seq, &f.key, &f.digest, &f.bytes, &f.rows, &f.start, &f.end, &f.purged}, func() error {
			files[f.seq] = append(files[f.seq], f)
			return nil
		})
		return err
	})
	return all, files, err
}

func scanFile(r pgx.CollectableRow) (f ledgerFile, err error) {
	return f, r.Scan(&f.seq, &f.key, &f.digest, &f.bytes, &f.rows, &f.start, &f.end)
}
