package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/figures"
	"github.com/signalbox-ml/signalbox/deploy/bench/internal/rig"
)

// floorRows is how many rows a file of the floor has: as many as fit the archive's 64 MiB of records in memory.
const floorRows = 90_000

// cost is A1: the processor time of `serve archive` for each record against reading and encoding alone.
func (b *bench) cost(ctx context.Context) error {
	s := b.shop()
	if err := b.fill(ctx, s); err != nil {
		return err
	}
	all := figures.Series{}
	for round := range b.rounds {
		for _, f := range []struct{ name, rows string }{{"read", "0"}, {"floor", fmt.Sprint(floorRows)}} {
			took, err := b.in(ctx, "part:floor", b.servers.Kafka.Addr(), s.Topic, fmt.Sprint(s.Records), f.rows)
			if err != nil {
				return err
			}
			all.Add(f.name, took.CPU)
			all.Add(f.name+" peak", float64(took.Peak))
			all.Add(f.name+" bytes", float64(took.Out))
		}
		run, err := b.archived(ctx, fmt.Sprintf("a1-%d", round), s, "archive: {max_age: 5s}\n")
		if err != nil {
			return err
		}
		all.Add("serve", run.cpu.Seconds())
		all.Add("start", run.idle.Seconds())
		all.Add("serve peak", float64(run.peak))
		all.Add("serve bytes", float64(run.bytes))
		all.Add("files", float64(run.files))
		all.Add("wall", run.wall.Seconds())
	}
	m := all.Medians()
	per := func(name string) string { return fmt.Sprintf("%.2f us a record", m[name]/float64(s.Records)*1e6) }
	ratio := m["serve"] / m["floor"]
	b.report.Add(
		figures.Row{Goal: "A1", What: fmt.Sprintf("`serve archive`, %d records of %d types in %d partitions, start included", s.Records, s.Types, s.Partitions),
			Numerator: per("serve"), Denominator: per("floor") + ": franz-go and parquet-go into nothing", Ratio: ratio, Limit: "<= 1.25", Met: ratio <= 1.25},
		figures.Row{Goal: "A1", What: "without the start", Numerator: fmt.Sprintf("%.2f us a record", (m["serve"]-m["start"])/float64(s.Records)*1e6),
			Denominator: per("floor"), Ratio: (m["serve"] - m["start"]) / m["floor"]},
		figures.Row{Goal: "A1", What: "reading alone", Numerator: per("read"), Denominator: per("floor"), Ratio: m["read"] / m["floor"]},
		figures.Row{Goal: "A1", What: "most memory", Numerator: figures.Mebibytes(m["serve peak"]), Denominator: figures.Mebibytes(m["floor peak"]), Ratio: m["serve peak"] / m["floor peak"]},
		figures.Row{Goal: "A1", What: fmt.Sprintf("written, in %.0f files", m["files"]), Numerator: figures.Mebibytes(m["serve bytes"]), Denominator: figures.Mebibytes(m["floor bytes"]), Ratio: m["serve bytes"] / m["floor bytes"]},
		figures.Row{Goal: "A1", What: "from ready to the last record in the ledger", Numerator: fmt.Sprintf("%.1f s", m["wall"])},
	)
	return nil
}

// archiving is one run of `serve archive` over a topic.
type archiving struct {
	cpu, idle, wall time.Duration // idle: what it had taken when it was ready
	peak, bytes     int64
	files           int64
}

// archived serves the role archive in a fresh database and bucket until all of a topic is in the ledger.
func (b *bench) archived(ctx context.Context, name string, s rig.Shop, settings string) (out archiving, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	database, err := b.servers.NewDatabase(ctx, name)
	if err != nil {
		return out, err
	}
	if err := b.servers.NewBucket(ctx, name); err != nil {
		return out, err
	}
	p, err := rig.Serve(ctx, rig.Serving{
		Program: b.program, Dir: filepath.Join(b.dir, name), Roles: []string{"archive"}, Servers: b.servers, Bucket: name, Database: database, Settings: settings,
	})
	if err != nil {
		return out, err
	}
	begin := time.Now()
	out.idle = figures.CPU(p.PID())
	if err := b.until(ctx, database, s); err != nil {
		return out, fmt.Errorf("%w (%v)", err, p.Stop(time.Minute))
	}
	out.wall, out.cpu, out.peak = time.Since(begin), figures.CPU(p.PID()), figures.Peak(p.PID())
	if out.files, out.bytes, err = b.files(ctx, database, s); err != nil {
		return out, err
	}
	return out, p.Stop(time.Minute)
}

