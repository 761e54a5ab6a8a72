package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/figures"
)

// process is a running archiver.
type process interface {
	PID() int
	Kill() // as kill -9 does; it returns when the process is gone
	Stop(limit time.Duration) error
}

// alive reports whether a process is there: one that is gone has no memory.
func alive(p process) bool { return figures.Resident(p.PID()) > 0 }

// child is an archiver of somebody else.
type child struct {
	cmd    *exec.Cmd
	exited chan struct{}
}

// launch starts a program whose output goes to the end of a file. It ends with this process at the latest.
func launch(cmd *exec.Cmd, logFile string) (*child, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = attributes()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, exited: make(chan struct{})}
	go func() {
		defer close(c.exited)
		_ = cmd.Wait() // whoever expects it to live looks whether it does
	}()
	return c, nil
}

// PID is the process's number.
func (c *child) PID() int { return c.cmd.Process.Pid }

// Kill ends it at once.
func (c *child) Kill() {
	_ = c.cmd.Process.Kill() // one that is gone is fine
	<-c.exited
}

// Stop asks it to end, and kills it after a while. How it ends is its own affair: what it has done by now is measured.
func (c *child) Stop(limit time.Duration) error {
	if err := c.cmd.Process.Signal(syscall.SIGTERM); errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-c.exited:
	case <-timer.C:
		c.Kill()
	}
	return nil
}

// tail is the end of a log, for an error.
func tail(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return fmt.Sprint(err)
	}
	return strings.ToValidUTF8(string(b[max(0, len(b)-4096):]), "")
}
