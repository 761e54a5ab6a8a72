package raybackend_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/consumers/train/raybackend"
	"github.com/signalbox-ml/signalbox/registry"
)

func newJob() train.Job {
	return train.Job{
		Run: registry.RunID(uuid.New()), Attempt: 1, Spec: []byte(`{"token":"canary"}`), ComputeClass: "CPU",
		Files: map[string]string{"workflow/flow.py": "", "workflow/deep/er.py": ""},
	}
}

func submit(t *testing.T, b *raybackend.Backend, j train.Job) {
	t.Helper()
	if err := b.Submit(t.Context(), j); err != nil {
		t.Fatal(err)
	}
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	timeout, tick := time.After(90*time.Second), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("still waiting for %s", what)
		}
	}
}

// awaitEnd waits until a job has ended.
func awaitEnd(t *testing.T, b *raybackend.Backend, j train.Job) (st train.Status) {
	t.Helper()
	await(t, "the end of the job", func() bool {
		var err error
		if st, err = b.Status(t.Context(), j.Run, j.Attempt); err != nil {
			t.Fatal(err)
		}
		return st.Phase == train.PhaseSucceeded || st.Phase == train.PhaseFailed
	})
	return st
}

func readLog(t *testing.T, b *raybackend.Backend, j train.Job) string {
	t.Helper()
	r, err := b.Log(t.Context(), j.Run, j.Attempt, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestWhatAJobSees checks the environment, and that what a job makes goes with it.
func TestWhatAJobSees(t *testing.T) {
	c := useCluster(t)
	url, _ := c.dashboard(t)
	b := newBackend(t, c, url, func(cfg *raybackend.Config) {
		cfg.Scratch = c.dir
		cfg.Classes = map[string]raybackend.Class{"CPU": {CPUs: 2, Env: map[string]string{"MODEL_HUB": "hub"}}}
	})
	j := newJob()
	submit(t, b, j)
	names := []string{"SIGNALBOX_EXECUTOR", "PYTHONHASHSEED", "OMP_NUM_THREADS", "MODEL_HUB", "SIGNALBOX_SCRATCH"}
	c.tell(j.Run, 1, "fill "+strings.Join(names, ","))
	if st := awaitEnd(t, b, j); st.Phase != train.PhaseSucceeded {
		t.Fatalf("status %+v: %s", st, readLog(t, b, j))
	}
	_, line, _ := strings.Cut(readLog(t, b, j), "\n")
	var seen map[string]*string
	if err := json.Unmarshal([]byte(line), &seen); err != nil {
		t.Fatalf("%v in %q", err, line)
	}
	for name, want := range map[string]string{"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "2", "MODEL_HUB": "hub"} {
		if seen[name] == nil || *seen[name] != want {
			t.Errorf("%s is not %q", name, want)
		}
	}
	if seen["SIGNALBOX_EXECUTOR"] != nil {
		t.Error("jobs have the name of an executor: a second one of the same attempt would pass for the first")
	}
	scratch := seen["SIGNALBOX_SCRATCH"]
	if scratch == nil || !strings.HasPrefix(*scratch, c.dir+"/signalbox.") {
		t.Fatalf("scratch %v", scratch)
	}
	if _, err := os.Stat(*scratch); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the job's scratch is left: %v", err)
	}

	stopped := newJob()
	submit(t, b, stopped)
	folders := func() []string {
		found, err := filepath.Glob(filepath.Join(c.dir, "signalbox.*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	await(t, "the scratch of the second job", func() bool { return len(folders()) == 1 })
	awaitCancel(t, t.Context(), b, train.Attempt{Run: stopped.Run, N: 1})
	if left := folders(); len(left) != 0 {
		t.Errorf("the scratch of a job that was stopped is left: %v", left)
	}
}

// TestNameOfSomebodyElse: a job that has our name is neither taken for ours nor removed.
func TestNameOfSomebodyElse(t *testing.T) {
	c := useCluster(t)
	url, _ := c.dashboard(t)
	other := newBackend(t, c, url, func(cfg *raybackend.Config) { cfg.Instance = "other" })
	b := newBackend(t, c, url)
	j := newJob()
	submit(t, other, j)
	if err := b.Submit(t.Context(), j); err == nil || !strings.Contains(err.Error(), "not ours") {
		t.Errorf("submit: %v", err)
	}
	if _, err := b.Status(t.Context(), j.Run, 1); err == nil || errors.Is(err, train.ErrNoJob) {
		t.Errorf("status: %v, want an error that is not ErrNoJob", err)
	}
	if err := b.Cancel(t.Context(), j.Run, 1); err != nil {
		t.Errorf("cancel: %v", err)
	}
	if jobs, err := b.Jobs(t.Context()); err != nil || len(jobs) != 0 {
		t.Errorf("jobs %v, %v", jobs, err)
	}
	if jobs, err := other.Jobs(t.Context()); err != nil || len(jobs) != 1 || jobs[0] != (train.Attempt{Run: j.Run, N: 1}) {
		t.Errorf("the other's jobs %v, %v", jobs, err)
	}
	c.tell(j.Run, 1, "memory")
	if st := awaitEnd(t, other, j); st.Cause != train.CauseOutOfMemory || st.ExitCode != 137 || !strings.Contains(st.Reason, "limit 512 MiB") {
		t.Errorf("status %+v, want out of memory with its figures", st)
	}
	awaitCancel(t, t.Context(), other, train.Attempt{Run: j.Run, N: 1})
}

// TestNoRoom: what the cluster does not have is waited for, in words, until Ray gives it up. Before that Ray can neither
// stop the job nor forget it.
func TestNoRoom(t *testing.T) {
	t.Parallel() // it only waits
	c := useCluster(t)
	url, _ := c.dashboard(t)
	b := newBackend(t, c, url, func(cfg *raybackend.Config) {
		cfg.Classes = map[string]raybackend.Class{"CPU": {Resources: map[string]float64{"tpu": 1}}}
	})
	j := newJob()
	submit(t, b, j)
	st, err := b.Status(t.Context(), j.Run, 1)
	if err != nil || st.Phase != train.PhasePending || !strings.Contains(st.Reason, "waiting for resources") {
		t.Errorf("status %+v, %v", st, err)
	}
	if err := b.Cancel(t.Context(), j.Run, 1); !errors.Is(err, train.ErrEnding) {
		t.Errorf("cancel of a job that waits: %v, want ErrEnding", err)
	}
	if st := awaitEnd(t, b, j); st.Phase != train.PhaseFailed || st.Cause != train.CauseDisrupted {
		t.Errorf("when Ray gave it up: %+v, want another attempt that costs none", st)
	}
}

// TestBytesThatAreNoText: Ray cannot read such a log, and says so as if it were broken; see Log.
func TestBytesThatAreNoText(t *testing.T) {
	c := useCluster(t)
	url, _ := c.dashboard(t)
	b := newBackend(t, c, url)
	j := newJob()
	submit(t, b, j)
	c.tell(j.Run, 1, "bytes")
	if st := awaitEnd(t, b, j); st.Phase != train.PhaseSucceeded {
		t.Errorf("status %+v", st)
	}
	if _, err := b.Log(t.Context(), j.Run, 1, 0); err == nil || !strings.Contains(err.Error(), "500") {
		t.Errorf("log: %v: this Ray can read it, so a log has to be compared byte by byte", err)
	}
}

// TestDashboardAway: no answer is not the same as no job.
func TestDashboardAway(t *testing.T) {
	c := useCluster(t)
	url, stop := c.dashboard(t)
	b := newBackend(t, c, url)
	intruder := newBackend(t, c, url, func(cfg *raybackend.Config) { cfg.Token = "" })
	j := newJob()
	if err := intruder.Submit(t.Context(), j); err == nil || !strings.Contains(err.Error(), fmt.Sprint(401)) {
		t.Errorf("without the token: %v", err)
	}
	if _, err := b.Status(t.Context(), j.Run, 1); !errors.Is(err, train.ErrNoJob) {
		t.Errorf("unknown job: %v", err)
	}
	stop()
	if _, err := b.Status(t.Context(), j.Run, 1); err == nil || errors.Is(err, train.ErrNoJob) {
		t.Errorf("dashboard away: %v, want an error that is not ErrNoJob", err)
	}
	if err := b.Submit(t.Context(), j); err == nil {
		t.Error("submitted to nobody")
	}
}
