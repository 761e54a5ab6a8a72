package trainer

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestInstallOnce(t *testing.T) {
	dir := t.TempDir()
	first, err := Install(dir)
	if err != nil {
		t.Fatal(err)
	}
	marker := filepath.Join(first.PythonPath(), "marker")
	if err := os.WriteFile(marker, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := Install(dir)
	if err != nil || again != first {
		t.Errorf("again: %v, %v", again, err)
	}
	if _, err := os.Stat(marker); err != nil {
		t.Errorf("the files were written over: %v", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestInstallNeedsAFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Install(file); err == nil {
		t.Error("installed into a file")
	}
}

// TestInstalledFilesRun checks that nothing that the runner or the worker imports is left out.
func TestInstalledFilesRun(t *testing.T) {
	f, err := Install(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	python, err := f.Environment(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range []string{"signalbox.runner", "signalbox.worker"} {
		cmd := exec.CommandContext(t.Context(), python, "-m", module)
		cmd.Env = []string{"PYTHONPATH=" + f.PythonPath(), "PYTHONDONTWRITEBYTECODE=1"}
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), "usage: python -m "+module) {
			t.Errorf("%s: %v\n%s", module, err, out)
		}
	}
	check := exec.CommandContext(t.Context(), python, "-c", "import signalbox.formats.lightgbm, signalbox.formats.pickled")
	check.Env = []string{"PYTHONPATH=" + f.PythonPath(), "PYTHONDONTWRITEBYTECODE=1"}
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("formats: %v\n%s", err, out)
	}
}

func TestEnvironmentSaysWhatIsMissing(t *testing.T) {
	f, err := Install(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PYTHON", "no-such-python")
	if _, err := f.Environment(t.Context()); err == nil || !strings.Contains(err.Error(), "install Python 3.10 to 3.13") {
		t.Errorf("error %v does not say what to do", err)
	}
}

// Root's PostgreSQL runs as another user, who must get to every file of it, whatever the umask was.
func TestSharePostgres(t *testing.T) {
	env := t.TempDir()
	bin := filepath.Join(env, "extras", "postgres", postgresBin)
	if err := os.MkdirAll(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "postgres"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "notes"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for range 2 { // the second time it is there
		got, err := SharePostgres(filepath.Join(env, "bin", "python"), dir)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]os.FileMode{"postgres": 0o555, "notes": 0o444, ".": 0o555} {
			info, err := os.Stat(filepath.Join(got, name))
			if err != nil || info.Mode().Perm()&0o555 != want {
				t.Errorf("%s: %v, %v", name, info, err)
			}
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 1 {
		t.Errorf("%v stays, %v", left, err)
	}
	if _, err := SharePostgres(filepath.Join(t.TempDir(), "bin", "python"), t.TempDir()); err == nil {
		t.Error("an environment without PostgreSQL was shared")
	}
}
