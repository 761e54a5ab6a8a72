// Package e2e_test runs the programs as their users do, on real data: the loop on embedded parts and on real servers, and
// what kill -9 does to it.
package e2e_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/services/trainer"
)

// programs are the binaries under test: built for this run, or those of the folder that $SIGNALBOX_BIN names.
var programs struct {
	dir, signalbox string
}

// python is the interpreter of jobs and of Python models.
var python string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(prepared(m))
}

// prepared runs the tests between the making of what they need and its end.
func prepared(m *testing.M) int {
	dir, err := os.MkdirTemp("", "signalbox-e2e-bin-*")
	if err == nil {
		defer os.RemoveAll(dir)
		err = prepare(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	return m.Run()
}

func prepare(dir string) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), 10*time.Minute, errors.New("not within ten minutes"))
	defer cancel()
	if err := findPrograms(ctx, dir); err != nil {
		return err
	}
	files, err := trainer.Install(dir)
	if err != nil {
		return err
	}
	// It names the extra that a machine without PostgreSQL needs.
	flag, err := exec.CommandContext(ctx, "../setup/postgres-flag.sh").Output()
	if err != nil {
		return fmt.Errorf("look for PostgreSQL: %w", err)
	}
	var extras []string
	if extra, ok := strings.CutPrefix(strings.TrimSpace(string(flag)), "--with-"); ok {
		extras = append(extras, extra)
	}
	python, err = files.Environment(ctx, extras...)
	return err
}

func findPrograms(ctx context.Context, dir string) error {
	programs.dir = dir
	if bin := os.Getenv("SIGNALBOX_BIN"); bin != "" {
		abs, err := filepath.Abs(bin)
		if err != nil {
			return err
		}
		programs.dir = abs
	}
	programs.signalbox = filepath.Join(programs.dir, "signalbox")
	for _, p := range []struct{ name, cgo string }{{"signalbox", "0"}, {"signalbox-duckdb", "1"}} {
		path := filepath.Join(programs.dir, p.name)
		if programs.dir != dir {
			if _, err := os.Stat(path); err != nil {
				return fmt.Errorf("SIGNALBOX_BIN: %w: `make build` makes it", err)
			}
			continue
		}
		build := exec.CommandContext(ctx, "go", "build", "-o", path, "../../services/"+p.name)
		build.Env = append(os.Environ(), "CGO_ENABLED="+p.cgo)
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", p.name, err, out)
		}
	}
	return nil
}
