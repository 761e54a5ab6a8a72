package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// programs returns the folder of signalbox, signalbox-duckdb and kube: the one that SIGNALBOX_BIN names, with what it
// lacks built into dir.
func programs(ctx context.Context, dir string) (string, error) {
	into := filepath.Join(dir, "bin")
	if err := os.MkdirAll(into, 0o755); err != nil {
		return "", err
	}
	given := os.Getenv("SIGNALBOX_BIN")
	for _, p := range []struct{ name, source, cgo string }{
		{"signalbox", "./services/signalbox", "0"}, {"signalbox-duckdb", "./services/signalbox-duckdb", "1"}, {"kube", "./deploy/kube", "0"},
	} {
		target := filepath.Join(into, p.name)
		if built := filepath.Join(given, p.name); given != "" && exists(built) {
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

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
