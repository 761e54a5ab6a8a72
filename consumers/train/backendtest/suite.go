// Package backendtest holds the suite that every train.Backend passes, and Memory, the backend of tests.
package backendtest

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry"
)

// What the jobs of the suite print. They begin at once, end when they are released, and exit with the released status.
const (
	Begin = "begin\n"
	End   = "end\n"
)

// Subject is a backend under test and the means to drive its jobs.
type Subject struct {
	Backend train.Backend
	// Release lets a job end with an exit status.
	Release func(t *testing.T, run registry.RunID, attempt, status int)
	// Kill ends a job as the system would that is out of memory: by signal 9.
	Kill func(t *testing.T, run registry.RunID, attempt int)
	// Restart replaces the backend as a crash of its process would, and returns the new one.
	Restart func(t *testing.T) train.Backend
}

// TestBackend runs the contract against backends that open returns. Each is empty; open cleans up after the test.
func TestBackend(t *testing.T, open func(t *testing.T) Subject) {
	tests := []struct {
		name string
		run  func(t *testing.T, s Subject)
	}{
		{"Unknown", testUnknown},
		{"Success", testSuccess},
		{"Failure", testFailure},
		{"Killed", testKilled},
		{"Deadline", testDeadline},
		{"SubmitTwice", testSubmitTwice},
		{"SubmitAtOnce", testSubmitAtOnce},
		{"SubmitAfterEnd", testSubmitAfterEnd},
		{"LogWhileRunning", testLogWhileRunning},
		{"Cancel", testCancel},
		{"CancelEnded", testCancelEnded},
		{"Attempts", testAttempts},
		{"RestartForgetsRunning", testRestartForgetsRunning},
		{"RestartKeepsEnded", testRestartKeepsEnded},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) { tc.run(t, open(t)) })
	}
}

// job is the job of a run by name.
func job(name string, attempt int) train.Job {
	return train.Job{
		Run: registry.RunID(uuid.NewSHA1(uuid.Nil, []byte(name))), Attempt: attempt, Spec: []byte(`{"version":1}`),
		Files: map[string]string{"workflow/flow.py": "pass\n", "workflow/deep/er.py": "pass\n"}, ComputeClass: "CPU",
	}
}

func submit(t *testing.T, b train.Backend, j train.Job) {
	t.Helper()
	if err := b.Submit(t.Context(), j); err != nil {
		t.Fatalf("submit: %v", err)
	}
}

// await polls until ok says that it is enough.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	timeout, tick := time.After(30*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("still waiting: %s", what)
		}
	}
}

func awaitPhase(t *testing.T, b train.Backend, j train.Job, want train.Phase) train.Status {
	t.Helper()
	var st train.Status
	await(t, "phase "+string(want), func() bool {
		var err error
		if st, err = b.Status(t.Context(), j.Run, j.Attempt); err != nil {
			t.Fatalf("status: %v", err)
		}
		return st.Phase == want
	})
	return st
}

func awaitLog(t *testing.T, b train.Backend, j train.Job, want string) {
	t.Helper()
	await(t, fmt.Sprintf("log %q", want), func() bool { return log(t, b, j, 0) == want })
}

func log(t *testing.T, b train.Backend, j train.Job, offset int64) string {
	t.Helper()
	r, err := b.Log(t.Context(), j.Run, j.Attempt, offset)
	if err != nil {
		t.Fatalf("log: %v", err)
	}
	defer r.Close()
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("log: %v", err)
	}
	return string(out)
}

func wantNoJob(t *testing.T, b train.Backend, j train.Job) {
	t.Helper()
	if st, err := b.Status(t.Context(), j.Run, j.Attempt); !errors.Is(err, train.ErrNoJob) {
		t.Errorf("status = %+v, %v, want ErrNoJob", st, err)
	}
}

func testUnknown(t *testing.T, s Subject) {
	j := job("unknown", 1)
	wantNoJob(t, s.Backend, j)
	if _, err := s.Backend.Log(t.Context(), j.Run, 1, 0); !errors.Is(err, train.ErrNoJob) {
		t.Errorf("log: %v, want ErrNoJob", err)
	}
	if err := s.Backend.Cancel(t.Context(), j.Run, 1); err != nil {
		t.Errorf("cancel: %v", err)
	}
}

func testSuccess(t *testing.T, s Subject) {
	j := job("success", 1)
	submit(t, s.Backend, j)
	awaitLog(t, s.Backend, j, Begin)
	awaitPhase(t, s.Backend, j, train.PhaseRunning)
	s.Release(t, j.Run, 1, 0)
	if st := awaitPhase(t, s.Backend, j, train.PhaseSucceeded); st.ExitCode != 0 {
		t.Errorf("status %+v", st)
	}
	awaitLog(t, s.Backend, j, Begin+End)
}

func testFailure(t *testing.T, s Subject) {
	j := job("failure", 1)
	submit(t, s.Backend, j)
	s.Release(t, j.Run, 1, 3)
	if st := awaitPhase(t, s.Backend, j, train.PhaseFailed); st.ExitCode != 3 || st.Reason == "" {
		t.Errorf("status %+v, want exit code 3 with a reason", st)
	}
}

