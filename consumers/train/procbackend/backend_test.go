package procbackend

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/consumers/train/backendtest"
	"github.com/signalbox-ml/signalbox/registry"
)

// runner is a job of the suite: it begins, waits until the file release is there, ends with the status in it.
const runner = `
printf 'begin\n'
while [ ! -s release ]; do sleep 0.02; done
printf 'end\n'
exit "$(cat release)"
`

func newBackend(t *testing.T, dir, script string) *Backend {
	t.Helper()
	return open(t, Config{Dir: dir, Command: []string{"/bin/sh", written(t, script)}, PythonPath: "/somewhere", Grace: 5 * time.Second})
}

// written puts a script into a file.
func written(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "runner.sh")
	if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, cfg Config) *Backend {
	t.Helper()
	b, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

func TestBackend(t *testing.T) { testBackend(t, newBackend) }

// testBackend runs the suite on backends of a kind.
func testBackend(t *testing.T, newBackend func(t *testing.T, dir, script string) *Backend) {
	backendtest.TestBackend(t, func(t *testing.T) backendtest.Subject {
		dir := t.TempDir()
		b := newBackend(t, dir, runner)
		return backendtest.Subject{
			Backend: b,
			Release: func(t *testing.T, run registry.RunID, attempt, status int) {
				folder := filepath.Join(dir, run.String(), strconv.Itoa(attempt))
				aside := filepath.Join(folder, "aside")
				if err := os.WriteFile(aside, []byte(strconv.Itoa(status)), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(aside, filepath.Join(folder, "release")); err != nil {
					t.Fatal(err)
				}
			},
			Kill: func(t *testing.T, run registry.RunID, attempt int) {
				b.mu.Lock()
				defer b.mu.Unlock()
				if err := syscall.Kill(b.live[key{run, attempt}].workers[0].pid(), syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			},
			Restart: func(t *testing.T) train.Backend {
				if err := b.Close(); err != nil {
					t.Fatal(err)
				}
				return newBackend(t, dir, runner)
			},
		}
	})
}

func newJob(files map[string]string) train.Job {
	return train.Job{Run: registry.RunID(uuid.New()), Attempt: 1, Spec: []byte(`{"token":"secret"}`), Files: files}
}

// finish submits a job and returns its log and its folder once it has ended.
func finish(t *testing.T, b *Backend, j train.Job) (string, string) {
	t.Helper()
	if err := b.Submit(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	p := b.live[key{j.Run, j.Attempt}]
	b.mu.Unlock()
	<-p.done
	dir := b.dir(key{j.Run, j.Attempt})
	out, err := os.ReadFile(filepath.Join(dir, logFile))
	if err != nil {
		t.Fatal(err)
	}
	return string(out), dir
}

func TestJobSeesItsFilesAndNoneOfOurEnvironment(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "canary")
	t.Setenv("DATABASE_URL", "postgres://canary")
	b := newBackend(t, t.TempDir(), `env; pwd; cat "$1"; cat workflow/flow.py`)
	out, dir := finish(t, b, newJob(map[string]string{"workflow/flow.py": "print('flow')"}))
	for _, want := range []string{"PYTHONHASHSEED=0", "PYTHONPATH=/somewhere", "OMP_NUM_THREADS=2", dir + "\n", `{"token":"secret"}`, "print('flow')"} {
		if !strings.Contains(out, want) {
			t.Errorf("log lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "canary") {
		t.Errorf("a credential leaked:\n%s", out)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v, %v, want it closed to others", info.Mode(), err)
	}
}

func TestFilesStayInTheFolder(t *testing.T) {
	for _, name := range []string{"../escape", "/etc/escape", "workflow/../../escape", "job.json", "log", "status.json", "ranks/1/job.json"} {
		b := newBackend(t, t.TempDir(), "true")
		if err := b.Submit(t.Context(), newJob(map[string]string{name: "x"})); err == nil {
			t.Errorf("file %q was written", name)
		}
	}
}

func TestCancelKillsWhoIgnoresSIGTERM(t *testing.T) {
	b := newBackend(t, t.TempDir(), `trap '' TERM; echo ready; while :; do sleep 0.05; done`)
	b.cfg.Grace = 200 * time.Millisecond
	j := newJob(nil)
	if err := b.Submit(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	awaitContent(t, filepath.Join(b.dir(key{j.Run, 1}), logFile), "ready\n")
	b.mu.Lock()
	p := b.live[key{j.Run, 1}]
	b.mu.Unlock()
	if err := b.Cancel(t.Context(), j.Run, 1); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.done:
	default:
		t.Error("the job lives on")
	}
	left, err := os.ReadDir(b.cfg.Dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func awaitContent(t *testing.T, path, want string) {
	t.Helper()
	timeout, tick := time.After(20*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for {
		if b, err := os.ReadFile(path); err == nil && string(b) == want {
			return
		}
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("%s never became %q", path, want)
		}
	}
}

// TestResubmitKeepsTheLog checks that readers that know an offset can go on after a restart.
func TestResubmitKeepsTheLog(t *testing.T) {
	dir := t.TempDir()
	b := newBackend(t, dir, `echo "$$"; sleep 600`)
	j := newJob(nil)
	if err := b.Submit(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	first := strconv.Itoa(b.live[key{j.Run, 1}].workers[0].pid()) + "\n"
	b.mu.Unlock()
	awaitContent(t, filepath.Join(b.dir(key{j.Run, 1}), logFile), first)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	again := newBackend(t, dir, `echo again`)
	out, _ := finish(t, again, j)
	if out != first+"again\n" {
		t.Errorf("log %q, want %q in front of the new output", out, first)
	}
}

func TestStatusFileIsWholeOrAbsent(t *testing.T) {
	dir := t.TempDir()
	if _, err := readStatus(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	want := train.Status{Phase: train.PhaseFailed, ExitCode: 137, Reason: "killed by signal 9"}
	if err := writeStatus(dir, want); err != nil {
		t.Fatal(err)
	}
	if got, err := readStatus(dir); err != nil || got != want {
		t.Errorf("read %+v, %v", got, err)
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 1 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

func FuzzReadStatus(f *testing.F) {
	f.Add([]byte(`{"phase":"failed","exit_code":1}`))
	f.Add([]byte(`{`))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, statusFile), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readStatus(dir); err == nil && !json.Valid(b) {
			t.Errorf("took %q for a status", b)
		}
	})
}

func TestConfig(t *testing.T) {
	if _, err := New(Config{Grace: -1}); err == nil ||
		!strings.Contains(err.Error(), "dir is missing") || !strings.Contains(err.Error(), "command is missing") || !strings.Contains(err.Error(), "negative") {
		t.Errorf("error %v, want every fault", err)
	}
}
