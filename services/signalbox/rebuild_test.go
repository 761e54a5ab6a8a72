package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket/gateway/gatewaytest"
	"github.com/signalbox-ml/signalbox/registry/bucket/s3bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgtest"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }

// archived is an archive on real servers, as a running stack has one.
type archived struct {
	t      *testing.T
	bucket *s3bucket.Bucket
	db     *pgtest.DB
	dir    string // with the endpoints
}

func newArchived(t *testing.T) *archived {
	t.Helper()
	cfg := gatewaytest.Start(t)
	b, err := s3bucket.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := b.EnsureBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := &archived{t: t, bucket: b, db: pgtest.New(t), dir: t.TempDir()}
	e := Endpoints{Postgres: a.db.URL, Kafka: "127.0.0.1:1", S3: S3Endpoints{
		Endpoint: cfg.Endpoint, Region: "us-east-1", Bucket: cfg.Bucket, AccessKey: cfg.AccessKey, SecretKey: cfg.SecretKey,
	}}
	if err := e.write(a.dir); err != nil {
		t.Fatal(err)
	}
	for n := range int32(2) {
		a.fill(events.TopicPartition{TopicID: uuid.UUID{1}, Topic: "events.flights", Partition: n})
	}
	return a
}

// fill archives a few records in two flushes.
func (a *archived) fill(tp events.TopicPartition) {
	a.t.Helper()
	w, err := archive.New(archive.Config{Ledger: a.db.Catalog.Ledger(), Bucket: a.bucket, Owner: "test", Source: "/test", MaxRows: 2})
	if err != nil {
		a.t.Fatal(err)
	}
	if _, err := w.Assigned(a.t.Context(), tp); err != nil {
		a.t.Fatal(err)
	}
	for o := range int64(4) {
		r := events.Record{Offset: o, Value: fmt.Append(nil, o), AppendTime: time.Date(2026, 11, 1, 9, 0, int(o), 0, time.UTC)}
		if err := w.Records(a.t.Context(), tp, []events.Record{r}, o+1, 4); err != nil {
			a.t.Fatal(err)
		}
	}
	w.Revoked(a.t.Context(), tp)
}

func (a *archived) run(args ...string) result {
	a.t.Helper()
	return execute(a.t.Context(), nil, "", append(args, "--data", a.dir)...)
}

