//go:build cgo

package duckengine_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/generate"
	"github.com/signalbox-ml/signalbox/consumers/generate/compile"
	"github.com/signalbox-ml/signalbox/consumers/generate/duckengine"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// Enough rows for several row groups and for both threads to matter, with a clock so coarse that most times tie.
func TestBytesDoNotDependOnThreadsOrMemory(t *testing.T) {
	var records []record
	for i := range 140_000 {
		second := i / 700
		records = append(records, record{Partition: int32(i % 4), Offset: int64(i / 4), ID: fmt.Sprint("d", i), Source: "/t", Type: "departed",
			Time: at(second), Append: at(second), Data: fmt.Sprintf(`{"origin":"o%d","id":"%d"}`, i%50, i)})
		records = append(records, record{Partition: int32(i % 4), Offset: int64(i / 4), ID: fmt.Sprint("a", i), Source: "/t", Type: "arrived",
			Time: at(second + 60), Append: at(second + 60), Data: fmt.Sprintf(`{"id":"%d","delay":%d}`, i, i%40)})
		if i%7 == 0 {
			records = append(records, record{ID: fmt.Sprint("o", i), Offset: int64(i), Source: "/t", Type: "observed", Time: at(second), Append: at(second),
				Data: fmt.Sprintf(`{"origin":"o%d","wind":%d.5}`, i%50, i)})
		}
	}
	file := archive(t, records...)
	var first []byte
	for _, c := range []struct {
		threads int
		memory  int64
	}{{1, 1 << 30}, {2, 1 << 30}, {2, 100 << 20}} {
		r := request(t, weather(), every(file), compile.Window{Start: at(0), End: at(86000)})
		r.Threads, r.Memory = c.threads, c.memory
		res, err := duckengine.Engine{}.Build(t.Context(), r)
		check(t, err)
		if res.Checks.Rows != 140_000 {
			t.Fatalf("rows = %d, want 140000", res.Checks.Rows)
		}
		b, err := os.ReadFile(filepath.Join(r.Dir, res.Parts[0].Name))
		check(t, err)
		if first == nil {
			first = b
		} else if !bytes.Equal(first, b) {
			t.Errorf("%d threads and %d MB write other bytes", c.threads, c.memory>>20)
		}
	}
}

func TestColumnTypes(t *testing.T) {
	d := weather()
	d.Spine.Select = map[string]string{
		"flight": "id", "origin": "origin", "hour": "extract(hour FROM event_time AT TIME ZONE 'America/New_York')",
		"tenth": "CAST(1 AS DECIMAL(4,1))", "day": "CAST(event_time AS DATE)", "is_ewr": "origin = 'EWR'", "small": "7::TINYINT",
	}
	file := archive(t, departed("A", 7*3600), arrived("A", 8*3600, "20"), observed("1", 10, 10, "1.5"))
	got, res := build(t, d, every(file), compile.Window{Start: at(0), End: at(86000)})
	want := []manifest.Column{
		{Name: "event_time", Type: "timestamp"}, {Name: "event_id", Type: "string"},
		{Name: "day", Type: "timestamp"}, {Name: "flight", Type: "string"}, {Name: "hour", Type: "integer"}, {Name: "is_ewr", Type: "boolean"},
		{Name: "origin", Type: "string"}, {Name: "small", Type: "integer"}, {Name: "tenth", Type: "number"},
		{Name: "wind", Type: "number", Nullable: true}, {Name: "late", Type: "boolean"},
	}
	if !slices.EqualFunc(res.Columns, want, func(a, b manifest.Column) bool {
		return a.Name == b.Name && a.Type == b.Type && a.Nullable == b.Nullable
	}) {
		t.Errorf("columns = %+v\nwant %+v", res.Columns, want)
	}
	if row := "07:00:00|depA|00:00:00|A|2|true|EWR|7|1|1.5|true"; got[0] != row {
		t.Errorf("row = %s\nwant  %s", got[0], row)
	}
}

