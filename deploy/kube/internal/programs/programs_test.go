package programs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSourceIsFoundFromAnyFolderOfTheTree(t *testing.T) {
	source, err := Source(".")
	if err != nil {
		t.Fatal(err)
	}
	want, err := filepath.Abs("../../programs")
	if err != nil {
		t.Fatal(err)
	}
	if source != want {
		t.Errorf("source is %s, want %s", source, want)
	}
	if _, err := Source(t.TempDir()); err == nil || !strings.Contains(err.Error(), "--tree") {
		t.Errorf("outside the tree: %v, want an error that says what to do", err)
	}
}

func TestKeyNamesTheSources(t *testing.T) {
	source := t.TempDir()
	files := []string{"kubernetes/go.mod", "kubernetes/go.sum", "kubernetes/main.go", "pause/main.go"}
	for _, f := range files {
		write(t, filepath.Join(source, f), "v1")
	}
	first, err := key(source, "go1.26", files)
	if err != nil {
		t.Fatal(err)
	}
	if other, err := key(source, "go1.27", files); err != nil || other == first {
		t.Errorf("another Go has the key %s, %v, want one that is not %s", other, err, first)
	}
	for _, f := range files {
		write(t, filepath.Join(source, f), "v2")
		if other, err := key(source, "go1.26", files); err != nil || other == first {
			t.Errorf("another %s has the key %s, %v, want one that is not %s", f, other, err, first)
		}
		write(t, filepath.Join(source, f), "v1")
	}
	if again, err := key(source, "go1.26", files); err != nil || again != first {
		t.Errorf("the same sources have the key %s, %v, want %s", again, err, first)
	}
}

func TestLinkFlagsSayTheVersionOfTheModule(t *testing.T) {
	flags, err := linkFlags([]byte("module x\n\nrequire (\n\tk8s.io/kubernetes v1.35.4\n)\n\nreplace k8s.io/api => k8s.io/api v0.35.4\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"-s -w ", "k8s.io/component-base/version.gitVersion=v1.35.4 ", "k8s.io/client-go/pkg/version.gitMinor=35 ",
	} {
		if !strings.Contains(flags, want) {
			t.Errorf("%q is not in %s", want, flags)
		}
	}
	if _, err := linkFlags([]byte("module x\n")); err == nil {
		t.Error("a module without Kubernetes has flags")
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFilesAreCopied(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	for _, f := range []string{"kustomization.yaml", "bases/a.yaml", "bases/b.yaml", "kustomizeconfig.yaml"} {
		write(t, filepath.Join(from, f), f)
	}
	if err := copyFiles(from, to, "kustomization.yaml", "bases/*.yaml"); err != nil {
		t.Fatal(err)
	}
	for f, want := range map[string]bool{"kustomization.yaml": true, "bases/a.yaml": true, "bases/b.yaml": true, "kustomizeconfig.yaml": false} {
		b, err := os.ReadFile(filepath.Join(to, f))
		if (err == nil) != want || want && string(b) != f {
			t.Errorf("%s: %q, %v", f, b, err)
		}
	}
	if err := copyFiles(t.TempDir(), to, "bases/*.yaml"); err == nil {
		t.Error("a module without definitions is no error")
	}
}
