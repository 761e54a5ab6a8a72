//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/kube/internal/cluster"
)

// executable is the command under test.
var executable string

func TestMain(m *testing.M) {
	status, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "kube")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	executable = filepath.Join(dir, "kube")
	if out, err := command("go", "build", "-o", executable, ".").CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build kube: %w: %s", err, out)
	}
	// Not within the time that a cluster has to come up.
	programs := command(executable, "programs")
	programs.Stderr = os.Stderr
	if err := programs.Run(); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

func command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	return cmd
}

// running is a kube up.
type running struct {
	cluster.Up
	cmd   *exec.Cmd
	stdin io.Closer
	lines chan string
	log   string // the file that it writes for people
}

// start brings a cluster up and sees to its end, whatever happens to the test.
func start(t *testing.T, mode, dir string) *running {
	t.Helper()
	r := &running{cmd: command(executable, "up", "--mode", mode, "--dir", dir, "--ready-timeout", "100s"), lines: make(chan string, 100), log: filepath.Join(t.TempDir(), "log")}
	log, err := os.Create(r.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	r.cmd.Stderr = log
	stdin, err := r.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.stdin = stdin
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = r.cmd.Wait()
		if t.Failed() {
			t.Logf("kube up said:\n%s", r.said())
		}
	})
	go func() {
		defer close(r.lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			r.lines <- s.Text()
		}
	}()
	if err := json.Unmarshal([]byte(r.line(t, 12*time.Minute)), &r.Up); err != nil {
		t.Fatalf("the first line: %v", err)
	}
	return r
}

func (r *running) said() string {
	b, err := os.ReadFile(r.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// line returns the next line of standard output. The first may be long in coming: nodes of a machine wait for each other.
func (r *running) line(t *testing.T, limit time.Duration) string {
	t.Helper()
	select {
	case line, ok := <-r.lines:
		if !ok {
			t.Fatal("kube up ended")
		}
		return line
	case <-time.After(limit):
		t.Fatal("kube up printed nothing")
	}
	return ""
}

// end closes standard input, wants a clean exit, and looks for processes.
func (r *running) end(t *testing.T) {
	t.Helper()
	r.stdin.Close()
	for range r.lines { // closed when the process is gone
	}
	if err := r.cmd.Wait(); err != nil {
		t.Errorf("kube up ended with %v", err)
	}
	for name, pid := range r.Pids {
		if alive(pid) {
			t.Errorf("%s (%d) is still there", name, pid)
		}
	}
}

// kubectl runs a command that must work.
func (r *running) kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := r.try(stdin, args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

func (r *running) try(stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.Kubectl, append([]string{"--kubeconfig", r.Kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// eventually asks until the answer is yes.
func eventually(t *testing.T, what string, ask func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(40 * time.Second); time.Now().Before(end); <-tick.C {
		if ask() {
			return
		}
	}
	t.Fatalf("it never came to this: %s", what)
}

// alive reports a process that is not just waiting to be buried.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(b), ") ")
	return err == nil && !strings.HasPrefix(state, "Z")
}

// job is a Job of one pod that is not tried again.
func job(name, image, memory string, args ...string) string {
	said, _ := json.Marshal(args) // strings always become JSON
	return fmt.Sprintf(`{"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": %q}, "spec": {"backoffLimit": 0, "template": {"spec": {
 "restartPolicy": "Never", "automountServiceAccountToken": false,
 "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
 "containers": [{"name": "job", "image": %q, "imagePullPolicy": "IfNotPresent", "args": %s,
  "resources": {"limits": {"memory": %q}},
  "securityContext": {"readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}]}}}}`, name, image, said, memory)
}
