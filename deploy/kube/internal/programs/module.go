package programs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// moduleDir is the folder of a module that the one in dir requires.
func moduleDir(ctx context.Context, dir, module string) (string, error) {
	found, err := output(ctx, dir, "go", "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return "", err
	}
	if found == "" {
		return "", fmt.Errorf("%s is not in the module cache", module)
	}
	return found, nil
}

// copyFiles copies what patterns match below from, so that a set stands when the module cache is cleaned; one that matches
// nothing is an error. Not os.CopyFS: that keeps the modes of the module cache, and folders that cannot be written cannot be
// removed.
func copyFiles(from, to string, patterns ...string) error {
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join(from, pattern))
		if err != nil {
			return err
		}
		if len(files) == 0 {
			return fmt.Errorf("%s has no %s", from, pattern)
		}
		for _, file := range files {
			rel, err := filepath.Rel(from, file)
			if err != nil {
				return err
			}
			b, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if err := os.MkdirAll(filepath.Dir(filepath.Join(to, rel)), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(to, rel), b, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