func TestWrongTypesAreCountedNotGuessed(t *testing.T) {
	d := weather()
	d.Sources["departed"] = spec.Source{Stream: "flights", Type: "departed",
		Fields: map[string]string{"id": "string", "n": "integer", "x": "number", "b": "boolean", "t": "timestamp"}}
	d.Spine.Select = map[string]string{"flight": "id", "n": "n", "x": "x", "b": "b", "t": "t"}
	d.Features, d.Label.Match, d.Label.Select = nil, map[string]string{"event_id": "event_id"}, map[string]string{"label": "1"}
	rec := func(id int, data string) record {
		return record{ID: fmt.Sprint(id), Source: "/t", Type: "departed", Time: at(id), Append: at(id), Data: data}
	}
	records := []record{
		rec(1, `{"id":"a\"b","n":3.0,"x":1,"b":true,"t":"2026-03-01T01:00:00+01:00"}`),
		rec(2, `{"id":null,"n":null}`),
		rec(3, `{"id":7,"n":"12","x":"1.5","b":"true","t":"2026-03-01"}`),
		rec(4, `{"id":["x"],"n":3.7,"x":true,"b":1,"t":1700000000}`),
		rec(5, `{"n":9007199254740993,"x":1e400,"t":"epoch"}`),
		rec(6, `no JSON`),
		rec(7, `[1]`),
	}
	for _, r := range records { // a label for each
		r.Type, r.Data = "arrived", `{}`
		records = append(records, r)
	}
	file := archive(t, records...)
	got, res := build(t, d, compile.Inputs{"departed": {file}, "arrived": {file}}, compile.Window{Start: at(0), End: at(1000)})
	want := []string{
		`00:00:01|1|true|a"b|3|00:00:00|1|1`, "00:00:02|2|-|-|-|-|-|1", "00:00:03|3|-|-|-|-|-|1", "00:00:04|4|-|-|-|-|-|1",
		"00:00:05|5|-|-|9007199254740993|-|-|1", "00:00:06|6|-|-|-|-|-|1", "00:00:07|7|-|-|-|-|-|1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	failures := map[string]int64{"departed.id": 2, "departed.n": 2, "departed.x": 3, "departed.b": 2, "departed.t": 3, "departed.(data)": 1}
	if fmt.Sprint(res.Checks.CastFailures) != fmt.Sprint(failures) {
		t.Errorf("cast failures = %v\nwant %v", res.Checks.CastFailures, failures)
	}
}

func TestNoInputs(t *testing.T) {
	got, res := build(t, weather(), nil, compile.Window{Start: at(0), End: at(1000)})
	if len(got) != 0 || res.Checks.Rows != 0 || len(res.Columns) != 6 {
		t.Errorf("rows %q, result %+v: want an empty dataset with its columns", got, res)
	}
}

func TestErrorsSayWhoseFaultItIs(t *testing.T) {
	file := archive(t, departed("A", 100), arrived("A", 500, "3"))
	cases := map[string]struct {
		change func(*spec.Dataset)
		kind   string
		says   string
	}{
		"unknown column":    {func(d *spec.Dataset) { d.Spine.Select["x"] = "altitude" }, generate.KindSpec, "altitude"},
		"aggregate":         {func(d *spec.Dataset) { d.Spine.Select["x"] = "max(id)" }, generate.KindSpec, "GROUP BY"},
		"type":              {func(d *spec.Dataset) { d.Spine.Select["x"] = "[id]" }, generate.KindSpec, "column x"},
		"conversion":        {func(d *spec.Dataset) { d.Spine.Select["x"] = "CAST(id AS INTEGER)" }, generate.KindSpec, "Could not convert"},
		"file as function":  {func(d *spec.Dataset) { d.Spine.Select["x"] = "read_csv('/etc/passwd')" }, generate.KindSpec, "read_csv"},
		"file as text":      {func(d *spec.Dataset) { d.Spine.Select["x"] = "read_text('/etc/passwd')" }, generate.KindSpec, "read_text"},
		"internal column":   {func(d *spec.Dataset) { d.Spine.Select["x"] = "kafka_offset" }, generate.KindSpec, "kafka_offset"},
		"two columns":       {func(d *spec.Dataset) { d.Spine.Select["x"] = "id, origin" }, generate.KindSpec, "struct"},
		"where is not bool": {func(d *spec.Dataset) { d.Spine.Where = "origin" }, generate.KindSpec, "BOOL"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := weather()
			c.change(&d)
			_, err := duckengine.Engine{}.Build(t.Context(), request(t, d, every(file), compile.Window{Start: at(0), End: at(1000)}))
			var e *generate.EngineError
			if !errors.As(err, &e) || e.Kind != c.kind || !strings.Contains(e.Message, c.says) {
				t.Errorf("err = %v, want kind %s with %q", err, c.kind, c.says)
			}
		})
	}
}

