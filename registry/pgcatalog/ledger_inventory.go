package pgcatalog

import (
	"cmp"
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// Inventory implements ledger.Ledger.
func (l *Ledger) Inventory(ctx context.Context, after string, limit int) ([]ledger.FileState, error) {
	rows, err := l.c.pool.Query(ctx, `
		SELECT f.topic_id, t.topic, f.partition, f.seq, f.key, f.digest, f.bytes, f.rows, f.type, f.hour, f.off_start, f.off_end, f.spans,
			f.min_time, f.max_time, f.min_append, f.max_append, coalesce(f.removed, 0), coalesce(f.purged, 0)
		FROM archive_file f JOIN archive_topic t USING (topic_id) WHERE f.key > $1 ORDER BY f.key LIMIT $2`,
		after, cmp.Or(limit, defaultLimit))
	out, err := collect(rows, err, func(row pgx.Row) (f ledger.FileState, err error) {
		err = row.Scan((*[16]byte)(&f.TopicID), &f.Topic, &f.Partition.Partition, &f.Seq, &f.Key, (*digest)(&f.Digest), &f.Bytes, &f.Rows,
			&f.Type, &f.Hour, &f.Start, &f.End, &f.Spans, &f.MinTime, &f.MaxTime, &f.MinSeen, &f.MaxSeen, &f.Removed, &f.Purged)
		f.File = inUTC(f.File)
		return f, err
	})
	if err != nil {
		return nil, fmt.Errorf("files behind %q: %w", after, err)
	}
	return out, nil
}
