package procbackend

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry"
)

// spread starts a job with several workers, whose script sees RANK.
func spread(t *testing.T, workers int, script string) (*Backend, train.Job) {
	t.Helper()
	b := newBackend(t, t.TempDir(), "RANK=$SIGNALBOX_RANK\n"+script)
	j := newJob(map[string]string{"workflow/flow.py": "print('flow')"})
	j.Workers = workers
	if err := b.Submit(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	return b, j
}

// ended waits for the end of a job.
func ended(t *testing.T, b *Backend, j train.Job) train.Status {
	t.Helper()
	var st train.Status
	await(t, "the end of the job", func() bool {
		var err error
		if st, err = b.Status(t.Context(), j.Run, 1); err != nil {
			t.Fatal(err)
		}
		return st.Phase != train.PhaseRunning
	})
	return st
}

func (b *Backend) folder(j train.Job) string { return b.dir(key{j.Run, j.Attempt}) }

// awaitRanks waits until each of the first n ranks has left its file.
func awaitRanks(t *testing.T, b *Backend, j train.Job, n int) {
	t.Helper()
	await(t, "the workers to begin", func() bool {
		begun, err := filepath.Glob(filepath.Join(b.folder(j), "begun.*"))
		return err == nil && len(begun) == n
	})
}

const begins = `
dir=$(pwd); while [ ! -e "$dir/log" ]; do dir=${dir%/*}; done
echo "$$" > "$dir/begun.$RANK"
`

func TestEveryWorkerHasItsRankAndItsFiles(t *testing.T) {
	b, j := spread(t, 3, `echo "rank $RANK at $SIGNALBOX_ADDRESS in $PWD with $(cat "$1") $(cat workflow/flow.py)"`)
	if st := ended(t, b, j); st.Phase != train.PhaseSucceeded {
		t.Fatalf("status %+v", st)
	}
	log, err := os.ReadFile(filepath.Join(b.folder(j), logFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"rank 0 at 127.0.0.1", "rank 1 at 127.0.0.1", "rank 2 at 127.0.0.1", "/ranks/1 with", "/ranks/2 with"} {
		if !strings.Contains(string(log), want) {
			t.Errorf("log lacks %q:\n%s", want, log)
		}
	}
	if n := strings.Count(string(log), `{"token":"secret"} print('flow')`); n != 3 {
		t.Errorf("%d workers saw the document and the sources, want 3:\n%s", n, log)
	}
}

func TestAJobRunsUntilItsLastWorkerEnds(t *testing.T) {
	b, j := spread(t, 2, begins+`[ "$RANK" = 0 ] && exit 0
while [ ! -e "$dir/go" ]; do sleep 0.02; done`)
	awaitRanks(t, b, j, 2)
	await(t, "the end of rank 0", func() bool {
		w := b.job(j).workers[0]
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.ended
	})
	if st, err := b.Status(t.Context(), j.Run, 1); err != nil || st.Phase != train.PhaseRunning {
		t.Errorf("with one of two workers: %+v, %v, want running", st, err)
	}
	if err := os.WriteFile(filepath.Join(b.folder(j), "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if st := ended(t, b, j); st.Phase != train.PhaseSucceeded {
		t.Errorf("status %+v", st)
	}
}

func (b *Backend) job(j train.Job) *process {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.live[key{j.Run, j.Attempt}]
}

// The first worker that fails is why the job failed, and nobody is left waiting for it.
func TestOneWorkerFailsAll(t *testing.T) {
	for name, tc := range map[string]struct {
		end    string
		code   int
		reason string
	}{
		"exit":   {"exit 7", 7, "rank 1: exit status 7"},
		"signal": {"kill -9 $$", 137, "rank 1: killed by signal 9"},
	} {
		t.Run(name, func(t *testing.T) {
			b, j := spread(t, 3, begins+`trap '' TERM
while [ "$RANK" != 1 ] || [ ! -e "$dir/go" ]; do sleep 0.02; done
`+tc.end)
			awaitRanks(t, b, j, 3)
			p := b.job(j)
			if err := os.WriteFile(filepath.Join(b.folder(j), "go"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			st := ended(t, b, j)
			if st.Phase != train.PhaseFailed || st.ExitCode != tc.code || !strings.HasPrefix(st.Reason, tc.reason) {
				t.Errorf("status %+v, want %d and %q", st, tc.code, tc.reason)
			}
			wantGone(t, p)
			if kept, err := readStatus(b.folder(j)); err != nil || kept != st {
				t.Errorf("kept %+v, %v", kept, err)
			}
		})
	}
}

// wantGone checks that no worker of a job is there any more.
func wantGone(t *testing.T, p *process) {
	t.Helper()
	for _, pid := range p.pids() {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("worker %d is still there: %v", pid, err)
		}
	}
}

func TestCancelAndDeadlineEndEveryWorker(t *testing.T) {
	b, j := spread(t, 3, begins+`exec sleep 600`)
	awaitRanks(t, b, j, 3)
	p := b.job(j)
	if err := b.Cancel(t.Context(), j.Run, 1); err != nil {
		t.Fatal(err)
	}
	wantGone(t, p)
	j = newJob(nil)
	j.Workers, j.Deadline = 2, 100*time.Millisecond
	if err := b.Submit(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if st := ended(t, b, j); st.Cause != train.CauseDeadline || st.Reason != "deadline exceeded" {
		t.Errorf("status %+v, want the deadline", st)
	}
}

func TestTooManyWorkersAreRefused(t *testing.T) {
	b := newBackend(t, t.TempDir(), "true")
	j := newJob(nil)
	j.Workers = b.MaxWorkers() + 1
	if err := b.Submit(t.Context(), j); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("submit: %v, want ErrInvalid", err)
	}
	if _, err := b.Status(t.Context(), j.Run, 1); !errors.Is(err, train.ErrNoJob) {
		t.Errorf("status: %v, want ErrNoJob", err)
	}
}
