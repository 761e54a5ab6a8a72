//go:build cgo

package duckengine_test

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/signalbox-ml/signalbox/consumers/generate"
	"github.com/signalbox-ml/signalbox/consumers/generate/compile"
	"github.com/signalbox-ml/signalbox/consumers/generate/duckengine"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// record is a row of the archive. Zero times of Time and Recorded are null, and so is empty Data.
type record struct {
	Partition      int32
	Offset         int64
	Append         time.Time
	ID, Source     string
	Type, Subject  string
	Time, Recorded time.Time
	Data           string
}

// archive writes records as one Parquet file with the archive's columns and returns its path.
func archive(t *testing.T, records ...record) string {
	t.Helper()
	connector, err := duckdb.NewConnector("", nil)
	check(t, err)
	db := sql.OpenDB(connector)
	defer db.Close()
	conn, err := connector.Connect(t.Context())
	check(t, err)
	defer conn.Close()
	path := filepath.Join(t.TempDir(), "in.parquet")
	run(t, conn, `CREATE TABLE records (kafka_partition INTEGER, kafka_offset BIGINT, kafka_ts TIMESTAMP, kafka_key BLOB,
		ce_id VARCHAR, ce_source VARCHAR, ce_type VARCHAR, ce_subject VARCHAR, ce_time TIMESTAMP, ce_recordedtime TIMESTAMP,
		ce_dataschema VARCHAR, ce_datacontenttype VARCHAR, traceparent VARCHAR, ce_ext VARCHAR, data VARCHAR, data_bytes BLOB)`)
	app, err := duckdb.NewAppenderFromConn(conn, "", "records")
	check(t, err)
	for _, r := range records {
		check(t, app.AppendRow(r.Partition, r.Offset, r.Append, nil, r.ID, r.Source, r.Type, r.Subject, null(r.Time), null(r.Recorded),
			nil, "application/json", nil, nil, text(r.Data), nil))
	}
	check(t, app.Close())
	run(t, conn, fmt.Sprintf("COPY records TO '%s' (FORMAT parquet, COMPRESSION zstd)", path))
	return path
}

// build compiles and runs a spec, and returns the rows as text, one "a|b|c" each, after the header.
func build(t *testing.T, d spec.Dataset, in compile.Inputs, w compile.Window) ([]string, generate.Result) {
	t.Helper()
	r := request(t, d, in, w)
	res, err := duckengine.Engine{}.Build(t.Context(), r)
	check(t, err)
	return read(t, filepath.Join(r.Dir, res.Parts[0].Name)), res
}

func request(t *testing.T, d spec.Dataset, in compile.Inputs, w compile.Window) generate.Request {
	t.Helper()
	p, err := compile.Compile(d, in, w)
	check(t, err)
	return generate.Request{Plan: p, Dir: t.TempDir(), Temp: t.TempDir(), Memory: 512 << 20, Threads: 2}
}

// read returns a Parquet file as text in its own order, times in UTC.
func read(t *testing.T, path string) []string {
	t.Helper()
	return query(t, "SELECT * FROM read_parquet('"+path+"')")
}

// query returns the rows of a statement as text.
func query(t *testing.T, statement string) []string {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	check(t, err)
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), statement)
	check(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	check(t, err)
	var out []string
	for rows.Next() {
		values, dest := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			dest[i] = &values[i]
		}
		check(t, rows.Scan(dest...))
		out = append(out, line(values...))
	}
	check(t, rows.Err())
	return out
}

func line(values ...any) string {
	s := ""
	for i, v := range values {
		if i > 0 {
			s += "|"
		}
		switch v := v.(type) {
		case time.Time:
			s += v.UTC().Format("15:04:05.999999")
		case nil:
			s += "-"
		default:
			s += fmt.Sprint(v)
		}
	}
	return s
}

func run(t *testing.T, conn driver.Conn, query string) {
	t.Helper()
	_, err := conn.(driver.ExecerContext).ExecContext(t.Context(), query, nil)
	check(t, err)
}

func null(at time.Time) driver.Value {
	if at.IsZero() {
		return nil
	}
	return at
}

func text(s string) driver.Value {
	if s == "" {
		return nil
	}
	return s
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// at is a moment of the day on which all tests play.
func at(seconds int) time.Time {
	return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(seconds) * time.Second)
}

func days(n int) spec.Duration { return spec.Duration(time.Duration(n) * 24 * time.Hour) }
