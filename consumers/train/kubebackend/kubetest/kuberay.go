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
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// operatorWithin bounds how long the KubeRay operator takes to be ready, once it is built.
const operatorWithin = time.Minute

// KubeRay is a running KubeRay operator.
type KubeRay struct {
	cmd  *exec.Cmd
	said buffer
	done chan struct{}
	err  error // of its end, once done is closed
}

// KubeRay gives the cluster the kinds of KubeRay and runs the operator, the real one, as a process of this machine: a
// cluster without nodes has it too. It asks the heads of Ray clusters through the HTTP proxy at heads, host:port: their
// names are those of the cluster's DNS, which a test does not have. Close ends it.
func (c *Cluster) KubeRay(ctx context.Context, heads string) (*KubeRay, error) {
	dir, err := c.operator(ctx)
	if err != nil {
		return nil, fmt.Errorf("start kuberay: %w", err)
	}
	apply := exec.CommandContext(ctx, c.Kubectl, "--kubeconfig", c.Kubeconfig, "apply", "--server-side", "-k", filepath.Join(dir, "ray-crds"))
	if out, err := apply.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("start kuberay: apply its kinds: %w\n%s", err, out)
	}
	if err := c.serves(ctx, "rayjobs", "rayclusters", "rayservices"); err != nil {
		return nil, fmt.Errorf("start kuberay: %w", err)
	}
	probe, err := freePort()
	if err != nil {
		return nil, fmt.Errorf("start kuberay: %w", err)
	}
	k := &KubeRay{done: make(chan struct{})}
	k.cmd = exec.Command(filepath.Join(dir, "ray-operator"), "--kubeconfig", c.Kubeconfig, "--metrics-addr", "0",
		"--enable-leader-election=false", "--health-probe-bind-address", probe, "--reconcile-concurrency", "4")
	k.cmd.Env = append(os.Environ(), "ENABLE_WEBHOOKS=false", "http_proxy=http://"+heads, "HTTP_PROXY=http://"+heads,
		"https_proxy=", "HTTPS_PROXY=", "no_proxy=", "NO_PROXY=")
	k.cmd.Stdout, k.cmd.Stderr = &k.said, &k.said
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := k.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start kuberay: %w", err)
	}
	go func() {
		k.err = k.cmd.Wait()
		close(k.done)
	}()
	if err := k.ready(ctx, "http://"+probe+"/readyz"); err != nil {
		return nil, errors.Join(fmt.Errorf("start kuberay: %w\n%s", err, k.Said()), k.Close())
	}
	return k, nil
}

// serves waits until the API server has the kinds: it takes a moment to learn what was applied.
func (c *Cluster) serves(ctx context.Context, kinds ...string) error {
	ctx, cancel := context.WithTimeout(ctx, operatorWithin)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for len(kinds) > 0 {
		out, err := exec.CommandContext(ctx, c.Kubectl, "--kubeconfig", c.Kubeconfig, "get", "--raw", "/apis/ray.io/v1/"+kinds[0]).CombinedOutput()
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

// operator is the folder of the operator's set, which is built if nobody did.
func (c *Cluster) operator(ctx context.Context) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, c.program, "programs", "--with", "kuberay")
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

// ready waits until the operator answers.
func (k *KubeRay) ready(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, operatorWithin)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		if resp, err := client.Get(url); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-k.done:
			return fmt.Errorf("it ended: %w", cmp.Or(k.err, errors.New("by itself")))
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", context.Cause(ctx))
		}
	}
}

// Said is the operator's log so far, in JSON.
func (k *KubeRay) Said() string { return k.said.String() }

// Close ends the operator and waits for that.
func (k *KubeRay) Close() error {
	if err := k.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-k.done:
		return nil // however it ended
	case <-time.After(20 * time.Second):
		return errors.Join(errors.New("the KubeRay operator does not end"), k.cmd.Process.Kill())
	}
}

// freePort is an address of the loopback where nobody listens. Another may take it before its user does.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
