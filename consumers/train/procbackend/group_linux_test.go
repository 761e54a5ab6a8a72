package procbackend

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry"
)

// TestGroupDiesWithItsLeader checks that what a job leaves behind in its process group is ended, too.
func TestGroupDiesWithItsLeader(t *testing.T) {
	b := newBackend(t, t.TempDir(), `sleep 600 & echo $!`)
	out, _ := finish(t, b, newJob(nil))
	awaitGone(t, strings.TrimSpace(out))
}

// parentDir makes the test binary a process that starts a job in that folder and waits to be killed.
const parentDir = "PROCBACKEND_TEST_PARENT"

// parentWarm makes it one whose jobs are forked.
const parentWarm = "PROCBACKEND_TEST_WARM"

// TestJobsDieWithTheirParent kills a process that has a job, as nothing can prepare for.
func TestJobsDieWithTheirParent(t *testing.T) {
	t.Run("started", func(t *testing.T) { killParent(t, parentWarm+"=") })
	t.Run("forked", func(t *testing.T) { killParent(t, parentWarm+"=yes") })
}

func killParent(t *testing.T, kind string) {
	dir := t.TempDir()
	run := registry.RunID(uuid.New())
	parent := exec.Command(os.Args[0], "-test.run=^TestParentProcess$", run.String())
	parent.Env = append(os.Environ(), parentDir+"="+dir, kind)
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	logPath := filepath.Join(dir, run.String(), "1", logFile)
	pid := ""
	await(t, "the job to start", func() bool {
		b, err := os.ReadFile(logPath)
		pid = strings.TrimSpace(string(b))
		return err == nil && strings.HasSuffix(string(b), "\n")
	})
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // killed
	awaitGone(t, pid)

	b := newBackend(t, dir, "true")
	if _, err := b.Status(t.Context(), run, 1); !errors.Is(err, train.ErrNoJob) {
		t.Errorf("status of a job that died with us: %v, want ErrNoJob", err)
	}
	if r, err := b.Log(t.Context(), run, 1, 0); err != nil {
		t.Errorf("its log is gone: %v", err)
	} else if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// TestParentProcess is the parent of TestJobsDieWithTheirParent; on its own it does nothing.
func TestParentProcess(t *testing.T) {
	dir := os.Getenv(parentDir)
	if dir == "" {
		return
	}
	run, err := registry.ParseRunID(os.Args[len(os.Args)-1])
	if err != nil {
		t.Fatal(err)
	}
	kind := newBackend
	if os.Getenv(parentWarm) != "" {
		kind = newWarm
	}
	b := kind(t, dir, `echo $$; exec sleep 600`)
	if err := b.Submit(t.Context(), train.Job{Run: run, Attempt: 1, Spec: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	<-time.After(time.Minute) // until we are killed
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	timeout, tick := time.After(20*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("still waiting for %s", what)
		}
	}
}

func awaitGone(t *testing.T, pid string) {
	t.Helper()
	if _, err := strconv.Atoi(pid); err != nil {
		t.Fatalf("no pid: %q", pid)
	}
	await(t, "the end of pid "+pid, func() bool {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		// Somebody else's killed child stays as a zombie until it is reaped.
		return errors.Is(err, os.ErrNotExist) || bytes.Contains(stat, []byte(") Z "))
	})
}
