package flights

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Stack is a running `signalbox up`, a process of its own.
type Stack struct {
	Dir    string
	cmd    *exec.Cmd
	exited chan struct{}
	err    error // how it ended, valid once exited is closed
}

// StartStack runs a program such as `signalbox up --data DIR` and waits until it says where it listens. What it prints
// goes to log.
func StartStack(ctx context.Context, dir string, log io.Writer, program string, args ...string) (*Stack, error) {
	s, err := LaunchStack(dir, log, program, args...)
	if err != nil {
		return nil, err
	}
	if err := s.Ready(ctx); err != nil {
		return nil, errors.Join(err, s.Stop(time.Second))
	}
	return s, nil
}

// LaunchStack is the part of StartStack that does not wait.
func LaunchStack(dir string, log io.Writer, program string, args ...string) (*Stack, error) {
	s := &Stack{Dir: dir, cmd: exec.Command(program, args...), exited: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is ours to pass on
	// What an earlier, killed stack left behind would send us to a port where nobody listens.
	if err := os.Remove(s.endpoints()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("start stack: %w", err)
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start stack: %w", err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.exited)
	}()
	return s, nil
}

// Ready waits until the stack says where it listens, or has ended.
func (s *Stack) Ready(ctx context.Context) error {
	return await(ctx, "the stack to be ready", func() (bool, error) {
		select {
		case <-s.exited:
			return false, fmt.Errorf("%s ended early: %w", filepath.Base(s.cmd.Path), s.err)
		default:
		}
		_, err := os.Stat(s.endpoints())
		return err == nil, nil
	})
}

func (s *Stack) endpoints() string { return filepath.Join(s.Dir, "endpoints.json") }

// Client reads the stack's endpoints.
func (s *Stack) Client() (*Client, error) {
	b, err := os.ReadFile(s.endpoints())
	if err != nil {
		return nil, fmt.Errorf("read endpoints: %w", err)
	}
	var e struct {
		Control, Predict, Token string
	}
	if err := json.Unmarshal(b, &e); err != nil {
		return nil, fmt.Errorf("read endpoints: %w", err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second}
	return &Client{Control: e.Control, Predict: e.Predict, Token: e.Token,
		HTTP: &http.Client{Transport: transport, Timeout: 60 * time.Second}}, nil
}

// Pid is the process id of the stack.
func (s *Stack) Pid() int { return s.cmd.Process.Pid }

// Kill ends the stack with SIGKILL, as a crash would, and waits until it is gone.
func (s *Stack) Kill() error {
	err := s.cmd.Process.Kill()
	<-s.exited
	return err
}

// Stop asks the stack to stop and waits; after the bound it is killed, which is an error.
func (s *Stack) Stop(bound time.Duration) error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.exited:
		return s.err
	case <-time.After(bound):
		return errors.Join(fmt.Errorf("the stack did not stop within %s", bound), s.Kill())
	}
}
