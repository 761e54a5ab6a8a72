package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is the postmaster.
type process struct {
	cmd  *exec.Cmd
	out  *tail
	done chan struct{} // closed after err is set
	err  error
}

// spawn starts postgres with args. One goroutine belongs to it and ends with it.
func spawn(in install, as identity, args []string, out io.Writer) (*process, error) {
	p := &process{out: &tail{out: out}, done: make(chan struct{})}
	p.cmd = exec.Command(in.bin("postgres"), args...)
	p.cmd.Env, p.cmd.Dir, p.cmd.SysProcAttr = environment(), "/", attr(as)
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.WaitDelay = p.out, p.out, 5*time.Second
	started := make(chan error)
	go p.keep(started)
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// keep starts the child and waits for it. The kernel sends the death signal when the thread that forked ends, not the
// process, and the runtime ends threads as it likes; a goroutine that is locked to its thread keeps that one alive for
// as long as the child is.
func (p *process) keep(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

// exit is nil while the child runs and after a clean end.
func (p *process) exit() error {
	select {
	case <-p.done:
		if p.err != nil {
			return fmt.Errorf("postgres ended: %w; its last words:\n%s", p.err, p.out)
		}
	default:
	}
	return nil
}

// stop asks for a fast shutdown, at the end of ctx or limit for an immediate one, and kills what does not obey.
func (p *process) stop(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := p.signal(syscall.SIGINT); err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
	}
	quit := time.NewTimer(5 * time.Second)
	defer quit.Stop()
	if err := p.signal(syscall.SIGQUIT); err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-quit.C:
		// The group, so that no backend is left on the data.
		if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
		<-p.done
	}
	return fmt.Errorf("it did not shut down in time and was killed: %w", context.Cause(ctx))
}

func (p *process) signal(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// settings are the arguments of postgres: everything that differs from the defaults, so that the data holds no settings.
func settings(data, host, port, sockets string, fast bool) []string {
	set := []string{
		"listen_addresses=" + host, "port=" + port, "unix_socket_directories=" + sockets, "unix_socket_permissions=0700",
		"max_connections=100", "shared_buffers=64MB", "timezone=UTC", "log_timezone=UTC", "jit=off", "cluster_name=signalbox",
	}
	if fast {
		set = append(set, "fsync=off", "synchronous_commit=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0",
			"autovacuum=off")
	}
	args := []string{"-D", data}
	for _, s := range set {
		args = append(args, "-c", s)
	}
	return args
}
