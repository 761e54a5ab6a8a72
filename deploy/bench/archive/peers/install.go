package main

import (
	"context"
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/rig"
)

// files are what the peers are set up with. Benthos is a module of its own, which cannot be embedded.
//
//go:embed benthos.yaml connect python
var files embed.FS

// cached returns a folder of the user's cache that fill has filled, once for each state of what goes into it. Others wait.
func cached(ctx context.Context, name string, state []byte, fill func(dir string) error) (string, error) {
	root, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	home := filepath.Join(root, "signalbox")
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", err
	}
	dir := filepath.Join(home, fmt.Sprintf("%s-%.8x", name, sha256.Sum256(state)))
	lock := flock.New(filepath.Join(home, name+".lock"))
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return "", fmt.Errorf("lock %s: %w", lock.Path(), err)
	}
	defer func() { _ = lock.Close() }()
	if rig.Exists(dir) {
		return dir, nil
	}
	partial, err := os.MkdirTemp(home, name+"-partial-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(partial)
	if err := os.Chmod(partial, 0o755); err != nil {
		return "", err
	}
	if err := fill(partial); err != nil {
		return "", fmt.Errorf("install %s: %w", name, err)
	}
	return dir, os.Rename(partial, dir)
}

// state is the content of all files below a folder.
func state(fsys fs.FS, dir string) (all []byte, err error) {
	return all, fs.WalkDir(fsys, dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := fs.ReadFile(fsys, path)
		all = fmt.Appendf(all, "%s %d\n%s", path, len(b), b)
		return err
	})
}

// command runs a program and says what it wrote if it fails.
func command(ctx context.Context, name string, args ...string) error {
	if _, err := exec.LookPath(name); err != nil {
		return fmt.Errorf("%w: install Go, Maven, a JDK (openjdk-17-jdk-headless) and Python with venv for all peers, or name others with -only", err)
	}
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// written puts an embedded file into dir.
func written(name, dir string) (path string, err error) {
	b, err := files.ReadFile(name)
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, filepath.Base(name))
	return path, os.WriteFile(path, b, 0o644)
}
