//go:build linux

package kubetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// operatorWithin bounds how long an operator takes to be ready, once it is built.
const operatorWithin = time.Minute

// Operator is a running operator: the real one, as a process of this machine.
type Operator struct {
	cmd  *exec.Cmd
	said buffer
	done chan struct{}
	err  error // of its end, once done is closed
}

// start starts a program.
func start(cmd *exec.Cmd) (*Operator, error) {
	o := &Operator{cmd: cmd, done: make(chan struct{})}
	o.cmd.Stdout, o.cmd.Stderr = &o.said, &o.said
	o.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := o.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		o.err = o.cmd.Wait()
		close(o.done)
	}()
	return o, nil
}

// began ends an operator that did not get as far as it should.
func (o *Operator) began(err error) (*Operator, error) {
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w\n%s", err, o.Said()), o.Close())
	}
	return o, nil
}

// ready waits until the operator says at probe, host:port, that it is.
func (o *Operator) ready(ctx context.Context, probe string) error {
	ctx, cancel := context.WithTimeout(ctx, operatorWithin)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		if resp, err := client.Get("http://" + probe + "/readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-o.done:
			return fmt.Errorf("it ended: %w", cmp.Or(o.err, errors.New("by itself")))
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", context.Cause(ctx))
		}
	}
}

// Said is the operator's log so far, in JSON.
func (o *Operator) Said() string { return o.said.String() }

// Close ends the operator and waits for that.
func (o *Operator) Close() error {
	if err := o.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-o.done:
		return nil // however it ended
	case <-time.After(20 * time.Second):
		return errors.Join(errors.New("the operator does not end: killed"), o.cmd.Process.Kill())
	}
}

// serves waits until the API server has the kinds: it takes a moment to learn what was applied.
func (c *Cluster) serves(ctx context.Context, groupVersion string, kinds ...string) error {
	ctx, cancel := context.WithTimeout(ctx, operatorWithin)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for len(kinds) > 0 {
		out, err := exec.CommandContext(ctx, c.Kubectl, "--kubeconfig", c.Kubeconfig, "get", "--raw", "/apis/"+groupVersion+"/"+kinds[0]).CombinedOutput()
		if err == nil {
			kinds = kinds[1:]
			continue
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("kind %s: %w: %s", kinds[0], context.Cause(ctx), out)
		}
	}
	return nil
}

// programs is the folder of an operator's set, which is built if nobody did.
func (c *Cluster) programs(ctx context.Context, operator string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, c.program, "programs", "--with", operator)
	var said bytes.Buffer
	cmd.Dir, cmd.Stderr = root, &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, said.String())
	}
	folders := strings.Fields(string(out))
	if len(folders) != 2 {
		return "", fmt.Errorf("build: kube printed %q, want two folders", out)
	}
	return folders[1], nil
}

// freePort is an address of the loopback where nobody listens. Another may take it before its user does.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
