package procbackend

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
)

// worker is one process of a job, in a process group of its own.
type worker struct {
	pid   int
	state *os.ProcessState // valid once the worker's rank came through ends

	mu    sync.Mutex
	ended bool // from then on the group's number may be somebody else's
}

// startWorker runs the command in dir, with its output in out, and sends its rank once it has ended.
func startWorker(cfg Config, dir string, out *os.File, rank, workers int, ends chan<- int) (*worker, error) {
	cmd := exec.Command(cfg.Command[0], append(cfg.Command[1:len(cfg.Command):len(cfg.Command)], filepath.Join(dir, jobFile))...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, environment(cfg, rank, workers), out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)

	w := &worker{}
	started := make(chan error)
	go func() {
		// The kernel ends the child when the thread that forked it ends, so that thread must stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			w.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			_ = cmd.Wait() // the state says more
			w.leave(cmd.ProcessState)
			ends <- rank
		}
	}()
	return w, <-started
}

// leave ends what the worker left behind in its group.
func (w *worker) leave(state *os.ProcessState) {
	_ = w.signal(syscall.SIGKILL)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state, w.ended = state, true
}

// signal reaches the whole group; one that is gone is no error.
func (w *worker) signal(sig syscall.Signal) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return nil
	}
	if err := syscall.Kill(-w.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal pid %d: %w", w.pid, err)
	}
	return nil
}
