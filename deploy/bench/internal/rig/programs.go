package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// program is what can be built.
type program struct{ name, source, cgo string }

func all() []program {
	return []program{
		{"signalbox", "./services/signalbox", "0"}, {"signalbox-duckdb", "./services/signalbox-duckdb", "1"}, {"kube", "./deploy/kube", "0"},
	}
}

// Programs returns a folder with those named of signalbox, signalbox-duckdb and kube: taken from the one that SIGNALBOX_BIN
// names, and built into dir where it lacks them.
func Programs(ctx context.Context, dir string, names ...string) (string, error) {
	into := filepath.Join(dir, "bin")
	if err := os.MkdirAll(into, 0o755); err != nil {
		return "", err
	}
	given := os.Getenv("SIGNALBOX_BIN")
	for _, p := range all() {
		if !slices.Contains(names, p.name) {
			continue
		}
		target := filepath.Join(into, p.name)
		if built := filepath.Join(given, p.name); given != "" && Exists(built) {
			full, err := filepath.Abs(built)
			if err != nil {
				return "", err
			}
			// A link would do, but a program looks for its neighbours beside the file that it is.
			if err := os.Remove(target); err != nil && !errors.Is(err, os.ErrNotExist) {
				return "", err
			}
			if err := os.Link(full, target); err == nil {
				continue
			}
			if err := copyFile(full, target); err != nil {
				return "", err
			}
			continue
		}
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", target, p.source)
		cmd.Env = append(os.Environ(), "CGO_ENABLED="+p.cgo)
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s (run this in the source tree, or name built programs in SIGNALBOX_BIN): %w\n%s", p.name, err, out)
		}
	}
	return into, nil
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o755)
}

// Exists reports whether there is something at path.
func Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
