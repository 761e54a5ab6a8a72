package raybackend

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/fstest"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

func unpack(t *testing.T, p pack) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(p.content), int64(len(p.content)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name] = string(b)
	}
	return out
}

func TestPackIsNamedByItsContent(t *testing.T) {
	j := train.Job{Run: registry.RunID(uuid.New()), Spec: []byte("{}"), Files: map[string]string{"workflow/b.py": "b", "workflow/a.py": "a", "c": ""}}
	first, err := packJob(j)
	if err != nil {
		t.Fatal(err)
	}
	again, err := packJob(j)
	if err != nil || again.name != first.name || !bytes.Equal(again.content, first.content) {
		t.Errorf("another time %s, %v, want %s", again.name, err, first.name)
	}
	j.Files["c"] = "c"
	if other, err := packJob(j); err != nil || other.name == first.name {
		t.Errorf("other content has the same name, %v", err)
	}
	if got := unpack(t, first); len(got) != 4 || got["job.json"] != "{}" || got["workflow/a.py"] != "a" {
		t.Errorf("content %v", got)
	}
}

func TestPackRefuses(t *testing.T) {
	noise := make([]byte, maxPackage+1)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	for name, content := range map[string]string{
		"../escape": "", "/etc/escape": "", "workflow/../x": "", "job.json": "", ".": "", "": "", "a//b": "", "large": string(noise),
	} {
		_, err := packJob(train.Job{Files: map[string]string{name: content}})
		if _, ok := errors.AsType[*manifest.Fault](err); !ok {
			t.Errorf("file %q: %v, want a fault of the request", name, err)
		}
	}
}

func TestSourceHasOnlyTheProgram(t *testing.T) {
	file := &fstest.MapFile{Data: []byte("x")}
	p, err := packSource(fstest.MapFS{
		"signalbox/launcher.py": file, "signalbox/formats/a.py": file, "signalbox/py.typed": file,
		"signalbox/__pycache__/launcher.pyc": file, "signalbox/.env": file, "other/a.py": file,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := unpack(t, p); len(got) != 3 || got["signalbox/launcher.py"] != "x" || got["signalbox/formats/a.py"] != "x" {
		t.Errorf("content %v", got)
	}
	if _, err := packSource(fstest.MapFS{"signalbox/runner.py": file}); err == nil {
		t.Error("took a package without its launcher")
	}
}
