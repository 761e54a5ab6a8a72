package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/signalbox-ml/signalbox/events/schema/versions"
)

const placed = `{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://shop.example/order.placed/1.0","title":"order.placed",
"type":"object","properties":{"id":{"type":"string"}},"required":["id"]}`

// shopSchemas is a repository with one published type.
func shopSchemas(t *testing.T) (dir string, write func(name, text string)) {
	t.Helper()
	root := t.TempDir()
	dir = filepath.Join(root, "contracts")
	write = func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("order.placed/1/0.json", placed)
	write("order.placed/1/examples/0.json", `{"valid":{"least":{"id":"7"}},"invalid":{"nothing":{}}}`)
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", "first"}, {"tag", "published"}} {
		c := exec.CommandContext(t.Context(), "git", append([]string{"-C", root}, args...)...)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	return dir, write
}

func TestSchemaCheck(t *testing.T) {
	dir, write := shopSchemas(t)
	check := func(args ...string) result {
		return execute(t.Context(), nil, "", append([]string{"schema", "check", dir}, args...)...)
	}
	same(t, check("--against", "published").ok(t), strings.Join([]string{
		"TYPE           MAJOR   VERSIONS   EXAMPLES",
		"order.placed   1       1          2",
	}, "\n"))

	write("order.placed/1/0.json", strings.Replace(placed, `"id":{`, `"id":{"description":"of the shop",`, 1))
	check("--against", "published").ok(t) // annotations may change

	write("order.placed/1/0.json", strings.Replace(placed, `{"type":"string"}`, `{"type":["string","null"]}`, 1))
	check().ok(t) // nothing to hold it against
	changed := check("--against", "HEAD")
	changed.fails(t, "the schemas are not right")
	if want := "/properties/id/type   was string, is null or string: readers of the earlier version would meet data that they refuse."; !strings.Contains(changed.out, want) {
		t.Errorf("%q not in %s", want, changed.out)
	}
	var report versions.Report
	if err := json.Unmarshal([]byte(check("--against", "HEAD", "-o", "json").out), &report); err != nil || len(report.Faults) != 1 || report.Faults[0].File != "order.placed/1/0.json" {
		t.Errorf("%+v, %v", report, err)
	}

	if err := os.RemoveAll(filepath.Join(dir, "order.placed")); err != nil {
		t.Fatal(err)
	}
	write("order.closed/1/0.json", strings.ReplaceAll(placed, "placed", "closed"))
	write("order.closed/1/examples/0.json", `{"valid":{"least":{"id":"7"}},"invalid":{"nothing":{}}}`)
	if gone := check("--against", "published"); !strings.Contains(gone.out, "it is published and gone") {
		t.Errorf("%+v", gone)
	}
	check("--against", "no-such-branch").fails(t, "no such revision", "fetch it")
	check("--against", "--upload-pack=touch").fails(t, "no such revision")
	execute(t.Context(), nil, "", "schema", "check", t.TempDir()).fails(t, "<type>/<major>/<minor>.json")
	execute(t.Context(), nil, "", "schema", "check", filepath.Join(dir, "none")).fails(t, "none")
}

// A directory that the revision did not have is a first publication.
func TestSchemaCheckOfANewDirectory(t *testing.T) {
	dir, write := shopSchemas(t)
	write("../more/order.placed/1/0.json", placed)
	write("../more/order.placed/1/examples/0.json", `{"valid":{"least":{"id":"7"}},"invalid":{"nothing":{}}}`)
	execute(t.Context(), nil, "", "schema", "check", filepath.Join(dir, "../more"), "--against", "published").ok(t)
}

func TestSchemaPush(t *testing.T) {
	reg := srfake.New(srfake.WithAuth("Basic dTpw")) // u:p
	defer reg.Close()
	dir, _ := shopSchemas(t)
	password := filepath.Join(t.TempDir(), "pw")
	if err := os.WriteFile(password, []byte("p\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	push := func(args ...string) result {
		return execute(t.Context(), nil, "", append([]string{"schema", "push", dir, "--registry", reg.URL(), "--user", "u", "--password-file", password}, args...)...)
	}
	push().fails(t, "--topic", "order.placed")
	for _, c := range []struct{ flag, want string }{{"--dry-run", "missing"}, {"--dry-run=false", "registered"}, {"--dry-run=false", "present"}} {
		out := push("--topic", "events.orders", c.flag).ok(t)
		same(t, out, "SUBJECT                      VERSION            RESULT\nevents.orders-order.placed   order.placed/1.0   "+c.want)
	}
	if got, ok := reg.GetSchema("events.orders-order.placed", 1); !ok || got.Schema.Schema != placed {
		t.Errorf("%+v", got)
	}
	out := push("--topic", "events.orders", "--lifecycle", "-o", "json").ok(t)
	if n := strings.Count(out, `"registered"`); n < 14 || !reg.SubjectExists("signalbox.tags-dev.signalbox.tag.moved") {
		t.Errorf("%d of the own types: %s", n, out)
	}
	execute(t.Context(), nil, "", "schema", "push", dir, "--topic", "events.orders", "--registry", reg.URL()).fails(t, "401", "--password-file")
	execute(t.Context(), nil, "", "schema", "push").fails(t, "registry")
	push("--ca-file", "none.pem").fails(t, "--ca-file")
	execute(t.Context(), nil, "", "schema", "push", "--topic", "x", "--registry", reg.URL()).fails(t, "of a directory")
}

func TestSchemaPushOfStreams(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	w := newWorld(t)
	const declared = `{"apiVersion":"signalbox.dev/v1","kind":"Stream","metadata":{"name":"orders"},"spec":{"types":{"order.placed":{"schema":{"type":"object"}}}}}`
	execute(t.Context(), w.env, declared, "apply", "-f", "-").ok(t)
	w.run("schema", "push", "--registry", reg.URL()).ok(t)
	if got, ok := reg.GetSchema("events.orders-order.placed", 1); !ok || got.Schema.Schema != `{"type":"object"}` {
		t.Errorf("%+v", got)
	}
	if out := w.run("schema", "push", "--registry", reg.URL()).ok(t); !strings.Contains(out, "orders generation 1   present") {
		t.Error(out)
	}
}