// TestArchiveRebuild: what the commands print where all is well, from the dump before to the archive that is whole on
// another database.
func TestArchiveRebuild(t *testing.T) {
	a := newArchived(t)
	dump := a.run("archive", "dump").ok(t)
	if lines := strings.Count(dump, "\n"); lines != 6 {
		t.Errorf("%d lines, want 4 flushes and 2 positions:\n%s", lines, dump)
	}
	sum := cas.Sum([]byte(dump)).String()
	same(t, a.run("archive", "dump", "--digest").ok(t), strings.Join([]string{
		"partitions   2", "flushes      4", "swaps        0", "sha256       " + sum,
	}, "\n"))

	fresh := pgtest.Blank(t)
	same(t, a.run("archive", "rebuild", "--database-url", fresh).ok(t), strings.Join([]string{
		"topics                     1", "partitions                 2", "flushes                    4", "swaps                      0",
		"files                      4", "rows                       8", "steps without a manifest   0", "dump                       " + sum,
	}, "\n"))
	if again := a.run("archive", "dump", "--database-url", fresh).ok(t); again != dump {
		t.Errorf("the dump was\n%s\nit is\n%s", dump, again)
	}
	a.run("archive", "rebuild", "--database-url", fresh).fails(t, "not empty", "--database-url")
	out := a.run("archive", "verify", "--no-kafka", "--deep", "--database-url", fresh).ok(t)
	for _, want := range []string{"partitions            2", "rows                  8", "orphans               0 objects, 0 bytes", "faults                0"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	a.run("archive", "rebuild").fails(t, "database-url")
}

// TestArchiveRebuildInPlace empties a ledger as the help says, with views of it and one of somebody else, and rebuilds it.
func TestArchiveRebuildInPlace(t *testing.T) {
	a := newArchived(t)
	dump, views := a.run("archive", "dump").ok(t), a.db.Catalog.Views()
	view := ledger.View{TopicID: uuid.UUID{1}, Catalog: "signalbox", Namespace: "archive", Name: "flights", Location: "s3://b/1.json", Since: 2}
	if err := views.MoveView(t.Context(), view, ""); err != nil {
		t.Fatal(err)
	}
	a.run("archive", "rebuild", "--database-url", a.db.URL).fails(t, "not empty", "rebuild --help")

	conn, err := pgx.Connect(t.Context(), a.db.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	const foreign = `INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name) VALUES ('signalbox', 'others', 'flights')`
	if _, err := conn.Exec(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	_, help, _ := strings.Cut(a.run("archive", "rebuild", "--help").ok(t), "\n  BEGIN;")
	sql, _, ok := strings.Cut(help, "COMMIT;")
	if !ok {
		t.Fatal("no SQL in the help")
	}
	if _, err := conn.Exec(t.Context(), "BEGIN;"+sql+"COMMIT;"); err != nil {
		t.Fatal(err)
	}
	a.run("archive", "rebuild", "--database-url", a.db.URL).ok(t)
	if again := a.run("archive", "dump").ok(t); again != dump {
		t.Errorf("the dump was\n%s\nit is\n%s", dump, again)
	}
	a.run("archive", "verify", "--no-kafka", "--deep").ok(t)

	if v, err := views.View(t.Context(), view.TopicID); err != nil || v.Location != "" {
		t.Errorf("%+v, %v, want none", v, err)
	}
	view.Location = "s3://b/2.json"
	if err := views.MoveView(t.Context(), view, ""); err != nil {
		t.Errorf("publish anew: %v", err)
	}
	tables := 0
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM iceberg_tables`).Scan(&tables); err != nil || tables != 2 {
		t.Errorf("%d tables, %v, want the view and that of others", tables, err)
	}
}

func TestArchiveVerifyCommand(t *testing.T) {
	a := newArchived(t)
	var report archive.Report
	if err := json.Unmarshal([]byte(a.run("archive", "verify", "--no-kafka", "-o", "json").ok(t)), &report); err != nil || report.Rows != 8 || report.Faults == nil {
		t.Errorf("%+v, %v", report, err)
	}
	a.run("archive", "verify", "--kafka", "--no-kafka").fails(t, "kafka")
	files, err := a.db.Catalog.Ledger().Files(t.Context(), ledger.FileQuery{})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.bucket.Delete(t.Context(), files[0].Key); err != nil {
		t.Fatal(err)
	}
	r := a.run("archive", "verify", "--no-kafka")
	r.fails(t, "the archive is not whole")
	if !strings.Contains(r.out, "FAULT") || !strings.Contains(r.out, files[0].Key+" is missing") {
		t.Error(r.out)
	}
	// The brokers of the stack are looked at unless somebody says not to; these are away.
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if r := execute(ctx, nil, "", "archive", "verify", "--data", a.dir); r.code != 1 || strings.Contains(r.err, "not whole") {
		t.Errorf("%d %s%s", r.code, r.out, r.err)
	}
}

func TestArchiveRebuildRefusesATornHistory(t *testing.T) {
	a := newArchived(t)
	first := ""
	for o, err := range a.bucket.List(t.Context(), "manifests/") {
		if err != nil {
			t.Fatal(err)
		}
		first = o.Key
		break
	}
	if err := a.bucket.Delete(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	fresh := pgtest.New(t)
	a.run("archive", "rebuild", "--database-url", fresh.URL).fails(t, "before it are missing", "nothing was written", "bring the objects back")
	if states, err := fresh.Catalog.Ledger().History(t.Context()); err != nil || len(states) > 0 {
		t.Errorf("left %+v, %v", states, err)
	}
	execute(t.Context(), nil, "", "archive", "rebuild", "--database-url", fresh.URL, "--data", t.TempDir()).fails(t, "no object store is configured")
}
