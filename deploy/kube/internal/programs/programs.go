// Package programs finds programs for tests in the user's cache, and builds them where they are not, from modules of Go
// alone. Those of Kubernetes are one binary, with one name for each program beside it; an operator is a set of its own.
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

// recipe is how a set is made.
type recipe struct {
	name   string   // for people, and of the folder of sources
	folder string   // the folder's name in the cache begins with it
	files  []string // what the set is made from, below the folder of all sources
	last   string   // gets its name when all else is there
	build  func(ctx context.Context, s Set, source string, progress io.Writer) error
}

// Path returns the path of a program: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubelet,
// kube-proxy, kubectl, or pause, the static program of a pod's first container.
func (s Set) Path(name string) string { return filepath.Join(s.dir, name) }

// Find returns the programs of the sources in source (see Source), building them if nobody did: 700 CPU-seconds with an
// empty build cache, 10 with a warm one. Progress goes to progress. Two that want the same build wait for each other.
func Find(ctx context.Context, source string, progress io.Writer) (Set, error) {
	return find(ctx, source, progress, recipe{
		name: binary, folder: "kube", last: binary, build: buildKubernetes,
		files: []string{"kubernetes/go.mod", "kubernetes/go.sum", "kubernetes/main.go", "pause/main.go"},
	})
}

// Operators are the operators that can be found beside Kubernetes, by name.
func Operators() map[string]func(ctx context.Context, source string, progress io.Writer) (Set, error) {
	return map[string]func(context.Context, string, io.Writer) (Set, error){"kuberay": FindKubeRay, "kueue": FindKueue}
}

func find(ctx context.Context, source string, progress io.Writer, r recipe) (Set, error) {
	version, err := output(ctx, source, "go", "env", "GOVERSION")
	if err != nil {
		return Set{}, fmt.Errorf("find %s: %w", r.name, err)
	}
	id, err := key(source, version, r.files)
	if err != nil {
		return Set{}, fmt.Errorf("find %s: %w", r.name, err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return Set{}, fmt.Errorf("find %s: %w", r.name, err)
	}
	s := Set{filepath.Join(cache, "signalbox", r.folder+"-"+id)}
	if s.has(r.last) {
		return s, nil
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return Set{}, fmt.Errorf("find %s: %w", r.name, err)
	}
	lock, err := os.OpenFile(s.Path("lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return Set{}, fmt.Errorf("find %s: %w", r.name, err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return Set{}, fmt.Errorf("find %s: lock %s: %w", r.name, lock.Name(), err)
	}
	if s.has(r.last) {
		return s, nil // by whoever had the lock before
	}
	began := time.Now()
	fmt.Fprintf(progress, "building %s in %s: minutes the first time, seconds with a warm build cache\n", r.name, s.dir)
	if err := r.build(ctx, s, source, progress); err != nil {
		return Set{}, fmt.Errorf("build %s: %w", r.name, err)
	}
	fmt.Fprintf(progress, "built %s in %.0f s\n", r.name, time.Since(began).Seconds())
	return s, nil
}

func (s Set) has(file string) bool {
	_, err := os.Stat(s.Path(file))
	return err == nil
}

func buildKubernetes(ctx context.Context, s Set, source string, progress io.Writer) error {
	gomod, err := os.ReadFile(filepath.Join(source, binary, "go.mod"))
	if err != nil {
		return err
	}
	flags, err := linkFlags(gomod)
	if err != nil {
		return err
	}
	for _, b := range []struct{ name, flags string }{{"pause", "-s -w"}, {binary, flags}} {
		if err := s.compile(ctx, filepath.Join(source, b.name), ".", b.name, b.flags, progress); err != nil {
			return err
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
	return nil
}

// compile builds a package of the module in dir as NAME.new: what has its name is complete.
func (s Set) compile(ctx context.Context, dir, pkg, name, flags string, progress io.Writer) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", s.Path(name+".new"), pkg)
	cmd.Dir = dir
	cmd.Env = environ()
	cmd.Stdout, cmd.Stderr = progress, progress
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) } // it ends its compilers
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// environ keeps the caller's workspace and flags out: the modules of programs stand alone.
func environ() []string { return append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=") }

func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, environ()
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
