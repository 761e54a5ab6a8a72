package procbackend

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/train"
)

// journal is a log that a test can wait for.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(b)
}

func (j *journal) has(text string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Contains(j.buf.String(), text)
}

// warmConfig is a backend whose jobs are shell scripts, forked by a parent that runs a module of testdata.
func warmConfig(t *testing.T, dir, script, module string) (Config, *journal) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatalf("%v: install Python 3.10 or newer", err)
	}
	source, err := filepath.Abs("../../../services/trainer/src")
	if err != nil {
		t.Fatal(err)
	}
	data, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	j, path := new(journal), written(t, script)
	return Config{
		Dir: dir, Command: []string{"/bin/sh", path}, PythonPath: source + ":" + data, Grace: 5 * time.Second,
		Warm: []string{python, "-m", "signalbox.forkserver", module},
		Env:  map[string]string{"SCRIPT": path}, Log: slog.New(slog.NewTextHandler(j, nil)),
	}, j
}

// newWarm returns a backend with a parent that is ready.
func newWarm(t *testing.T, dir, script string) *Backend {
	t.Helper()
	cfg, j := warmConfig(t, dir, script, "shell")
	b := open(t, cfg)
	await(t, "the warm parent", func() bool { return j.has("warm parent is ready") })
	return b
}

func TestWarmBackend(t *testing.T) { testBackend(t, newWarm) }

