package image

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheSameTreeIsTheSameImage(t *testing.T) {
	cfg := Config{Name: "localhost/x:1", User: "65532:65532", Entrypoint: []string{"/bin/x", "-v"}, Env: []string{"A=b"}}
	first, second := filepath.Join(t.TempDir(), "a.tar"), filepath.Join(t.TempDir(), "b.tar")
	one := build(t, tree(t, 0o644, time.Unix(1, 0)), first, cfg)
	two := build(t, tree(t, 0o600, time.Unix(2, 0)), second, cfg) // another umask, another day
	if one != two {
		t.Errorf("%+v and %+v", one, two)
	}
	if string(read(t, first)) != string(read(t, second)) {
		t.Error("the archives differ")
	}
	if !strings.HasPrefix(one.Reference, "localhost/x@sha256:") {
		t.Errorf("reference %s", one.Reference)
	}
	loaded, err := inspect(first)
	if err != nil || loaded != one {
		t.Errorf("the archive says it is %+v, %v, want %+v", loaded, err, one)
	}
}

func TestWhatMakesAnotherImage(t *testing.T) {
	base := Config{Name: "localhost/x:1"}
	out := filepath.Join(t.TempDir(), "x.tar")
	was := build(t, tree(t, 0o644, time.Unix(1, 0)), out, base)
	if got := build(t, tree(t, 0o755, time.Unix(1, 0)), out, base); got.Reference == was.Reference {
		t.Error("a file that may be executed is the same image")
	}
	for name, cfg := range map[string]Config{
		"user": {Name: base.Name, User: "1:1"}, "entrypoint": {Name: base.Name, Entrypoint: []string{"/x"}}, "env": {Name: base.Name, Env: []string{"A=b"}},
	} {
		if got := build(t, tree(t, 0o644, time.Unix(1, 0)), out, cfg); got.Reference == was.Reference {
			t.Errorf("another %s is the same image", name)
		}
	}
	if got := build(t, tree(t, 0o644, time.Unix(1, 0)), out, Config{Name: "localhost/x:2"}); got.Reference != was.Reference {
		t.Error("another tag is another image")
	}
}

func TestArchiveIsWhole(t *testing.T) {
	out := filepath.Join(t.TempDir(), "x.tar")
	img := build(t, tree(t, 0o755, time.Unix(1, 0)), out, Config{Name: "localhost:5000/deep/x:1", Env: []string{"PATH=/x"}})
	blobs := entries(t, out)
	for name, content := range blobs {
		if digest, ok := strings.CutPrefix(name, "blobs/sha256/"); ok && fmt.Sprintf("%x", sha256.Sum256(content)) != digest {
			t.Errorf("%s does not have its digest", name)
		}
	}
	name, digest, _ := strings.Cut(img.Reference, "@")
	if name != "localhost:5000/deep/x" {
		t.Errorf("the name is %s", name)
	}
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	decode(t, blobs[blob(digest)], &manifest)
	var config struct {
		Config struct{ Env []string }
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	decode(t, blobs[blob(manifest.Config.Digest)], &config)
	if len(config.RootFS.DiffIDs) != 1 || config.RootFS.DiffIDs[0] != manifest.Layers[0].Digest {
		t.Errorf("layers %v, the configuration says %v", manifest.Layers, config.RootFS.DiffIDs)
	}
	if len(config.Config.Env) != 1 {
		t.Errorf("environment %v, want the given PATH alone", config.Config.Env)
	}
	var docker []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	decode(t, blobs["manifest.json"], &docker)
	if blobs[docker[0].Config] == nil || blobs[docker[0].Layers[0]] == nil || docker[0].RepoTags[0] != "localhost:5000/deep/x:1" {
		t.Errorf("manifest.json names %+v", docker)
	}
}

func TestBuildRefuses(t *testing.T) {
	out := filepath.Join(t.TempDir(), "x.tar")
	for _, name := range []string{"", "x", "localhost/x", "localhost/x@sha256:1", "localhost:5000/x"} {
		if _, err := Build(t.TempDir(), out, Config{Name: name}); err == nil {
			t.Errorf("the name %q is accepted", name)
		}
	}
	if _, err := Build(filepath.Join(t.TempDir(), "none"), out, Config{Name: "localhost/x:1"}); err == nil {
		t.Error("a root that is not there is accepted")
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(out), "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// tree makes a folder with one of everything that an image may hold.
func tree(t *testing.T, mode os.FileMode, at time.Time) string {
	t.Helper()
	root := t.TempDir()
	for _, step := range []func() error{
		func() error { return os.MkdirAll(filepath.Join(root, "bin"), 0o700) },
		func() error { return os.WriteFile(filepath.Join(root, "bin/x"), []byte("content"), 0o600) },
		func() error { return os.Chmod(filepath.Join(root, "bin/x"), mode) },
		func() error { return os.Chtimes(filepath.Join(root, "bin/x"), at, at) },
		func() error { return os.Symlink("x", filepath.Join(root, "bin/y")) },
		func() error { return os.Mkdir(filepath.Join(root, "tmp"), 0o700) },
		func() error { return os.Chmod(filepath.Join(root, "tmp"), 0o777|os.ModeSticky) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func build(t *testing.T, root, out string, cfg Config) Image {
	t.Helper()
	img, err := Build(root, out, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func entries(t *testing.T, archive string) map[string][]byte {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	found := map[string][]byte{}
	r := tar.NewReader(f)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if found[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func decode(t *testing.T, b []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
}