// Whatever gets past the compiler meets a database that can reach nothing.
func TestConfinement(t *testing.T) {
	file, other := archive(t, departed("A", 100)), archive(t, departed("B", 100))
	outside := filepath.Join(t.TempDir(), "x.parquet")
	for name, statement := range map[string]string{
		"read a file":           "SELECT * FROM read_csv('/etc/passwd')",
		"read a file as text":   "SELECT * FROM read_text('/etc/hostname')",
		"read the environment":  "SELECT * FROM read_text('/proc/self/environ')",
		"list files":            "SELECT * FROM glob('/etc/*')",
		"read another input":    "SELECT * FROM read_parquet('" + other + "')",
		"leave the output":      "SELECT * FROM read_parquet('{dir}/../" + filepath.Base(other) + "')",
		"write a file":          "COPY (SELECT 1) TO '" + outside + "' (FORMAT parquet)",
		"write over an input":   "COPY (SELECT 1) TO '" + file + "' (FORMAT parquet)",
		"attach":                "ATTACH '" + outside + "' AS o",
		"network":               "SELECT * FROM read_parquet('http://127.0.0.1:1/x.parquet')",
		"load an extension":     "LOAD httpfs",
		"install an extension":  "INSTALL httpfs",
		"allow itself more":     "SET enable_external_access = true",
		"allow itself a folder": "SET allowed_directories = ['/']",
		"reset":                 "RESET enable_external_access",
	} {
		t.Run(name, func(t *testing.T) {
			r := request(t, weather(), every(file), compile.Window{Start: at(0), End: at(1000)})
			r.Plan.Statements = append([]string{strings.ReplaceAll(statement, "{dir}", r.Dir)}, r.Plan.Statements...)
			if _, err := (duckengine.Engine{}).Build(t.Context(), r); err == nil {
				t.Error("the statement ran")
			}
		})
	}
	if _, err := os.Stat(outside); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file appeared outside: %v", err)
	}
}

func TestCancelEndsABuild(t *testing.T) {
	cause := errors.New("no longer wanted")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, cause)
	defer cancel()
	r := request(t, weather(), nil, compile.Window{Start: at(0), End: at(1000)})
	const hours = "CREATE TEMP TABLE slow AS SELECT sum(hash(a.range + b.range)) FROM range(10000000) a, range(10000000) b"
	r.Plan.Statements = append(r.Plan.Statements, hours)
	if _, err := (duckengine.Engine{}).Build(ctx, r); !errors.Is(err, cause) {
		t.Errorf("err = %v, want the cause of the cancellation", err)
	}
}

// The compiler's version is part of every plan, so it must say which engine it was tested with.
func TestVersionIsTheEngines(t *testing.T) {
	var v string
	check(t, open(t).QueryRow("SELECT version()").Scan(&v))
	if _, duck, _ := strings.Cut(compile.Version, "+duckdb-"); "v"+duck != v {
		t.Errorf("compile.Version is %s, DuckDB is %s: raise the version", compile.Version, v)
	}
}

// Expressions must not use a function whose value differs from run to run.
func TestVolatileFunctionsAreForbidden(t *testing.T) {
	rows, err := open(t).Query(`SELECT DISTINCT function_name FROM duckdb_functions()
		WHERE function_type IN ('scalar', 'macro') AND (stability <> 'CONSISTENT' OR stability IS NULL AND macro_definition ILIKE '%current_%')
		AND function_name ~ '[a-z].*'`)
	check(t, err)
	defer rows.Close()
	n := 0
	for rows.Next() {
		var name string
		check(t, rows.Scan(&name))
		if err := compile.CheckExpression(name + "()"); err == nil {
			t.Errorf("%s() is allowed", name)
		}
		n++
	}
	check(t, rows.Err())
	if n < 20 {
		t.Errorf("the engine names only %d functions", n)
	}
}

func open(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}