// parentOf returns the pid of a process's parent.
func parentOf(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^PPid:\s+(\d+)$`).FindSubmatch(status)
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestForkedJobIsLikeAnyOther compares what a job sees that was forked with what it sees that was started.
func TestForkedJobIsLikeAnyOther(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "canary")
	const script = `
env | grep -v '^_=\|^SCRIPT=' | sort
for n in 0 1 2; do readlink /proc/$$/fd/$n | sed 's|.*/||'; done
pwd | sed 's|.*/||'; cat "$1"; cat workflow/flow.py; umask
[ "$(ps -o pgid= -p $$ | tr -d ' ')" = $$ ] && echo leads its group
echo error >&2`
	cfg, j := warmConfig(t, t.TempDir(), script, "shell")
	forked := open(t, cfg)
	await(t, "the warm parent", func() bool { return j.has("warm parent is ready") })
	cfg.Dir, cfg.Warm = t.TempDir(), nil
	job := newJob(map[string]string{"workflow/flow.py": "print('flow')"})
	started := open(t, cfg)
	got, _ := finish(t, forked, job)
	want, _ := finish(t, started, job)
	got = strings.ReplaceAll(got, forked.cfg.Dir, started.cfg.Dir)
	if got != want {
		t.Errorf("forked:\n%s\nstarted:\n%s", got, want)
	}
	if strings.Contains(got, "canary") || !strings.Contains(got, "PYTHONHASHSEED=0") || !strings.Contains(got, "leads its group") {
		t.Errorf("log:\n%s", got)
	}
}

func TestForkedJobsAreTheParentsAndLeaveNothing(t *testing.T) {
	b := newWarm(t, t.TempDir(), `sleep 600 & echo $!; exit 7`)
	j := newJob(nil)
	out, dir := finish(t, b, j)
	awaitGone(t, strings.TrimSpace(out))
	if st, err := readStatus(dir); err != nil || st.ExitCode != 7 {
		t.Errorf("status %+v, %v, want exit status 7", st, err)
	}
	server := b.parent.get()
	await(t, "the end of every child", func() bool {
		children, err := os.ReadFile("/proc/" + strconv.Itoa(server.pid) + "/task/" + strconv.Itoa(server.pid) + "/children")
		return err == nil && len(children) == 0
	})
}

func TestForkedWorkers(t *testing.T) {
	b := newWarm(t, t.TempDir(), `RANK=$SIGNALBOX_RANK`+begins+`while [ ! -e "$dir/go" ]; do sleep 0.02; done; [ "$RANK" = 1 ] && kill -9 $$; exec sleep 600`)
	j := newJob(nil)
	j.Workers = 3
	if err := b.Submit(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	awaitRanks(t, b, j, 3)
	pids, server := b.job(j).pids(), b.parent.get().pid
	for _, pid := range pids {
		if parentOf(t, pid) != server {
			t.Errorf("worker %d is no child of the warm parent %d", pid, server)
		}
	}
	if err := os.WriteFile(filepath.Join(b.folder(j), "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if st := ended(t, b, j); st.ExitCode != 137 || !strings.HasPrefix(st.Reason, "rank 1: killed by signal 9") {
		t.Errorf("status %+v", st)
	}
}

// lasting is a job that says its pid and stays.
const lasting = `echo $$; exec sleep 600`

// submitted starts a job and waits until it has said its pid.
func submitted(t *testing.T, b *Backend) (train.Job, int) {
	t.Helper()
	j := newJob(nil)
	if err := b.Submit(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	pid := b.job(j).pids()[0]
	awaitContent(t, filepath.Join(b.folder(j), logFile), strconv.Itoa(pid)+"\n")
	return j, pid
}

// A parent that is killed takes its jobs along: they are lost, not failed. The next job does without it, and finds another one
// after that.
func TestParentKilled(t *testing.T) {
	cfg, log := warmConfig(t, t.TempDir(), lasting, "shell")
	b := open(t, cfg)
	await(t, "the warm parent", func() bool { return b.parent.get() != nil })
	j, pid := submitted(t, b)
	server := b.parent.get().pid
	if parentOf(t, pid) != server {
		t.Fatalf("job %d was not forked", pid)
	}
	if err := syscall.Kill(server, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "the job to be lost", func() bool {
		_, err := b.Status(t.Context(), j.Run, 1)
		return errors.Is(err, train.ErrNoJob)
	})
	awaitGone(t, strconv.Itoa(pid))
	if err := b.Submit(t.Context(), j); err != nil {
		t.Fatalf("submit it again: %v", err)
	}
	if again := b.job(j).pids()[0]; parentOf(t, again) != os.Getpid() {
		t.Errorf("job %d was not started by itself", again)
	}
	if !log.has("warm parent has ended") {
		t.Error("nothing was logged of the parent's end")
	}
	await(t, "another parent", func() bool { return b.parent.get() != nil })
	if _, next := submitted(t, b); parentOf(t, next) != b.parent.get().pid {
		t.Errorf("job %d was not forked", next)
	}
	if err := b.Cancel(t.Context(), j.Run, 1); err != nil {
		t.Error(err)
	}
}

func TestParentThatHangs(t *testing.T) {
	cfg, log := warmConfig(t, t.TempDir(), lasting, "shell")
	cfg.Patience = 200 * time.Millisecond
	b := open(t, cfg)
	await(t, "the warm parent", func() bool { return b.parent.get() != nil })
	first, pid := submitted(t, b)
	if err := syscall.Kill(b.parent.get().pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	_, second := submitted(t, b)
	if parentOf(t, second) != os.Getpid() || !log.has("job is started without the warm parent") {
		t.Errorf("job %d was not started by itself, or nobody was told", second)
	}
	awaitGone(t, strconv.Itoa(pid)) // nobody would hear of its end
	if _, err := b.Status(t.Context(), first.Run, 1); !errors.Is(err, train.ErrNoJob) {
		t.Errorf("status of a job of the parent: %v, want ErrNoJob", err)
	}
}

// A parent that hangs and is asked for nothing is found, too: its jobs' ends would never be heard of.
func TestParentThatHangsIsFound(t *testing.T) {
	cfg, _ := warmConfig(t, t.TempDir(), lasting, "shell")
	cfg.Patience = 100 * time.Millisecond
	b := open(t, cfg)
	await(t, "the warm parent", func() bool { return b.parent.get() != nil })
	j, _ := submitted(t, b)
	if err := syscall.Kill(b.parent.get().pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	await(t, "the job to be lost", func() bool {
		_, err := b.Status(t.Context(), j.Run, 1)
		return errors.Is(err, train.ErrNoJob)
	})
}

func TestParentThatCannotBe(t *testing.T) {
	for name, tc := range map[string]struct {
		module string
		edit   func(*Config)
		want   string
	}{
		"has threads":      {"threaded", nil, "it has 2 threads: "},
		"cannot import":    {"missing", nil, "No module named 'missing'"},
		"ends":             {"shell", func(c *Config) { c.Warm = []string{"/bin/sh", "-c", "echo no such thing; exit 1"} }, "no such thing"},
		"is no program":    {"shell", func(c *Config) { c.Warm = []string{"/nonexistent/python"} }, "/nonexistent/python"},
		"speaks otherwise": {"shell", func(c *Config) { c.Warm = []string{"/bin/sh", "-c", "echo hello >&3; sleep 600"} }, "it has ended"},
		"answers out of turn": {"shell", func(c *Config) {
			c.Warm = []string{"/bin/sh", "-c", `echo '{"id":1,"pid":1}' >&3; echo '{"id":2,"pid":1}' >&3; sleep 600`}
		}, "it has ended"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, log := warmConfig(t, t.TempDir(), `echo done`, tc.module)
			if tc.edit != nil {
				tc.edit(&cfg)
			}
			b := open(t, cfg)
			await(t, "a warning", func() bool { return log.has("no warm parent") })
			if !log.has(tc.want) {
				t.Errorf("the log lacks %q:\n%s", tc.want, log.buf.String())
			}
			if out, _ := finish(t, b, newJob(nil)); out != "done\n" {
				t.Errorf("job without a parent printed %q", out)
			}
		})
	}
}

// A job that comes before the parent is ready does not wait for it.
func TestJobBeforeTheParentIsReady(t *testing.T) {
	cfg, _ := warmConfig(t, t.TempDir(), `echo done`, "shell")
	cfg.Warm = []string{"/bin/sh", "-c", "exec sleep 600"}
	b := open(t, cfg)
	if out, _ := finish(t, b, newJob(nil)); out != "done\n" {
		t.Errorf("it printed %q", out)
	}
}

func TestClosedBackendLeavesNoParent(t *testing.T) {
	b := newWarm(t, t.TempDir(), lasting)
	_, pid := submitted(t, b)
	server := b.parent.get().pid
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []int{pid, server} {
		awaitGone(t, strconv.Itoa(gone))
	}
}

func TestWordsAreTheLast(t *testing.T) {
	var w tail
	for _, b := range [][]byte{bytes.Repeat([]byte("a"), maxTail), []byte("the end")} {
		if n, err := w.Write(b); n != len(b) || err != nil {
			t.Fatal(n, err)
		}
	}
	if s := w.String(); len(s) != maxTail || !strings.HasSuffix(s, "athe end") {
		t.Errorf("%d bytes, %q", len(s), s[len(s)-10:])
	}
}
