package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/spec"
)

const streamDoc = `apiVersion: signalbox.dev/v1
kind: Stream
metadata: {name: flights}
spec:
  types:
    flight.departed: {schema: {type: object}}
`

const workflowDoc = `apiVersion: signalbox.dev/v1
kind: Workflow
metadata: {name: delay}
spec:
  entrypoint: delay:Delay
  files: {delay.py: {file: ../code/delay.py}}
`

// write makes a file below dir and returns its path.
func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestApplyADirectory(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	specs := filepath.Join(dir, "specs")
	write(t, specs, "a.yaml", streamDoc)
	write(t, specs, "b.yml", workflowDoc)
	write(t, specs, "notes.txt", "not a document")
	code := write(t, dir, "code/delay.py", "class Delay: pass\n")

	same(t, w.run("apply", "-f", specs, "--dry-run").ok(t), "KIND       NAME      WOULD BE   GENERATION\nStream     flights   created    1\nWorkflow   delay     created    1")
	if len(w.topics.made) != 0 {
		t.Errorf("the dry run made topics %v", w.topics.made)
	}
	same(t, w.run("specs", "ls").ok(t), "KIND   NAME   GENERATION   UPDATED")

	same(t, w.run("apply", "-f", specs).ok(t), "KIND       NAME      RESULT    GENERATION\nStream     flights   created   1\nWorkflow   delay     created   1")
	s, err := w.reg.Spec(t.Context(), spec.KindWorkflow, "delay")
	if err != nil || !strings.Contains(string(s.Body), `"content":"class Delay: pass\n"`) || strings.Contains(string(s.Body), "file\"") {
		t.Errorf("stored %s, %v", s.Body, err)
	}
	write(t, dir, "code/delay.py", "class Delay: x = 1\n")
	same(t, w.run("apply", "-f", specs).ok(t), "KIND       NAME      RESULT      GENERATION\nStream     flights   unchanged   1\nWorkflow   delay     changed     2")

	var doc struct {
		Applied []struct{ Kind, Result string }
	}
	if err := json.Unmarshal([]byte(w.run("apply", "-f", specs, "-o", "json").ok(t)), &doc); err != nil || len(doc.Applied) != 2 || doc.Applied[1].Result != "unchanged" {
		t.Errorf("%+v, %v", doc, err)
	}
	if err := os.Remove(code); err != nil {
		t.Fatal(err)
	}
	w.run("apply", "-f", specs).fails(t, "b.yml", "Workflow delay", "delay.py")
}

func TestApplyWhatGetPrints(t *testing.T) {
	w := newWorld(t)
	w.run("apply", "-f", write(t, t.TempDir(), "s.yaml", streamDoc)).ok(t)
	text := w.run("specs", "get", "Stream", "flights").ok(t)
	got := execute(t.Context(), w.env, text, "apply", "-f", "-").ok(t)
	same(t, got, "KIND     NAME      RESULT      GENERATION\nStream   flights   unchanged   1")
	if raw := w.run("specs", "get", "Stream", "flights", "-o", "json").ok(t); !strings.Contains(raw, `"generation": 1`) {
		t.Error(raw)
	}
	w.run("specs", "get", "Stream", "none").fails(t, "get Stream none: 404 Not Found")
}

func TestApplySaysWhereTheFaultIs(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	write(t, dir, "a.yaml", streamDoc)
	b := write(t, dir, "b.yaml", strings.Replace(streamDoc, "schema: {type: object}", "schema: {type: 7}", 1)+"  partitions: -1\n")
	w.run("apply", "-f", dir).fails(t, b, "Stream flights", "/spec/partitions", "line")

	// Only the server compiles schemas.
	write(t, dir, "b.yaml", strings.Replace(strings.Replace(streamDoc, "name: flights", "name: other", 1),
		"flight.departed: {schema: {type: object}}", "o: {schema: {type: 7}}", 1))
	r := w.run("apply", "-f", dir)
	r.fails(t, "422 Unprocessable Entity", "/documents/1/spec", "/documents/1 is Stream other in "+b)
	if strings.Count(r.err, "\n") != 1 {
		t.Errorf("more than a line: %s", r.err)
	}
	same(t, w.run("specs", "ls").ok(t), "KIND   NAME   GENERATION   UPDATED")

	w.run("apply", "-f", filepath.Join(dir, "none.yaml")).fails(t, "none.yaml")
	w.run("apply", "-f", t.TempDir()).fails(t, "there are no documents in it")
	w.run("apply").fails(t, "file")
}

func TestApplySendsNothingButSources(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	secret := write(t, dir, "id_rsa", "secret")
	if err := os.Symlink(secret, filepath.Join(dir, "link.py")); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "binary.py", "a\x00b")
	elsewhere := write(t, t.TempDir(), "delay.py", "class Delay: pass\n") // readable, but no path from the document's folder
	for _, path := range []string{secret, elsewhere, "id_rsa", "link.py", "binary.py", "none.py", "."} {
		f := write(t, dir, "w.yaml", strings.Replace(workflowDoc, "../code/delay.py", path, 1))
		w.run("apply", "-f", f).fails(t, f, "Workflow delay", "/spec/files/delay.py/file")
	}
}