func testKilled(t *testing.T, s Subject) {
	j := job("killed", 1)
	submit(t, s.Backend, j)
	awaitLog(t, s.Backend, j, Begin)
	s.Kill(t, j.Run, 1)
	if st := awaitPhase(t, s.Backend, j, train.PhaseFailed); st.ExitCode != 137 || !strings.Contains(st.Reason, "signal 9") {
		t.Errorf("status %+v, want exit code 137 and signal 9 as the reason", st)
	}
}

func testDeadline(t *testing.T, s Subject) {
	j := job("deadline", 1)
	j.Deadline = 300 * time.Millisecond
	submit(t, s.Backend, j)
	if st := awaitPhase(t, s.Backend, j, train.PhaseFailed); st.Reason != train.ReasonDeadline {
		t.Errorf("status %+v, want reason %q", st, train.ReasonDeadline)
	}
}

func testSubmitTwice(t *testing.T, s Subject) {
	j := job("twice", 1)
	submit(t, s.Backend, j)
	awaitLog(t, s.Backend, j, Begin)
	submit(t, s.Backend, j)
	s.Release(t, j.Run, 1, 0)
	awaitPhase(t, s.Backend, j, train.PhaseSucceeded)
	awaitLog(t, s.Backend, j, Begin+End)
}

func testSubmitAtOnce(t *testing.T, s Subject) {
	j := job("at once", 1)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := s.Backend.Submit(t.Context(), j); err != nil {
				t.Errorf("submit: %v", err)
			}
		})
	}
	wg.Wait()
	awaitLog(t, s.Backend, j, Begin)
	s.Release(t, j.Run, 1, 0)
	awaitPhase(t, s.Backend, j, train.PhaseSucceeded)
	awaitLog(t, s.Backend, j, Begin+End)
}

func testSubmitAfterEnd(t *testing.T, s Subject) {
	j := job("after end", 1)
	submit(t, s.Backend, j)
	s.Release(t, j.Run, 1, 0)
	awaitPhase(t, s.Backend, j, train.PhaseSucceeded)
	submit(t, s.Backend, j)
	if st, err := s.Backend.Status(t.Context(), j.Run, 1); err != nil || st.Phase != train.PhaseSucceeded {
		t.Errorf("after another submit: %+v, %v", st, err)
	}
	awaitLog(t, s.Backend, j, Begin+End)
}

func testLogWhileRunning(t *testing.T, s Subject) {
	j := job("log", 1)
	submit(t, s.Backend, j)
	awaitLog(t, s.Backend, j, Begin)
	for offset := range int64(len(Begin) + 3) {
		want := Begin[min(int(offset), len(Begin)):]
		if got := log(t, s.Backend, j, offset); got != want {
			t.Errorf("log from %d = %q, want %q", offset, got, want)
		}
	}
	s.Release(t, j.Run, 1, 0)
	awaitPhase(t, s.Backend, j, train.PhaseSucceeded)
	if got := log(t, s.Backend, j, int64(len(Begin))); got != End {
		t.Errorf("rest of the log = %q, want %q", got, End)
	}
}

func testCancel(t *testing.T, s Subject) {
	j := job("cancel", 1)
	submit(t, s.Backend, j)
	awaitLog(t, s.Backend, j, Begin)
	for range 2 {
		if err := s.Backend.Cancel(t.Context(), j.Run, 1); err != nil {
			t.Fatalf("cancel: %v", err)
		}
		wantNoJob(t, s.Backend, j)
	}
}

func testCancelEnded(t *testing.T, s Subject) {
	j := job("cancel ended", 1)
	submit(t, s.Backend, j)
	s.Release(t, j.Run, 1, 1)
	awaitPhase(t, s.Backend, j, train.PhaseFailed)
	if err := s.Backend.Cancel(t.Context(), j.Run, 1); err != nil {
		t.Fatalf("cancel: %v", err)
	}
	wantNoJob(t, s.Backend, j)
}

func testAttempts(t *testing.T, s Subject) {
	first, second := job("attempts", 1), job("attempts", 2)
	submit(t, s.Backend, first)
	submit(t, s.Backend, second)
	awaitLog(t, s.Backend, second, Begin)
	if err := s.Backend.Cancel(t.Context(), first.Run, 1); err != nil {
		t.Fatalf("cancel: %v", err)
	}
	wantNoJob(t, s.Backend, first)
	s.Release(t, second.Run, 2, 0)
	awaitPhase(t, s.Backend, second, train.PhaseSucceeded)
}

func testRestartForgetsRunning(t *testing.T, s Subject) {
	j := job("restart running", 1)
	submit(t, s.Backend, j)
	awaitLog(t, s.Backend, j, Begin)
	b := s.Restart(t)
	wantNoJob(t, b, j)
	submit(t, b, j)
	awaitPhase(t, b, j, train.PhaseRunning)
	if err := b.Cancel(t.Context(), j.Run, 1); err != nil {
		t.Errorf("cancel: %v", err)
	}
}

func testRestartKeepsEnded(t *testing.T, s Subject) {
	j := job("restart ended", 1)
	submit(t, s.Backend, j)
	s.Release(t, j.Run, 1, 4)
	awaitPhase(t, s.Backend, j, train.PhaseFailed)
	b := s.Restart(t)
	if st := awaitPhase(t, b, j, train.PhaseFailed); st.ExitCode != 4 {
		t.Errorf("status %+v, want exit code 4", st)
	}
	awaitLog(t, b, j, Begin+End)
}
