package miniotest

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// version is the last commit of the archived project: a fixed referee.
const version = "v0.0.0-20260212201848-7aac2a2c5b7c"

// binary returns the path of the MinIO program. The first caller on a machine builds it, which takes minutes; others,
// in other processes too, wait for it.
func binary(ctx context.Context, log io.Writer) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "signalbox", "minio-"+version)
	if err = os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	if _, err = lock.TryLockContext(ctx, 200*time.Millisecond); err != nil {
		return "", fmt.Errorf("wait for another build of MinIO: %w", err)
	}
	defer func() { _ = lock.Unlock() }() // the end of the process unlocks, too
	program := filepath.Join(dir, "minio")
	if _, err = os.Stat(program); err == nil {
		return program, nil
	}
	return program, build(ctx, dir, program, log)
}

// build installs into a folder of its own and renames, so that a build that was killed leaves no half program.
func build(ctx context.Context, dir, program string, log io.Writer) error {
	tmp, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	cmd := exec.CommandContext(ctx, "go", "install", "github.com/minio/minio@"+version)
	cmd.Dir = tmp // no go.mod above it has a say
	cmd.Env = append(environ(), "GOBIN="+tmp, "GOFLAGS=", "GOWORK=off", "GO111MODULE=on", "CGO_ENABLED=0")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	fmt.Fprintf(log, "building MinIO %s once, which takes a few minutes\n", version)
	if err = cmd.Run(); err != nil {
		return fmt.Errorf("build MinIO: %w: %s", err, strings.TrimSpace(out.String()))
	}
	return os.Rename(filepath.Join(tmp, "minio"), program)
}

// environ is the environment without what a go command that runs the tests sets for its own build.
func environ() []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		switch name {
		case "GOFLAGS", "GOWORK", "GOBIN", "GO111MODULE", "CGO_ENABLED", "GOOS", "GOARCH":
		default:
			env = append(env, kv)
		}
	}
	return env
}
