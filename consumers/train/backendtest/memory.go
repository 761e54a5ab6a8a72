package backendtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry"
)

// Program is what a job of Memory does: it writes its log to out and returns an exit status. ctx ends when the job is
// cancelled or killed.
type Program func(ctx context.Context, j train.Job, out io.Writer) int

// Memory is a train.Backend whose jobs are goroutines. Close it to wait for them.
type Memory struct {
	program Program
	mu      sync.Mutex
	jobs    map[jobKey]*memoryJob
	wg      sync.WaitGroup
}

var (
	_ train.Backend = (*Memory)(nil)
	_ train.Lister  = (*Memory)(nil)
)

type jobKey struct {
	run     registry.RunID
	attempt int
}

type memoryJob struct {
	mu     sync.Mutex
	log    bytes.Buffer
	status train.Status
	cancel context.CancelCauseFunc
}

// Write appends to the job's log.
func (j *memoryJob) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.log.Write(b)
}

// killed is why a job's context ended.
type killed struct{ status train.Status }

func (k killed) Error() string { return k.status.Reason }

// NewMemory returns a backend that runs program for each job.
func NewMemory(program Program) *Memory {
	return &Memory{program: program, jobs: map[jobKey]*memoryJob{}}
}

// Submit implements train.Backend.
func (m *Memory) Submit(ctx context.Context, j train.Job) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := jobKey{j.Run, j.Attempt}
	if _, ok := m.jobs[k]; ok {
		return nil
	}
	jctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	mj := &memoryJob{status: train.Status{Phase: train.PhaseRunning}, cancel: cancel}
	m.jobs[k] = mj
	m.wg.Go(func() { m.execute(jctx, j, mj) })
	return nil
}

func (m *Memory) execute(ctx context.Context, j train.Job, mj *memoryJob) {
	if j.Deadline > 0 {
		late := killed{train.Status{Phase: train.PhaseFailed, ExitCode: 137, Reason: "deadline exceeded", Cause: train.CauseDeadline}}
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, j.Deadline, late)
		defer stop()
	}
	code := m.program(ctx, j, mj)
	st := train.Status{Phase: train.PhaseSucceeded}
	if code != 0 {
		st = train.Status{Phase: train.PhaseFailed, ExitCode: code, Reason: fmt.Sprintf("exit status %d", code)}
	}
	if k, ok := context.Cause(ctx).(killed); ok {
		st = k.status
	}
	mj.mu.Lock()
	defer mj.mu.Unlock()
	mj.status = st
}

func (m *Memory) find(run registry.RunID, attempt int) (*memoryJob, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	j, ok := m.jobs[jobKey{run, attempt}]
	if !ok {
		return nil, fmt.Errorf("job %s/%d: %w", run, attempt, train.ErrNoJob)
	}
	return j, nil
}

// Status implements train.Backend.
func (m *Memory) Status(_ context.Context, run registry.RunID, attempt int) (train.Status, error) {
	j, err := m.find(run, attempt)
	if err != nil {
		return train.Status{}, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.status, nil
}

// Cancel implements train.Backend.
func (m *Memory) Cancel(_ context.Context, run registry.RunID, attempt int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := jobKey{run, attempt}
	if j, ok := m.jobs[k]; ok {
		j.cancel(context.Canceled)
		delete(m.jobs, k)
	}
	return nil
}

// Log implements train.Backend.
func (m *Memory) Log(_ context.Context, run registry.RunID, attempt int, offset int64) (io.ReadCloser, error) {
	j, err := m.find(run, attempt)
	if err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	b := bytes.Clone(j.log.Bytes())
	return io.NopCloser(bytes.NewReader(b[min(offset, int64(len(b))):])), nil
}

// Kill ends a job by signal 9.
func (m *Memory) Kill(run registry.RunID, attempt int) {
	m.Fail(run, attempt, "killed by signal 9 (killed)", "")
}

// Fail ends a job from outside, for a cause.
func (m *Memory) Fail(run registry.RunID, attempt int, reason string, cause train.Cause) {
	if j, err := m.find(run, attempt); err == nil {
		j.cancel(killed{train.Status{Phase: train.PhaseFailed, ExitCode: 137, Reason: reason, Cause: cause}})
	}
}

// Lose does what a crash of the backend's process would: running jobs are gone, ended ones are known.
func (m *Memory) Lose() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, j := range m.jobs {
		j.mu.Lock()
		running := j.status.Phase == train.PhaseRunning
		j.mu.Unlock()
		if running {
			j.cancel(context.Canceled)
			delete(m.jobs, k)
		}
	}
}

// Jobs implements train.Lister.
func (m *Memory) Jobs(context.Context) ([]train.Attempt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []train.Attempt
	for k := range m.jobs {
		out = append(out, train.Attempt{Run: k.run, N: k.attempt})
	}
	return out, nil
}

// Len returns how many jobs are known, ended or not.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.jobs)
}

// Close cancels every job and waits.
func (m *Memory) Close() {
	m.mu.Lock()
	for _, j := range m.jobs {
		j.cancel(context.Canceled)
	}
	m.mu.Unlock()
	m.wg.Wait()
}
