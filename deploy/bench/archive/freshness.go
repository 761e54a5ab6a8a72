package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/figures"
	"github.com/signalbox-ml/signalbox/deploy/bench/internal/rig"
)

const (
	rotation = 10 * time.Second // the archive's max_age
	watched  = 90 * time.Second
	trickle  = 20 * time.Millisecond // between records of the busy topic
)

// freshness is A7: how far the ledger is behind a topic in which something happens, and one in which nothing does.
func (b *bench) freshness(ctx context.Context) (err error) {
	busy, idle := rig.Shop{Topic: "events.trickle", Records: 100, Partitions: 4, Types: 2}, rig.Shop{Topic: "events.idle", Records: 100, Partitions: 4, Types: 2}
	for _, s := range []rig.Shop{busy, idle} {
		if err := b.fill(ctx, s); err != nil {
			return err
		}
	}
	database, err := b.servers.NewDatabase(ctx, "fresh")
	if err != nil {
		return err
	}
	if err := b.servers.NewBucket(ctx, "fresh"); err != nil {
		return err
	}
	p, err := rig.Serve(ctx, rig.Serving{
		Program: b.program, Dir: filepath.Join(b.dir, "a7"), Roles: []string{"archive"}, Servers: b.servers, Bucket: "fresh", Database: database,
		Settings: fmt.Sprintf("archive: {max_age: %s}\n", rotation),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop(time.Minute)) }()
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	lags, err := b.watch(ctx, conn, busy.Topic)
	if err != nil {
		return err
	}
	records, err := recordLags(ctx, conn, busy.Topic)
	if err != nil {
		return err
	}
	limit := (rotation + 5*time.Second).Seconds()
	row := func(what string, seconds []float64) {
		p99 := figures.Quantile(seconds, 0.99)
		b.report.Add(figures.Row{Goal: "A7", What: what, Numerator: fmt.Sprintf("%.1f s p50, %.1f s p99", figures.Quantile(seconds, 0.5), p99),
			Denominator: fmt.Sprintf("%s rotation", rotation), Ratio: p99 / rotation.Seconds(), Limit: fmt.Sprintf("<= %.0f s", limit), Met: p99 <= limit})
	}
	row("a file's oldest record, from Kafka to the ledger", records)
	row("watermark behind the clock, topic with records", lags[busy.Topic])
	row("watermark behind the clock, idle topic", lags[idle.Topic])
	return nil
}

// watch produces a trickle into a topic and samples how far every watermark is behind.
func (b *bench) watch(ctx context.Context, conn *pgx.Conn, topic string) (map[string][]float64, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.servers.Kafka.Addr()), kgo.DefaultProduceTopic(topic))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	lags := map[string][]float64{}
	begin := time.Now()
	tick := time.NewTicker(trickle)
	defer tick.Stop()
	i := 0
	for _, r := range (rig.Shop{Records: int(watched / trickle), Types: 2}).Events() {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
		cl.Produce(ctx, r, nil)
		if i++; i%25 != 0 || time.Since(begin) < 2*rotation { // it has to catch up first
			continue
		}
		if err := sample(ctx, conn, lags); err != nil {
			return nil, err
		}
	}
	return lags, cl.Flush(ctx)
}

func sample(ctx context.Context, conn *pgx.Conn, lags map[string][]float64) error {
	rows, err := conn.Query(ctx, `SELECT t.topic, p.archived_through FROM archive_partition p JOIN archive_topic t USING (topic_id)`)
	if err != nil {
		return err
	}
	var topic string
	var through time.Time
	_, err = pgx.ForEachRow(rows, []any{&topic, &through}, func() error {
		lags[topic] = append(lags[topic], time.Since(through).Seconds())
		return nil
	})
	return err
}

// recordLags is, for each flush but the first ones, which caught up, how old its oldest record was when it was committed.
func recordLags(ctx context.Context, conn *pgx.Conn, topic string) ([]float64, error) {
	rows, err := conn.Query(ctx, `
		SELECT extract(epoch FROM p.committed - min(f.min_append))::float8
		FROM archive_flush p JOIN archive_file f USING (seq) JOIN archive_topic t ON t.topic_id = p.topic_id
		WHERE t.topic = $1 AND p.off_start > 0 GROUP BY p.seq`, topic)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[float64])
}
