// Package child runs a server as a child process that cannot outlive its parent.
package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// ErrExited reports a child that ended although nobody stopped it.
var ErrExited = errors.New("child process ended by itself")

// Config says what to run.
type Config struct {
	// Path is the program, Args are its arguments without the program's name.
	Path string
	Args []string
	// Env is the whole environment of the child.
	Env []string
	// Hello is written to the child's standard input, which then stays open until Stop or the end of the parent.
	Hello []byte
	// Signal is what Stop sends besides closing standard input; nil sends nothing.
	Signal os.Signal
	// Grace is how long Stop waits before it kills; 0 means 5 s.
	Grace time.Duration
	// Log receives a copy of the child's output; nil discards it.
	Log io.Writer
}

// Process is a started child.
type Process struct {
	cfg   Config
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *tail
	stop  chan struct{} // a token: taken by the first Stop
	done  chan struct{} // closed after err is set
	err   error
}

// Start starts the child and returns when it runs, which is before it serves.
func Start(cfg Config) (*Process, error) {
	if cfg.Grace == 0 {
		cfg.Grace = 5 * time.Second
	}
	p := &Process{
		cfg: cfg, cmd: exec.Command(cfg.Path, cfg.Args...), out: newTail(cfg.Log),
		stop: make(chan struct{}, 1), done: make(chan struct{}),
	}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = cfg.Env, p.out, p.out
	p.cmd.SysProcAttr = attributes()
	p.cmd.WaitDelay = time.Second // a grandchild may hold the output pipe
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cfg.Path, err)
	}
	started := make(chan error)
	go p.run(started)
	if err = <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cfg.Path, err)
	}
	// A child that is gone already cannot read it; Err tells more about that than a broken pipe.
	_, _ = p.stdin.Write(cfg.Hello)
	return p, nil
}

// run holds one OS thread for the child's whole life: the kernel sends the parent-death signal when the thread that
// started the child ends, not the process, and the Go runtime is free to end any thread that nobody holds.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	err = p.cmd.Wait()
	select {
	case p.stop <- struct{}{}: // nobody asked: whatever its status, this end is a fault
		p.err = fmt.Errorf("%w: %s; its last words: %s", ErrExited, p.cmd.ProcessState, p.out)
	default:
		if errors.Is(err, exec.ErrWaitDelay) {
			p.err = fmt.Errorf("wait for %s: %w", p.cfg.Path, err)
		}
	}
	close(p.done)
}

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err waits for the end of the child and says why it ended: nil after Stop, ErrExited with its last lines otherwise.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// Pid is the process id of the child.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Stop ends the child and waits for it: politely first, by SIGKILL after Grace or when ctx ends. It returns Err.
func (p *Process) Stop(ctx context.Context) error {
	select {
	case p.stop <- struct{}{}:
		_ = p.stdin.Close()
		if p.cfg.Signal != nil {
			_ = p.cmd.Process.Signal(p.cfg.Signal)
		}
	default: // somebody else stops it, or it is gone
	}
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Grace)
	defer cancel()
	select {
	case <-p.done:
	case <-ctx.Done():
		_ = p.cmd.Process.Kill()
	}
	return p.Err()
}
