package main

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/rig"
)

// ready bounds the start of `signalbox serve`.
const ready = time.Minute

// signalbox is `signalbox serve archive` as it is configured for production, but for how long a record waits at most.
type signalbox struct {
	types   int
	records int
	program string
}

// about aims the kills at flushes, of which each has a file of every type: the first kill after all four partitions were
// flushed by size, where there are records enough for that.
func (a *signalbox) about() about {
	data := func(key string) bool { return strings.HasPrefix(key, "archive/") && parquetFile(key) }
	flushes := 5
	if a.records < 500_000 {
		flushes = 3
	}
	return about{
		name: "signalbox", title: "`signalbox serve archive`", guarantee: "exactly once", data: data,
		kills: [2]aim{{"a file", data, flushes * a.types}, {"a file", data, 2 * a.types}},
	}
}

func (a *signalbox) install(ctx context.Context, dir string) error {
	bin, err := rig.Programs(ctx, dir, "signalbox")
	a.program = filepath.Join(bin, "signalbox")
	return err
}

func (a *signalbox) start(ctx context.Context, r *run) (_ process, err error) {
	if r.ledger == "" {
		if r.ledger, err = r.servers.NewDatabase(ctx, r.name); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, ready)
	defer cancel()
	p, err := rig.Serve(ctx, rig.Serving{
		Program: a.program, Dir: filepath.Join(r.dir, "serve"), Roles: []string{"archive"}, Servers: r.servers, Bucket: r.name, Database: r.ledger,
		Settings: "archive: {max_age: 10s}\n",
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (a *signalbox) group(*run) string { return "signalbox.archive" }

// rows asks the ledger, which says what is archived.
func (a *signalbox) rows(ctx context.Context, r *run) (rows int64, err error) {
	err = r.query(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SELECT coalesce(sum(f.records), 0)::bigint FROM archive_flush f JOIN archive_topic t USING (topic_id) WHERE t.topic = $1`,
			r.topic.Topic).Scan(&rows)
	})
	return rows, err
}

func (a *signalbox) files(ctx context.Context, r *run) (keys []string, err error) {
	err = r.query(ctx, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `SELECT f.key FROM archive_file f JOIN archive_topic t USING (topic_id) WHERE t.topic = $1 AND f.removed IS NULL`, r.topic.Topic)
		if err != nil {
			return err
		}
		keys, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return keys, err
}

func (r *run) query(ctx context.Context, ask func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, r.ledger)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return ask(conn)
}