// until waits until the ledger has all records of a topic.
func (b *bench) until(ctx context.Context, database string, s rig.Shop) error {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for have := int64(0); have < int64(s.Records); {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d records archived: %w", have, s.Records, context.Cause(ctx))
		case <-tick.C:
		}
		if err := conn.QueryRow(ctx, `SELECT coalesce(sum(f.records), 0)::bigint FROM archive_flush f JOIN archive_topic t USING (topic_id) WHERE t.topic = $1`,
			s.Topic).Scan(&have); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) files(ctx context.Context, database string, s rig.Shop) (n, bytes int64, err error) {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = conn.QueryRow(ctx, `SELECT count(*), coalesce(sum(f.bytes), 0)::bigint FROM archive_file f JOIN archive_topic t USING (topic_id) WHERE t.topic = $1`,
		s.Topic).Scan(&n, &bytes)
	return n, bytes, err
}

// share is A3: what the store and the ledger take of an archiver's processor time.
func (b *bench) share(ctx context.Context) error {
	s := b.shop()
	if err := b.fill(ctx, s); err != nil {
		return err
	}
	all := figures.Series{}
	for round := range b.rounds {
		name := fmt.Sprintf("a3-%d", round)
		database, err := b.servers.NewDatabase(ctx, name)
		if err != nil {
			return err
		}
		if err := b.servers.NewBucket(ctx, name); err != nil {
			return err
		}
		bare := job{Broker: b.servers.Kafka.Addr(), Topic: s.Topic, Records: int64(s.Records), Group: name + "-bare"}
		whole := bare
		whole.Group, whole.Database, whole.Bucket = name, database, b.servers.Bucket(name)
		for what, j := range map[string]job{"bare": bare, "whole": whole} {
			took, err := b.archiver(ctx, j, what)
			if err != nil {
				return err
			}
			all.Add(what, took.CPU)
			if what == "whole" {
				commits := make([]float64, len(took.Commits))
				for i, ns := range took.Commits {
					commits[i] = figures.Millis(time.Duration(ns))
				}
				all.Add("commit p50", figures.Quantile(commits, 0.5))
				all.Add("commit p99", figures.Quantile(commits, 0.99))
				all.Add("commits", float64(len(commits)))
			}
		}
	}
	m := all.Medians()
	ratio := 1 - m["bare"]/m["whole"]
	b.report.Add(
		figures.Row{Goal: "A3", What: "store and ledger, of an archiver's processor time", Numerator: fmt.Sprintf("%.2f s", m["whole"]-m["bare"]),
			Denominator: fmt.Sprintf("%.2f s", m["whole"]), Ratio: ratio, Limit: "<= 0.08", Met: ratio <= 0.08},
		figures.Row{Goal: "A3", What: fmt.Sprintf("a commit of %.0f, one transaction each", m["commits"]), Numerator: fmt.Sprintf("%.1f ms p50, %.1f ms p99", m["commit p50"], m["commit p99"])},
	)
	return nil
}

func (b *bench) archiver(ctx context.Context, j job, what string) (spent, error) {
	if b.profile != "" {
		if err := os.MkdirAll(b.profile, 0o755); err != nil {
			return spent{}, err
		}
		j.Profile = filepath.Join(b.profile, what+".pprof")
	}
	arg, err := json.Marshal(j)
	if err != nil {
		return spent{}, err
	}
	return b.in(ctx, "part:archiver", string(arg))
}
