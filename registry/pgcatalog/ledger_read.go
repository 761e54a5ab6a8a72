package pgcatalog

import (
	"cmp"
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

const selectPartitions = `
	SELECT p.topic_id, t.topic, p.partition, p.next_offset, p.epoch, p.owner, p.archived_through, p.event_time, p.caught_up, p.updated
	FROM archive_partition p JOIN archive_topic t USING (topic_id) `

// Partitions implements ledger.Ledger.
func (l *Ledger) Partitions(ctx context.Context, topic string) ([]ledger.PartitionState, error) {
	rows, err := l.c.pool.Query(ctx, selectPartitions+`
		WHERE ($1 = '' OR t.topic = $1) AND t.n = (SELECT max(n) FROM archive_topic now WHERE now.topic = t.topic)
		ORDER BY t.topic, p.partition`, topic)
	out, err := collect(rows, err, scanPartition)
	if err != nil {
		return nil, fmt.Errorf("partitions of %q: %w", topic, err)
	}
	return out, nil
}

// History implements ledger.Ledger.
func (l *Ledger) History(ctx context.Context) ([]ledger.PartitionState, error) {
	rows, err := l.c.pool.Query(ctx, selectPartitions+`ORDER BY p.topic_id, p.partition`)
	out, err := collect(rows, err, scanPartition)
	if err != nil {
		return nil, fmt.Errorf("partitions of the archive: %w", err)
	}
	return out, nil
}

func scanPartition(row pgx.Row) (ledger.PartitionState, error) {
	var p ledger.PartitionState
	err := row.Scan((*[16]byte)(&p.TopicID), &p.Topic, &p.Partition.Partition, &p.Next, &p.Epoch, &p.Owner, &p.ArchivedThrough,
		&p.EventTime, &p.CaughtUp, &p.Updated)
	p.ArchivedThrough, p.EventTime, p.Updated = p.ArchivedThrough.UTC(), p.EventTime.UTC(), p.Updated.UTC()
	return p, err
}

// Files implements ledger.Ledger.
func (l *Ledger) Files(ctx context.Context, q ledger.FileQuery) ([]ledger.LedgerFile, error) {
	rows, err := l.c.pool.Query(ctx, selectFiles+`
		WHERE ($3::bigint = 0 AND f.removed IS NULL OR f.seq <= $3 AND (f.removed IS NULL OR f.removed > $3))
			AND ($1 = '' OR t.topic = $1) AND ($2 = '' OR f.type = $2)
			AND ($4 OR f.max_append >= $5) AND ($6 OR f.min_append < $7)
		ORDER BY f.key`,
		q.Topic, q.Type, q.UpToSeq, q.From.IsZero(), q.From, q.To.IsZero(), q.To)
	purged := ""
	out, err := collect(rows, err, func(row pgx.Row) (ledger.LedgerFile, error) {
		f, gone, err := scanFile(row)
		if gone {
			purged = f.Key
		}
		return f, err
	})
	if err == nil && purged != "" {
		err = fmt.Errorf("%s at step %d: %w", purged, q.UpToSeq, ledger.ErrPurged)
	}
	if err != nil {
		return nil, fmt.Errorf("files of %q: %w", q.Topic, err)
	}
	return out, nil
}

const selectFiles = `
	SELECT f.topic_id, t.topic, f.partition, f.seq, f.key, f.digest, f.bytes, f.rows, f.type, f.hour, f.off_start, f.off_end, f.spans,
		f.min_time, f.max_time, f.min_append, f.max_append, f.purged IS NOT NULL
	FROM archive_file f JOIN archive_topic t USING (topic_id) `

// scanFile also says whether the file's object was removed.
func scanFile(row pgx.Row) (f ledger.LedgerFile, purged bool, err error) {
	err = row.Scan((*[16]byte)(&f.TopicID), &f.Topic, &f.Partition.Partition, &f.Seq, &f.Key, (*digest)(&f.Digest), &f.Bytes, &f.Rows,
		&f.Type, &f.Hour, &f.Start, &f.End, &f.Spans, &f.MinTime, &f.MaxTime, &f.MinSeen, &f.MaxSeen, &purged)
	f.File = inUTC(f.File)
	return f, purged, err
}

// Flushes implements ledger.Ledger.
func (l *Ledger) Flushes(ctx context.Context, p ledger.Partition, from int64, limit int) ([]ledger.Flush, error) {
	out, err := flushes(ctx, l.c.pool, `
		WHERE f.topic_id = $1 AND f.partition = $2 AND f.off_end > $3 ORDER BY f.off_start LIMIT $4`,
		[16]byte(p.TopicID), p.Partition, from, cmp.Or(limit, defaultLimit))
	if err != nil {
		return nil, fmt.Errorf("flushes of %s/%d: %w", p.Topic, p.Partition, err)
	}
	return out, nil
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// flushes reads flushes f, and then their files: a flush never changes, so the two are of one moment.
func flushes(ctx context.Context, q querier, where string, args ...any) ([]ledger.Flush, error) {
	rows, err := q.Query(ctx, `
		SELECT f.topic_id, t.topic, f.partition, f.epoch, f.seq, f.off_start, f.off_end, f.records, f.reason, f.manifest, f.previous,
			f.archived_through, f.event_time, f.caught_up, f.committed
		FROM archive_flush f JOIN archive_topic t USING (topic_id) `+where, args...)
	out, err := collect(rows, err, scanFlush)
	if err != nil {
		return nil, err
	}
	seqs, place := make([]int64, len(out)), make(map[int64]int, len(out))
	for i, f := range out {
		seqs[i], place[f.Seq] = f.Seq, i
	}
	files, err := filesOf(ctx, q, seqs)
	for _, f := range files {
		i := place[f.Seq]
		out[i].Files = append(out[i].Files, f.File)
	}
	return out, err
}

// filesOf returns what flushes and swaps added, by key.
func filesOf(ctx context.Context, q querier, seqs []int64) ([]ledger.LedgerFile, error) {
	rows, err := q.Query(ctx, selectFiles+`WHERE f.seq = ANY ($1) ORDER BY f.key`, seqs)
	return collect(rows, err, func(row pgx.Row) (ledger.LedgerFile, error) {
		f, _, err := scanFile(row)
		return f, err
	})
}

func scanFlush(row pgx.Row) (ledger.Flush, error) {
	var f ledger.Flush
	err := row.Scan((*[16]byte)(&f.TopicID), &f.Topic, &f.Partition.Partition, &f.Epoch, &f.Seq, &f.Start, &f.End, &f.Records, &f.Reason,
		&f.Manifest, (*digest)(&f.Previous), &f.ArchivedThrough, &f.EventTime, &f.CaughtUp, &f.Committed)
	f.Next = f.Start
	f.ArchivedThrough, f.EventTime, f.Committed = f.ArchivedThrough.UTC(), f.EventTime.UTC(), f.Committed.UTC()
	return f, err
}

func inUTC(f ledger.File) ledger.File {
	f.Hour, f.MinTime, f.MaxTime, f.MinSeen, f.MaxSeen = f.Hour.UTC(), f.MinTime.UTC(), f.MaxTime.UTC(), f.MinSeen.UTC(), f.MaxSeen.UTC()
	return f
}
