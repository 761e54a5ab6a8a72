package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/remote"
)

// shop serves one package.
type shop struct {
	id    cas.Digest
	text  []byte
	files map[string]string // content by path, as the object store has it
	paths canned
	env   map[string]string
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{files: map[string]string{"model.txt": "tree\n", "code/delay.py": "class Delay: pass\n", "signature.json": "{}"}, paths: canned{}}
	layer := func(path, media string) manifest.Layer {
		b := []byte(s.files[path])
		return manifest.Layer{Path: path, Descriptor: cas.Descriptor{MediaType: media, Digest: cas.Sum(b), Size: int64(len(b))}}
	}
	m := manifest.Package{
		Config: cas.Descriptor{MediaType: manifest.MediaConfig, Digest: cas.Sum([]byte("{}")), Size: 2},
		Layers: []manifest.Layer{layer("code/delay.py", manifest.MediaCode), layer("model.txt", manifest.MediaWeight), layer("signature.json", manifest.MediaWeightConfig)},
	}
	var err error
	if s.text, err = m.Encode(); err != nil {
		t.Fatal(err)
	}
	s.id = cas.Sum(s.text)
	s.env = serve(t, s.paths)
	answer := remote.Files{Model: "delay"}
	for _, l := range m.Layers {
		s.paths["GET /bucket/"+l.Path] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				t.Error("the token went to the object store")
			}
			_, _ = w.Write([]byte(s.files[l.Path]))
		})
		answer.Files = append(answer.Files, registry.SignedFile{Path: l.Path, Descriptor: l.Descriptor,
			Get: bucket.Signed{Method: "GET", URL: s.env["SIGNALBOX_URL"] + "/bucket/" + l.Path}})
	}
	s.paths["GET /v1/packages/"+s.id.String()] = string(s.text)
	s.paths["GET /v1/packages/"+s.id.String()+"/files"] = answer
	return s
}

func TestDownload(t *testing.T) {
	s := newShop(t)
	for _, dir := range []string{filepath.Join(t.TempDir(), "new", "model"), t.TempDir()} { // a new folder and an empty one
		out := execute(t.Context(), s.env, "", "packages", "download", s.id.String(), dir).ok(t)
		same(t, out, "3 files, 25 bytes in "+dir)
		for path, want := range s.files {
			if b, err := os.ReadFile(filepath.Join(dir, path)); err != nil || string(b) != want {
				t.Errorf("%s: %q, %v", path, b, err)
			}
		}
		execute(t.Context(), s.env, "", "packages", "download", s.id.String(), dir).fails(t, "is not empty")
	}
}

func TestDownloadLeavesNothingHalfDone(t *testing.T) {
	for name, spoil := range map[string]func(*shop){
		"a changed byte":      func(s *shop) { s.files["model.txt"] = "Tree\n" },
		"a file cut off":      func(s *shop) { s.files["model.txt"] = "tre" },
		"a file too long":     func(s *shop) { s.files["model.txt"] += "x" },
		"a file that is gone": func(s *shop) { delete(s.paths, "GET /bucket/model.txt") },
		"another manifest":    func(s *shop) { s.paths["GET /v1/packages/"+s.id.String()] = string(s.text) + " " },
		"an unnamed file":     func(s *shop) { s.paths["GET /v1/packages/"+s.id.String()+"/files"] = remote.Files{} },
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			spoil(s)
			parent := t.TempDir()
			execute(t.Context(), s.env, "", "packages", "download", s.id.String(), filepath.Join(parent, "model")).fails(t, "packages download "+s.id.String())
			if left, err := os.ReadDir(parent); err != nil || len(left) != 0 {
				t.Errorf("left %v, %v", left, err)
			}
		})
	}
}

func TestPackagesAreShown(t *testing.T) {
	s := newShop(t)
	id := s.id.String()
	table := []string{"FILE             BYTES   DIGEST", "code/delay.py    18      " + cas.Sum([]byte(s.files["code/delay.py"])).String(),
		"model.txt        5       " + cas.Sum([]byte("tree\n")).String(),
		"signature.json   2       " + cas.Sum([]byte("{}")).String()}
	same(t, execute(t.Context(), s.env, "", "packages", "files", id).ok(t), strings.Join(table, "\n"))
	if out := execute(t.Context(), s.env, "", "packages", "get", id).ok(t); !strings.Contains(out, "package") || !strings.Contains(out, table[2]) {
		t.Error(out)
	}
	if out := execute(t.Context(), s.env, "", "packages", "get", id, "-o", "json").ok(t); out != string(s.text) {
		t.Errorf("got %s, want the exact bytes", out)
	}
	w := newWorld(t)
	pkg := w.publish("p")
	same(t, w.run("packages", "ls", "--model", "delay").ok(t),
		"MODEL   FORMAT          BYTES   CREATED   PACKAGE\ndelay   lightgbm-text   12      -         "+pkg.String())
	same(t, w.run("packages", "ls", "--model", "other").ok(t), "MODEL   FORMAT   BYTES   CREATED   PACKAGE")
	w.run("packages", "get", cas.Sum([]byte("none")).String()).fails(t, "404 Not Found")
	w.run("packages", "get", "sha256.none").fails(t, "not a digest")
}

func TestAttestations(t *testing.T) {
	w := newWorld(t)
	pkg := w.publish("p")
	holdout := cas.Sum([]byte("holdout"))
	id, err := w.reg.RecordEvaluation(t.Context(), manifest.Evaluation{
		Model: "delay", Package: pkg, RunID: "9081e64f-b2c0-455e-bcaa-c1c211fa124b", Dataset: holdout, Tag: "delay/production", Holdout: holdout, Rows: 9,
		Policy: map[string]string{"metric": "auc"}, Decision: manifest.Keep, Reasons: []string{"auc 0.6 is below the champion's 0.7"},
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, timeless(w.run("packages", "attestations", pkg.String()).ok(t)), strings.Join([]string{
		"CREATED                TYPE         SAYS                                                             ID",
		"TIME   evaluation   keep for delay/production; auc 0.6 is below the champion's 0.7   " + id.String(),
	}, "\n"))
}
