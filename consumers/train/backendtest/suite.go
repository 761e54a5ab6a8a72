// Package backendtest holds the suite that every train.Backend passes, and Memory, the backend of tests.
package backendtest

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

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
	// Outlive says that jobs go on when the backend's process ends.
	Outlive bool
	// Logs says when the backend has the output of a job.
	Logs Logs
	// Patience bounds every wait; 0 means 30s.
	Patience time.Duration
}

// Logs is when a backend has the output of a job.
type Logs int

// A backend has the output while the job runs, once it has ended because the job sends it elsewhere before, or never.
const (
	LogsLive Logs = iota
	LogsAtEnd
	LogsNever
)

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
		{"RestartWhileRunning", testRestartWhileRunning},
		{"RestartKeepsEnded", testRestartKeepsEnded},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) { tc.run(t, open(t)) })
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
	s.awaitBegin(t, s.Backend, j)
	s.awaitPhase(t, s.Backend, j, train.PhaseRunning)
	s.Release(t, j.Run, 1, 0)
	if st := s.awaitPhase(t, s.Backend, j, train.PhaseSucceeded); st.ExitCode != 0 {
		t.Errorf("status %+v", st)
	}
	s.awaitEnd(t, s.Backend, j)
}

func testFailure(t *testing.T, s Subject) {
	j := job("failure", 1)
	submit(t, s.Backend, j)
	s.Release(t, j.Run, 1, 3)
	if st := s.awaitPhase(t, s.Backend, j, train.PhaseFailed); st.ExitCode != 3 || st.Reason == "" {
		t.Errorf("status %+v, want exit code 3 with a reason", st)
	}
}

func testKilled(t *testing.T, s Subject) {
	j := job("killed", 1)
	submit(t, s.Backend, j)
	s.awaitBegin(t, s.Backend, j)
	s.Kill(t, j.Run, 1)
	if st := s.awaitPhase(t, s.Backend, j, train.PhaseFailed); st.ExitCode != 137 || !strings.Contains(st.Reason, "signal 9") {
		t.Errorf("status %+v, want exit code 137 and signal 9 as the reason", st)
	}
}

func testDeadline(t *testing.T, s Subject) {
	j := job("deadline", 1)
	j.Deadline = 300 * time.Millisecond
	submit(t, s.Backend, j)
	if st := s.awaitPhase(t, s.Backend, j, train.PhaseFailed); st.Cause != train.CauseDeadline || st.Reason == "" {
		t.Errorf("status %+v, want cause %q and a reason", st, train.CauseDeadline)
	}
}

func testSubmitTwice(t *testing.T, s Subject) {
	j := job("twice", 1)
	submit(t, s.Backend, j)
	s.awaitBegin(t, s.Backend, j)
	submit(t, s.Backend, j)
	s.Release(t, j.Run, 1, 0)
	s.awaitPhase(t, s.Backend, j, train.PhaseSucceeded)
	s.awaitEnd(t, s.Backend, j)
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
	s.awaitBegin(t, s.Backend, j)
	s.Release(t, j.Run, 1, 0)
	s.awaitPhase(t, s.Backend, j, train.PhaseSucceeded)
	s.awaitEnd(t, s.Backend, j)
}

func testSubmitAfterEnd(t *testing.T, s Subject) {
	j := job("after end", 1)
	submit(t, s.Backend, j)
	s.Release(t, j.Run, 1, 0)
	s.awaitPhase(t, s.Backend, j, train.PhaseSucceeded)
	submit(t, s.Backend, j)
	if st, err := s.Backend.Status(t.Context(), j.Run, 1); err != nil || st.Phase != train.PhaseSucceeded {
		t.Errorf("after another submit: %+v, %v", st, err)
	}
	s.awaitEnd(t, s.Backend, j)
}

func testLogWhileRunning(t *testing.T, s Subject) {
	if s.Logs != LogsLive {
		return
	}
	j := job("log", 1)
	submit(t, s.Backend, j)
	s.awaitBegin(t, s.Backend, j)
	for offset := range int64(len(Begin) + 3) {
		want := Begin[min(int(offset), len(Begin)):]
		if got := log(t, s.Backend, j, offset); got != want {
			t.Errorf("log from %d = %q, want %q", offset, got, want)
		}
	}
	s.Release(t, j.Run, 1, 0)
	s.awaitPhase(t, s.Backend, j, train.PhaseSucceeded)
	if got := log(t, s.Backend, j, int64(len(Begin))); got != End {
		t.Errorf("rest of the log = %q, want %q", got, End)
	}
}

func testCancel(t *testing.T, s Subject) {
	j := job("cancel", 1)
	submit(t, s.Backend, j)
	s.awaitBegin(t, s.Backend, j)
	for range 2 {
		s.cancel(t, j)
		wantNoJob(t, s.Backend, j)
	}
}

func testCancelEnded(t *testing.T, s Subject) {
	j := job("cancel ended", 1)
	submit(t, s.Backend, j)
	s.Release(t, j.Run, 1, 1)
	s.awaitPhase(t, s.Backend, j, train.PhaseFailed)
	s.cancel(t, j)
	wantNoJob(t, s.Backend, j)
}

func testAttempts(t *testing.T, s Subject) {
	first, second := job("attempts", 1), job("attempts", 2)
	submit(t, s.Backend, first)
	submit(t, s.Backend, second)
	s.awaitBegin(t, s.Backend, second)
	s.cancel(t, first)
	wantNoJob(t, s.Backend, first)
	s.Release(t, second.Run, 2, 0)
	s.awaitPhase(t, s.Backend, second, train.PhaseSucceeded)
}

// testRestartWhileRunning: jobs that ended with the process are unknown and can be submitted anew; others go on.
func testRestartWhileRunning(t *testing.T, s Subject) {
	j := job("restart running", 1)
	submit(t, s.Backend, j)
	s.awaitBegin(t, s.Backend, j)
	b := s.Restart(t)
	if s.Outlive {
		submit(t, b, j)
		s.awaitPhase(t, b, j, train.PhaseRunning)
		s.Release(t, j.Run, 1, 0)
		s.awaitPhase(t, b, j, train.PhaseSucceeded)
		s.awaitEnd(t, b, j)
		return
	}
	wantNoJob(t, b, j)
	submit(t, b, j)
	s.awaitPhase(t, b, j, train.PhaseRunning)
	if err := b.Cancel(t.Context(), j.Run, 1); err != nil {
		t.Errorf("cancel: %v", err)
	}
}

func testRestartKeepsEnded(t *testing.T, s Subject) {
	j := job("restart ended", 1)
	submit(t, s.Backend, j)
	s.Release(t, j.Run, 1, 4)
	s.awaitPhase(t, s.Backend, j, train.PhaseFailed)
	b := s.Restart(t)
	if st := s.awaitPhase(t, b, j, train.PhaseFailed); st.ExitCode != 4 {
		t.Errorf("status %+v, want exit code 4", st)
	}
	s.awaitEnd(t, b, j)
}
