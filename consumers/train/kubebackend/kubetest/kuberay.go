//go:build linux

package kubetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// KubeRay gives the cluster the kinds of KubeRay and runs the operator: a cluster without nodes has it too. It asks the
// heads of Ray clusters through the HTTP proxy at heads, host:port: their names are those of the cluster's DNS, which a
// test does not have. Close ends it.
func (c *Cluster) KubeRay(ctx context.Context, heads string) (*Operator, error) {
	dir, err := c.programs(ctx, "kuberay")
	if err != nil {
		return nil, fmt.Errorf("start kuberay: %w", err)
	}
	apply := exec.CommandContext(ctx, c.Kubectl, "--kubeconfig", c.Kubeconfig, "apply", "--server-side", "-k", filepath.Join(dir, "ray-crds"))
	if out, err := apply.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("start kuberay: apply its kinds: %w\n%s", err, out)
	}
	if err := c.serves(ctx, "ray.io/v1", "rayjobs", "rayclusters", "rayservices"); err != nil {
		return nil, fmt.Errorf("start kuberay: %w", err)
	}
	probe, err := freePort()
	if err != nil {
		return nil, fmt.Errorf("start kuberay: %w", err)
	}
	cmd := exec.Command(filepath.Join(dir, "ray-operator"), "--kubeconfig", c.Kubeconfig, "--metrics-addr", "0",
		"--enable-leader-election=false", "--health-probe-bind-address", probe, "--reconcile-concurrency", "4")
	cmd.Env = append(os.Environ(), "ENABLE_WEBHOOKS=false", "http_proxy=http://"+heads, "HTTP_PROXY=http://"+heads,
		"https_proxy=", "HTTPS_PROXY=", "no_proxy=", "NO_PROXY=")
	o, err := start(cmd)
	if err != nil {
		return nil, fmt.Errorf("start kuberay: %w", err)
	}
	if o, err = o.began(o.ready(ctx, probe)); err != nil {
		return nil, fmt.Errorf("start kuberay: %w", err)
	}
	return o, nil
}
