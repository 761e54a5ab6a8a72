// Package programs finds the programs of Kubernetes in the user's cache, and builds them where they are not: all of them
// are one binary, made from modules of Go alone, with one name for each program beside it.
package programs

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const binary = "kubernetes"

// Set is the folder of a build.
type Set struct{ dir string }

// Path returns the path of a program: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubelet,
// kube-proxy, kubectl, or pause, the static program of a pod's first container.
func (s Set) Path(name string) string { return filepath.Join(s.dir, name) }

// Find returns the programs of the sources in source (see Source), building them if nobody did: 700 CPU-seconds with an
// empty build cache, 10 with a warm one. Progress goes to progress. Two that want the same build wait for each other.
func Find(ctx context.Context, source string, progress io.Writer) (Set, error) {
	version, err := output(ctx, source, "go", "env", "GOVERSION")
	if err != nil {
		return Set{}, fmt.Errorf("find kubernetes: %w", err)
	}
	id, err := key(source, version)
	if err != nil {
		return Set{}, fmt.Errorf("find kubernetes: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return Set{}, fmt.Errorf("find kubernetes: %w", err)
	}
	s := Set{filepath.Join(cache, "signalbox", "kube-"+id)}
	if s.complete() {
		return s, nil
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return Set{}, fmt.Errorf("find kubernetes: %w", err)
	}
	lock, err := os.OpenFile(s.Path("lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return Set{}, fmt.Errorf("find kubernetes: %w", err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return Set{}, fmt.Errorf("find kubernetes: lock %s: %w", lock.Name(), err)
	}
	if s.complete() {
		return s, nil // by whoever had the lock before
	}
	if err := s.build(ctx, source, progress); err != nil {
		return Set{}, fmt.Errorf("build kubernetes: %w", err)
	}
	return s, nil
}

// complete reports whether everything is there: the binary is the last to get its name.
func (s Set) complete() bool {
	_, err := os.Stat(s.Path(binary))
	return err == nil
}

func (s Set) build(ctx context.Context, source string, progress io.Writer) error {
	began := time.Now()
	fmt.Fprintf(progress, "building kubernetes in %s: minutes the first time, seconds with a warm build cache\n", s.dir)
	gomod, err := os.ReadFile(filepath.Join(source, binary, "go.mod"))
	if err != nil {
		return err
	}
	flags, err := linkFlags(gomod)
	if err != nil {
		return err
	}
	for _, b := range []struct{ name, flags string }{{"pause", "-s -w"}, {binary, flags}} {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", b.flags, "-o", s.Path(b.name+".new"), ".")
		cmd.Dir = filepath.Join(source, b.name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
		cmd.Stdout, cmd.Stderr = progress, progress
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) } // it ends its compilers
		cmd.WaitDelay = 10 * time.Second
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
	}
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"} {
		if err := os.Symlink(binary, s.Path(name)); err != nil && !os.IsExist(err) {
			return err
		}
	}
	for _, name := range []string{"pause", binary} {
		if err := os.Rename(s.Path(name+".new"), s.Path(name)); err != nil {
			return err
		}
	}
	fmt.Fprintf(progress, "built kubernetes in %.0f s\n", time.Since(began).Seconds())
	return nil
}

func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
