//go:build cgo

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/generate"
	"github.com/signalbox-ml/signalbox/consumers/generate/compile"
	"github.com/signalbox-ml/signalbox/consumers/generate/procengine"
)

// TestMain lets the test binary play the program: started under its name, it is the program.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == procengine.Program {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func program(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), procengine.Program)
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// plan is the smallest one there is.
func plan(sql string) compile.Plan {
	return compile.Plan{
		Statements: []string{"CREATE TEMP VIEW dataset AS " + sql}, Relation: "dataset", Order: "n",
		Columns: []compile.Column{{Name: "event_id"}, {Name: "x"}},
	}
}

func request(t *testing.T, sql string) generate.Request {
	return generate.Request{Plan: plan(sql), Dir: t.TempDir(), Temp: t.TempDir(), Memory: 256 << 20, Threads: 1}
}

func engine(t *testing.T) *procengine.Engine {
	t.Helper()
	e, err := procengine.New(procengine.Config{Path: program(t)})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestBuildInAProcess(t *testing.T) {
	r := request(t, "SELECT n, 'e' || n AS event_id, n / 2 AS x FROM range(10) t(n)")
	res, err := engine(t).Build(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(r.Dir, "part-00000.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	if res.Checks.Rows != 10 || len(res.Parts) != 1 || res.Parts[0].Bytes != info.Size() || res.Columns[1].Type != "number" {
		t.Errorf("result = %+v", res)
	}
}

func TestErrorsComeThrough(t *testing.T) {
	for name, c := range map[string]struct{ sql, kind, says string }{
		"spec":   {"SELECT altitude", generate.KindSpec, "altitude"},
		"file":   {"SELECT * FROM read_csv('/etc/passwd')", generate.KindSpec, "Permission"},
		"memory": {"SELECT n, 'e' AS event_id, len(x) AS x FROM (SELECT 1 AS n, string_agg(repeat('x', 10000)) AS x FROM range(100000))", generate.KindMemory, "memory"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := engine(t).Build(t.Context(), request(t, c.sql))
			var e *generate.EngineError
			if !errors.As(err, &e) || e.Kind != c.kind || !strings.Contains(e.Message, c.says) {
				t.Errorf("err = %v, want kind %s with %q", err, c.kind, c.says)
			}
		})
	}
}

// hours is a query that nobody waits for.
const hours = "SELECT 1 AS n, 'e' AS event_id, sum(hash(a.range + b.range)) AS x FROM range(10000000) a, range(10000000) b"

func TestEndsWithItsInput(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), program(t))
	r := request(t, hours)
	cmd.Stdin = strings.NewReader(`{"plan":{"version":"","inputs":null,"statements":["CREATE TEMP VIEW dataset AS ` + hours + `"],"checks":null,` +
		`"relation":"dataset","order":"n","columns":[{"name":"event_id","optional":false},{"name":"x","optional":false}],"label":""},` +
		`"dir":"` + r.Dir + `","temp":"` + r.Temp + `","memory":268435456,"threads":1}`)
	began := time.Now()
	out, err := cmd.Output()
	if err == nil || !strings.Contains(string(out), "parent is gone") {
		t.Errorf("output %s, err %v; want it to end because its input did", out, err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestRefusesWhatIsNoRequest(t *testing.T) {
	for _, in := range []string{"", "SELECT 1", `{"sql":"SELECT 1"}`} {
		cmd := exec.CommandContext(t.Context(), program(t))
		cmd.Stdin = strings.NewReader(in)
		if out, err := cmd.Output(); err == nil || !strings.Contains(string(out), "request") {
			t.Errorf("%q: output %s, err %v", in, out, err)
		}
	}
}
