package procbackend

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
)

// worker is one process of a job, in a process group of its own.
type worker struct {
	rank int
	ends chan<- int // gets the rank once the worker has ended

	mu     sync.Mutex
	number int
	result ending
	ended  bool // from then on the group's number may be somebody else's
}

// ending is how a process ended.
type ending struct {
	code   int
	signal syscall.Signal // that killed it, or 0
	lost   bool           // nobody saw it
}

// endingOf reads an exit status as Python has it, negative for a signal.
func endingOf(status int) ending {
	if status < 0 {
		return ending{signal: syscall.Signal(-status)}
	}
	return ending{code: status}
}

// startWorker runs a job in dir, with its output in out: by the warm parent, or by the command where there is none.
func (b *Backend) startWorker(dir string, out *os.File, rank, workers int, ends chan<- int) (*worker, error) {
	env, path := environment(b.cfg, rank, workers), filepath.Join(dir, jobFile)
	if s := b.parent.get(); s != nil {
		w := &worker{rank: rank, ends: ends}
		err := s.fork(w, order{Args: []string{path}, Dir: dir, Env: variables(env)}, out)
		if err == nil {
			return w, nil
		}
		b.cfg.Log.Warn("job is started without the warm parent", "dir", dir, "error", err)
	}
	w := &worker{rank: rank, ends: ends}
	return w, w.spawn(b.cfg.Command, dir, path, env, out)
}

// spawn starts the worker's process.
func (w *worker) spawn(command []string, dir, path string, env []string, out *os.File) error {
	cmd := exec.Command(command[0], append(command[1:len(command):len(command)], path)...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	started := make(chan error)
	go func() {
		// The kernel ends the child when the thread that forked it ends, so that thread must stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			w.begin(cmd.Process.Pid)
		}
		started <- err
		if err == nil {
			_ = cmd.Wait() // the state says more
			w.end(endingOfState(cmd.ProcessState))
		}
	}()
	return <-started
}

func endingOfState(s *os.ProcessState) ending {
	if s == nil {
		return ending{lost: true}
	}
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return ending{signal: ws.Signal()}
	}
	return ending{code: s.ExitCode()}
}

// begin is called once, when the process is there.
func (w *worker) begin(pid int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.number = pid
}

// end is called once, when it has ended, and ends what it left behind in its group.
func (w *worker) end(e ending) {
	_ = w.signal(syscall.SIGKILL)
	w.mu.Lock()
	w.result, w.ended = e, true
	w.mu.Unlock()
	w.ends <- w.rank
}

// pid is that of the process, which may have ended.
func (w *worker) pid() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.number
}

// ending is valid once the rank came through ends.
func (w *worker) ending() ending {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.result
}

// signal reaches the whole group; one that is gone is no error.
func (w *worker) signal(sig syscall.Signal) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return nil
	}
	if err := syscall.Kill(-w.number, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal pid %d: %w", w.number, err)
	}
	return nil
}

// variables are an environment by name; of several the last counts.
func variables(env []string) map[string]string {
	out := map[string]string{}
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		out[name] = value
	}
	return out
}
