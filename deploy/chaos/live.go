package main

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// swapped is a topic whose files were replaced by others.
type swapped struct {
	topicID    string // 32 hexadecimal digits
	topic      string
	duplicates int64 // rows that the swaps left out, as they say
	torn       int64 // swaps that do not add up
	files      []ledgerFile
}

// swaps lists the topics that have any, with the files that are live now.
func (l ledgerReader) swaps(ctx context.Context) (all []swapped, err error) {
	err = l.with(ctx, func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, `
			WITH sums AS (SELECT s.topic_id, s.duplicates, s.kind = 'compact' AND s.duplicates <>
					coalesce((SELECT sum(rows) FROM archive_file WHERE removed = s.seq), 0) -
					coalesce((SELECT sum(rows) FROM archive_file WHERE seq = s.seq), 0) AS torn FROM archive_swap s)
			SELECT topic_id::text, topic, sum(duplicates)::bigint, count(*) FILTER (WHERE torn)
			FROM sums JOIN archive_topic USING (topic_id) GROUP BY topic_id, topic`)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (s swapped, err error) {
			return s, r.Scan(&s.topicID, &s.topic, &s.duplicates, &s.torn)
		})
		if err != nil {
			return err
		}
		for i := range all {
			s := &all[i]
			rows, err := c.Query(ctx, `SELECT seq, key, digest, bytes, rows, off_start, off_end FROM archive_file
				WHERE topic_id = $1 AND removed IS NULL ORDER BY key`, s.topicID)
			if err != nil {
				return err
			}
			if s.files, err = pgx.CollectRows(rows, scanFile); err != nil {
				return err
			}
			s.topicID = strings.ReplaceAll(s.topicID, "-", "")
		}
		return nil
	})
	return all, err
}

// live compares what readers see now with the log, in topics whose files were replaced. In all others it is what their
// flushes wrote, which was compared.
func (c *checker) live(ctx context.Context) error {
	all, err := c.ledger.swaps(ctx)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.torn > 0 {
			c.found.add(breachChain, "%s: %d swaps whose rows do not add up", s.topic, s.torn)
		}
		live, log := map[logPartition][]row{}, map[logPartition][]row{}
		for _, file := range s.files {
			rows, err := c.read(ctx, file)
			if err != nil {
				return err
			}
			for _, r := range rows {
				p := logPartition{s.topicID, s.topic, r.number}
				live[p] = append(live[p], r)
			}
		}
		for p, rows := range c.kept {
			if p.topicID == s.topicID {
				log[p] = rows
			}
		}
		judgeLive(log, live, s.duplicates, &c.found)
	}
	return nil
}

// judgeLive compares all partitions of one topic. A record may be left out where an event of its id is still there, and as
// many times as the swaps say.
func judgeLive(log, live map[logPartition][]row, duplicates int64, out *findings) {
	there := map[string]bool{}
	for _, rows := range live {
		for _, r := range rows {
			there[r.id] = true
		}
	}
	var dropped int64
	for p, rows := range live {
		slices.SortStableFunc(rows, func(x, y row) int { return int(x.offset - y.offset) })
		if _, ok := log[p]; !ok {
			compare(flushRow{part: p}, nil, rows, out)
		}
	}
	for p, rows := range log {
		has := map[int64]bool{}
		for _, r := range live[p] {
			has[r.offset] = true
		}
		wanted := make([]row, 0, len(rows))
		for _, r := range rows {
			if !has[r.offset] && r.id != "" && there[r.id] {
				dropped++
				continue
			}
			wanted = append(wanted, r)
		}
		compare(flushRow{part: p}, wanted, live[p], out)
	}
	if dropped != duplicates {
		out.add(breachChain, "%d records are left out as duplicates, the swaps say %d", dropped, duplicates)
	}
}
