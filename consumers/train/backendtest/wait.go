package backendtest

import (
	"cmp"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry"
)

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
func (s Subject) await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	timeout, tick := time.After(cmp.Or(s.Patience, 30*time.Second)), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("still waiting: %s", what)
		}
	}
}

func (s Subject) awaitPhase(t *testing.T, b train.Backend, j train.Job, want train.Phase) train.Status {
	t.Helper()
	var st train.Status
	s.await(t, "phase "+string(want), func() bool {
		var err error
		if st, err = b.Status(t.Context(), j.Run, j.Attempt); err != nil {
			t.Fatalf("status: %v", err)
		}
		return st.Phase == want
	})
	return st
}

// awaitBegin waits until the job runs, and has said so where that can be seen.
func (s Subject) awaitBegin(t *testing.T, b train.Backend, j train.Job) {
	t.Helper()
	s.awaitPhase(t, b, j, train.PhaseRunning)
	if s.Logs == LogsLive {
		s.await(t, "first line of the log", func() bool { return log(t, b, j, 0) == Begin })
	}
}

// awaitEnd waits until the log of a job that has ended is whole.
func (s Subject) awaitEnd(t *testing.T, b train.Backend, j train.Job) {
	t.Helper()
	if s.Logs == LogsNever {
		return
	}
	s.await(t, "the whole log", func() bool { return log(t, b, j, 0) == Begin+End })
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

// cancel repeats while the job takes its time to end.
func (s Subject) cancel(t *testing.T, j train.Job) {
	t.Helper()
	s.await(t, "the end of a cancelled job", func() bool {
		err := s.Backend.Cancel(t.Context(), j.Run, j.Attempt)
		if err != nil && !errors.Is(err, train.ErrEnding) {
			t.Fatalf("cancel: %v", err)
		}
		return err == nil
	})
}

func wantNoJob(t *testing.T, b train.Backend, j train.Job) {
	t.Helper()
	if st, err := b.Status(t.Context(), j.Run, j.Attempt); !errors.Is(err, train.ErrNoJob) {
		t.Errorf("status = %+v, %v, want ErrNoJob", st, err)
	}
}
