//go:build linux

// Package process keeps programs running as children: each in its own process group, killed by the kernel when we die,
// and started again when it ends without being told to.
package process

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// again is how long a program that ended stays down. Long enough that one that cannot start does not eat a core.
const again = 200 * time.Millisecond

// Spec is a program to run.
type Spec struct {
	// Name is what the program is called in messages.
	Name string
	// Path is the executable, Args its arguments without the name.
	Path string
	Args []string
	// Env is added to our environment.
	Env []string
	// Log is the file that its output is appended to.
	Log string
}

// Child is a program that runs until Stop.
type Child struct {
	spec      Spec
	restarted func(pid int)
	done      chan struct{}

	mu       sync.Mutex
	pid      int // 0 between two runs
	stopping bool
	wake     chan struct{} // closed when stopping
}

// Start runs a program. restarted is called with the new pid after each restart. A program that ends at once is
// no error here: its log says why, and it is tried again.
func Start(spec Spec, restarted func(pid int)) (*Child, error) {
	c := &Child{spec: spec, restarted: restarted, done: make(chan struct{}), wake: make(chan struct{})}
	started := make(chan error)
	go c.keep(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	return c, nil
}

// keep runs the program again and again. The kernel sends the death signal when the thread that forked ends, not the
// process; a goroutine that is locked to its thread keeps that one alive.
func (c *Child) keep(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(c.done)
	cmd, err := c.start()
	started <- err
	if err != nil {
		return
	}
	for {
		_ = cmd.Wait() // how it ended is in its log
		c.mu.Lock()
		c.pid = 0
		c.mu.Unlock()
		select {
		case <-c.wake:
			return
		case <-time.After(again):
		}
		if cmd, err = c.start(); err != nil || cmd == nil {
			return // stopped meanwhile, or the executable is gone
		}
		c.restarted(cmd.Process.Pid)
	}
}

// start starts the program once, unless it is to stop: nil then.
func (c *Child) start() (*exec.Cmd, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping {
		return nil, nil
	}
	log, err := os.OpenFile(c.spec.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own
	cmd := exec.Command(c.spec.Path, c.spec.Args...)
	cmd.Env, cmd.Dir = append(os.Environ(), c.spec.Env...), "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c.pid = cmd.Process.Pid
	return cmd, nil
}

// Name returns what the program is called.
func (c *Child) Name() string { return c.spec.Name }

// Pid returns the process that runs now, or 0 while there is none.
func (c *Child) Pid() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pid
}

// Stop ends the program: sig first, and SIGKILL to its group when ctx ends, also if somebody had frozen it. It returns
// when the process is gone.
func (c *Child) Stop(ctx context.Context, sig syscall.Signal) {
	c.mu.Lock()
	if !c.stopping {
		c.stopping = true
		close(c.wake)
	}
	// A pid whose process ended just now is nobody else's yet: the kernel counts up before it takes one again.
	c.signal(sig)
	c.signal(syscall.SIGCONT)
	c.mu.Unlock()
	select {
	case <-c.done:
		return
	case <-ctx.Done():
	}
	c.mu.Lock()
	c.signal(syscall.SIGKILL)
	c.mu.Unlock()
	<-c.done
}

func (c *Child) signal(sig syscall.Signal) {
	if c.pid != 0 {
		_ = syscall.Kill(-c.pid, sig) // gone already: what we want
	}
}

// Tail returns the last lines of the log, at most 4 KiB: what a message can carry.
func (c *Child) Tail() string {
	f, err := os.Open(c.spec.Log)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	const limit = 4 << 10
	if st, err := f.Stat(); err == nil && st.Size() > limit {
		_, _ = f.Seek(-limit, io.SeekEnd) // a read from the start is longer, not wrong
	}
	b, _ := io.ReadAll(io.LimitReader(f, limit))
	return string(bytes.TrimSpace(b))
}
