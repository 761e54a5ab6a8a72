package rootfs

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPythonIsCompleteInItself makes the trainer's root file system and looks whether the dynamic loader will find in
// there all that anything in there needs.
func TestPythonIsCompleteInItself(t *testing.T) {
	root, made := trainer(t)
	if made.Bytes < 100<<20 || made.Files < 1000 {
		t.Errorf("%d bytes in %d files: too small to be complete", made.Bytes, made.Files)
	}
	within := map[string]bool{}
	var objects []*object
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		within[d.Name()] = true
		o, err := readObject(path)
		if o != nil {
			objects = append(objects, o)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) < 100 {
		t.Errorf("%d ELF files", len(objects))
	}
	for _, o := range objects {
		if o.interpreter != "" && !within[filepath.Base(o.interpreter)] {
			t.Errorf("%s needs the loader %s", o.path, o.interpreter)
		}
		for _, name := range o.needs {
			if !within[name] {
				t.Errorf("%s needs %s", o.path, name)
			}
		}
	}
	for _, path := range []string{
		"etc/passwd", "etc/ssl/certs/ca-certificates.crt", "opt/signalbox/signalbox/runner.py", "opt/signalbox/signalbox/__pycache__",
		"opt/python/bin/python",
	} {
		if _, err := os.Stat(filepath.Join(root, path)); err != nil {
			t.Error(err)
		}
	}
	if info, err := os.Stat(filepath.Join(root, "tmp")); err != nil || info.Mode().Perm() != 0o777 || info.Mode()&fs.ModeSticky == 0 {
		t.Errorf("tmp: %v, %v", info.Mode(), err)
	}
}

func TestMakePythonRefuses(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	source := t.TempDir()
	tests := map[string]struct {
		p    Python
		want string
	}{
		"a directory with files":  {Python{Interpreter: "/bin/true", Source: "../../../../services/trainer/src", Out: full}, "is not empty"},
		"a source without signal": {Python{Interpreter: "/bin/true", Source: source, Out: t.TempDir()}, "no package signalbox"},
		"something else":          {Python{Interpreter: "/bin/false", Source: "../../../../services/trainer/src", Out: t.TempDir()}, "ask /bin/false"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := MakePython(t.Context(), tc.p); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

func TestClosureFollowsEveryLibrary(t *testing.T) {
	libraries, loaders, err := closure([]*object{{path: "/opt/app/x", needs: []string{"libstdc++.so.6"}}}, nil, systemPaths())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"libstdc++.so.6", "libm.so.6", "libc.so.6", "libgcc_s.so.1"} {
		if libraries[name] == "" {
			t.Errorf("%s is not among %v", name, libraries)
		}
	}
	if len(loaders) > 1 {
		t.Errorf("loaders %v", loaders)
	}
	if own, _, err := closure([]*object{{path: "/opt/app/x", needs: []string{"libc.so.6"}}}, []string{filepath.Dir(libraries["libc.so.6"])}, systemPaths()); err != nil || own["libc.so.6"] != "" {
		t.Errorf("a library of one's own is returned: %v, %v", own, err)
	}
	_, _, err = closure([]*object{{path: "/opt/app/x", needs: []string{"libnothing.so.9"}}}, nil, systemPaths())
	if err == nil || !strings.Contains(err.Error(), "/opt/app/x needs libnothing.so.9") {
		t.Errorf("a library that is nowhere: %v", err)
	}
}

func TestReadObjectKnowsWhatIsNone(t *testing.T) {
	for _, content := range []string{"", "\x7fE", "#!/bin/sh\n"} {
		path := filepath.Join(t.TempDir(), "x.so")
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if o, err := readObject(path); o != nil || err != nil {
			t.Errorf("%q: %v, %v", content, o, err)
		}
	}
	broken := filepath.Join(t.TempDir(), "x.so")
	if err := os.WriteFile(broken, []byte("\x7fELF and no more"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readObject(broken); err == nil || !strings.Contains(err.Error(), broken) {
		t.Errorf("a broken library: %v", err)
	}
}

func trainer(t *testing.T) (string, Made) {
	t.Helper()
	out, err := exec.Command("../../../../services/trainer/setup-env.sh").Output()
	if err != nil {
		t.Fatalf("environment of jobs: %v", err)
	}
	root := filepath.Join(t.TempDir(), "root")
	made, err := MakePython(t.Context(), Python{Interpreter: strings.TrimSpace(string(out)), Source: "../../../../services/trainer/src", Out: root})
	if err != nil {
		t.Fatal(err)
	}
	return root, made
}
