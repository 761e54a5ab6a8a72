package procbackend

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/train"
)

// errStillThere reports a process that survived SIGKILL: it hangs in the kernel.
var errStillThere = errors.New("process does not end")

// process is a job that was started by us and not yet forgotten: one worker or several, by rank.
type process struct {
	workers []*worker
	done    chan struct{}
	// status is valid once done is closed.
	status train.Status
	// timedOut and abandoned say why it was killed, lost that nobody knows how it ended.
	timedOut, abandoned, lost atomic.Bool
}

// start runs a worker in every folder and watches until all of them have ended. The first folder is the job's.
func (b *Backend) start(folders []string, deadline time.Duration) (*process, error) {
	out, err := os.OpenFile(filepath.Join(folders[0], logFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	p := &process{done: make(chan struct{})}
	ends := make(chan int, len(folders))
	for rank, folder := range folders {
		var w *worker
		if w, err = b.startWorker(folder, out, rank, len(folders), ends); err != nil {
			break
		}
		p.workers = append(p.workers, w)
	}
	err = errors.Join(err, out.Close()) // the children have their own descriptors
	if err != nil {
		_ = p.signal(syscall.SIGKILL) // it fails for what has ended only
		for range p.workers {
			<-ends
		}
		return nil, err
	}
	go p.watch(folders[0], deadline, ends)
	return p, nil
}

// watch waits for the end and writes it down. The first worker that fails ends the others, which would wait for it for ever.
// A process that we took down with us has no result, nor has one that was lost with its warm parent.
func (p *process) watch(dir string, deadline time.Duration, ends <-chan int) {
	if deadline > 0 {
		timer := time.AfterFunc(deadline, func() {
			p.timedOut.Store(true)
			_ = p.signal(syscall.SIGKILL) // it may have ended just now
		})
		defer timer.Stop()
	}
	p.status = train.Status{Phase: train.PhaseSucceeded}
	for range p.workers {
		rank := <-ends
		e := p.workers[rank].ending()
		st := statusOf(e, p.timedOut.Load())
		if e.lost && !p.timedOut.Load() {
			p.lost.Store(true)
		}
		if st.Phase != train.PhaseFailed || p.status.Phase == train.PhaseFailed {
			continue
		}
		if len(p.workers) > 1 && st.Cause == "" {
			st.Reason = fmt.Sprintf("rank %d: %s", rank, st.Reason)
		}
		p.status = st
		_ = p.signal(syscall.SIGKILL) // who has ended meanwhile is no error
	}
	if !p.abandoned.Load() && !p.lost.Load() {
		if err := writeStatus(dir, p.status); err != nil {
			p.status.Reason += " (not kept: " + err.Error() + ")"
		}
	}
	close(p.done)
}

func statusOf(e ending, timedOut bool) train.Status {
	switch {
	case timedOut:
		return train.Status{Phase: train.PhaseFailed, ExitCode: 128 + int(syscall.SIGKILL), Reason: "deadline exceeded", Cause: train.CauseDeadline}
	case e.lost:
		return train.Status{Phase: train.PhaseFailed, ExitCode: 128 + int(syscall.SIGKILL), Reason: "lost", Cause: train.CauseDisrupted}
	case e.signal != 0:
		return train.Status{
			Phase: train.PhaseFailed, ExitCode: 128 + int(e.signal), Reason: fmt.Sprintf("killed by signal %d (%s)", int(e.signal), e.signal),
		}
	case e.code == 0:
		return train.Status{Phase: train.PhaseSucceeded}
	}
	return train.Status{Phase: train.PhaseFailed, ExitCode: e.code, Reason: fmt.Sprintf("exit status %d", e.code)}
}

// abandon keeps the end of the process from being taken for its result.
func (p *process) abandon() { p.abandoned.Store(true) }

// vanished reports that the job is gone without a result.
func (p *process) vanished() bool {
	select {
	case <-p.done:
		return p.lost.Load()
	default:
		return false
	}
}

// stop ends the process groups: first politely.
func (p *process) stop(ctx context.Context, grace time.Duration) error {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		select {
		case <-p.done:
			return nil
		default:
		}
		if err := p.signal(sig); err != nil {
			return err
		}
		timer := time.NewTimer(grace)
		select {
		case <-p.done:
			timer.Stop()
			return nil
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
	return fmt.Errorf("pids %v: %w", p.pids(), errStillThere)
}

// signal reaches the groups of all workers; one that is gone is no error.
func (p *process) signal(sig syscall.Signal) error {
	var errs []error
	for _, w := range p.workers {
		errs = append(errs, w.signal(sig))
	}
	return errors.Join(errs...)
}

// pids are those of the workers, by rank.
func (p *process) pids() []int {
	out := make([]int, len(p.workers))
	for i, w := range p.workers {
		out[i] = w.pid()
	}
	return out
}

// environment is what a worker may see: nothing of ours that could be a credential.
func environment(cfg Config, rank, workers int) []string {
	threads := strconv.Itoa(cfg.Threads)
	env := []string{
		"PYTHONHASHSEED=0", "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1", "PYTHONNOUSERSITE=1",
		"OMP_NUM_THREADS=" + threads, "OPENBLAS_NUM_THREADS=" + threads, "MKL_NUM_THREADS=" + threads,
		"OMP_WAIT_POLICY=PASSIVE", // threads that spin for work starve each other on a shared machine
	}
	if cfg.PythonPath != "" {
		env = append(env, "PYTHONPATH="+cfg.PythonPath)
	}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	for name, v := range cfg.Env {
		env = append(env, name+"="+v)
	}
	if workers > 1 {
		env = append(env, train.EnvRank+"="+strconv.Itoa(rank), train.EnvAddress+"=127.0.0.1")
	}
	return env
}
