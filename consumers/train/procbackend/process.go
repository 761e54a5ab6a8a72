package procbackend

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/train"
)

// errStillThere reports a process that survived SIGKILL: it hangs in the kernel.
var errStillThere = errors.New("process does not end")

// process is a job that was started by us and not yet forgotten.
type process struct {
	pid  int
	done chan struct{}
	// status is valid once done is closed.
	status train.Status
	// timedOut and abandoned say why it was killed.
	timedOut, abandoned atomic.Bool
}

// start runs the command in dir and watches it until it ends.
func start(cfg Config, dir string, deadline time.Duration) (*process, error) {
	out, err := os.OpenFile(filepath.Join(dir, logFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(cfg.Command[0], append(cfg.Command[1:len(cfg.Command):len(cfg.Command)], filepath.Join(dir, jobFile))...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, environment(cfg), out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)

	p := &process{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel ends the child when the thread that forked it ends, so that thread must stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.watch(cmd, dir, deadline)
		}
	}()
	err = <-started
	return p, errors.Join(err, out.Close()) // the child has its own descriptor
}

// watch waits for the end and writes it down. A process that we took down with us has no result.
func (p *process) watch(cmd *exec.Cmd, dir string, deadline time.Duration) {
	if deadline > 0 {
		timer := time.AfterFunc(deadline, func() {
			p.timedOut.Store(true)
			_ = p.signal(syscall.SIGKILL) // it may have ended just now
		})
		defer timer.Stop()
	}
	_ = cmd.Wait()                // the state says more
	_ = p.signal(syscall.SIGKILL) // what it left behind in its group
	p.status = statusOf(cmd.ProcessState, p.timedOut.Load())
	if !p.abandoned.Load() {
		if err := writeStatus(dir, p.status); err != nil {
			p.status.Reason += " (not kept: " + err.Error() + ")"
		}
	}
	close(p.done)
}

func statusOf(s *os.ProcessState, timedOut bool) train.Status {
	ws, ok := s.Sys().(syscall.WaitStatus)
	switch {
	case timedOut:
		return train.Status{Phase: train.PhaseFailed, ExitCode: 128 + int(syscall.SIGKILL), Reason: "deadline exceeded", Cause: train.CauseDeadline}
	case ok && ws.Signaled():
		sig := ws.Signal()
		return train.Status{
			Phase: train.PhaseFailed, ExitCode: 128 + int(sig), Reason: fmt.Sprintf("killed by signal %d (%s)", int(sig), sig),
		}
	case s.ExitCode() == 0:
		return train.Status{Phase: train.PhaseSucceeded}
	}
	return train.Status{Phase: train.PhaseFailed, ExitCode: s.ExitCode(), Reason: fmt.Sprintf("exit status %d", s.ExitCode())}
}

// abandon keeps the end of the process from being taken for its result.
func (p *process) abandon() { p.abandoned.Store(true) }

// stop ends the process group: first politely.
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
	return fmt.Errorf("pid %d: %w", p.pid, errStillThere)
}

// signal reaches the whole group; one that is gone is no error.
func (p *process) signal(sig syscall.Signal) error {
	if err := syscall.Kill(-p.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal pid %d: %w", p.pid, err)
	}
	return nil
}

// environment is what a job may see: nothing of ours that could be a credential.
func environment(cfg Config) []string {
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
	return env
}
