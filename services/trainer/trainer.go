// Package trainer carries the Python package signalbox and the script that creates its environment, so that one binary
// can train on a machine that has nothing but a Python interpreter.
package trainer

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

//go:embed src/signalbox/*.py src/signalbox/formats/*.py src/signalbox/py.typed
//go:embed setup-env.sh setup_env.py requirements.lock requirements-dev.lock requirements-postgres.lock
var files embed.FS

// Files are the trainer's files on disk.
type Files struct{ dir string }

// Install writes the files below dir, in a folder named after their content, and returns them. Files that are there
// already stay as they are.
func Install(dir string) (Files, error) {
	id, err := digest()
	if err != nil {
		return Files{}, fmt.Errorf("install trainer: %w", err)
	}
	final := filepath.Join(dir, "trainer-"+id)
	if _, err := os.Stat(final); err == nil {
		return Files{final}, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Files{}, fmt.Errorf("install trainer: %w", err)
	}
	aside, err := os.MkdirTemp(dir, "trainer-*")
	if err != nil {
		return Files{}, fmt.Errorf("install trainer: %w", err)
	}
	if err = os.CopyFS(aside, files); err == nil {
		err = os.Chmod(filepath.Join(aside, "setup-env.sh"), 0o755)
	}
	if err == nil {
		err = os.Rename(aside, final) // whole or not at all; another process may have been faster
	}
	if err != nil {
		err = errors.Join(err, os.RemoveAll(aside))
		if _, there := os.Stat(final); there != nil {
			return Files{}, fmt.Errorf("install trainer: %w", err)
		}
	}
	return Files{final}, nil
}

// digest names the content of every file.
func digest() (string, error) {
	var all strings.Builder
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := files.ReadFile(path)
		fmt.Fprintf(&all, "%s %s\n", path, cas.Sum(b))
		return err
	})
	return cas.Sum([]byte(all.String())).Hex()[:16], err
}

// PythonPath is what PYTHONPATH must hold for jobs and workers.
func (f Files) PythonPath() string { return filepath.Join(f.dir, "src") }

// Environment creates the Python environment with the named extras (postgres, tests) in the user's cache, once, and
// returns its interpreter. It needs Python 3.10 to 3.13, and a package index the first time. Its progress goes to the
// error, if it fails.
func (f Files) Environment(ctx context.Context, extras ...string) (python string, err error) {
	var args []string
	for _, e := range extras {
		args = append(args, "--with-"+e)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(f.dir, "setup-env.sh"), args...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("python environment: %w\n%s", err, said.String())
	}
	return strings.TrimSpace(string(out)), nil
}
