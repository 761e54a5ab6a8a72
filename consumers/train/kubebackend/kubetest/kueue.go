//go:build linux

package kubetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"time"
)

// kueueConfig is what differs from the configuration that Kueue comes with: a process has ports of its own, of the loopback,
// and nobody reads its metrics. What it offers beside that has a fixed port.
const kueueConfig = `apiVersion: config.kueue.x-k8s.io/v1beta2
kind: Configuration
namespace: kueue-system
health: {healthProbeBindAddress: %q}
metrics: {bindAddress: "0"}
webhook: {host: %q, port: %s, certDir: %q}
leaderElection: {leaderElect: false}
integrations: {frameworks: [batch/job]}
featureGates: {VisibilityOnDemand: false}
`

// Kueue gives the cluster the kinds and webhooks of Kueue and runs its controller manager: a cluster without nodes has it
// too. From then on the cluster refuses Jobs when Kueue is not there. dir is for its configuration and the certificate that
// it makes for its webhooks. Close ends it.
func (c *Cluster) Kueue(ctx context.Context, dir string) (*Operator, error) {
	o, err := c.kueue(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("start kueue: %w", err)
	}
	return o, nil
}

func (c *Cluster) kueue(ctx context.Context, dir string) (*Operator, error) {
	set, err := c.programs(ctx, "kueue")
	if err != nil {
		return nil, err
	}
	probe, err := freePort()
	if err != nil {
		return nil, err
	}
	hooks, err := freePort()
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(hooks)
	if err != nil {
		return nil, err
	}
	if err := c.installKueue(ctx, filepath.Join(set, "kueue-objects"), port); err != nil {
		return nil, err
	}
	file, certs := filepath.Join(dir, "kueue.yaml"), filepath.Join(dir, "kueue-certs")
	if err := os.WriteFile(file, fmt.Appendf(nil, kueueConfig, probe, host, port, certs), 0o644); err != nil {
		return nil, err
	}
	o, err := start(exec.Command(filepath.Join(set, "kueue-manager"), "--kubeconfig", c.Kubeconfig, "--config", file))
	if err != nil {
		return nil, err
	}
	if err := c.mount(ctx, "kueue-system", "kueue-webhook-server-cert", certs, "tls.crt", "tls.key"); err != nil {
		return o.began(err)
	}
	return o.began(o.ready(ctx, probe))
}

// mount writes keys of a Secret to dir, once they are there: what a kubelet does for a pod.
func (c *Cluster) mount(ctx context.Context, namespace, name, dir string, keys ...string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, operatorWithin)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		var secret struct {
			Data map[string][]byte `json:"data"`
		}
		out, err := exec.CommandContext(ctx, c.Kubectl, "--kubeconfig", c.Kubeconfig, "get", "secret", "-n", namespace, name, "-o", "json").Output()
		if err == nil {
			err = json.Unmarshal(out, &secret)
		}
		if err == nil && !slices.ContainsFunc(keys, func(key string) bool { return len(secret.Data[key]) == 0 }) {
			for _, key := range keys {
				err = errors.Join(err, os.WriteFile(filepath.Join(dir, key), secret.Data[key], 0o600))
			}
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("secret %s is not there: %w", name, errors.Join(context.Cause(ctx), err))
		}
	}
}

// webhookPath begins what follows the service's name in the address of a webhook.
var webhookPath = regexp.MustCompile(`(?m)^( +)path: /(convert|mutate-|validate-)`)

// installKueue applies Kueue's objects. The API server finds the webhooks on this machine at port.
func (c *Cluster) installKueue(ctx context.Context, objects, port string) error {
	var said bytes.Buffer
	render := exec.CommandContext(ctx, c.Kubectl, "kustomize", objects)
	render.Stderr = &said
	out, err := render.Output()
	if err != nil {
		return fmt.Errorf("its objects: %w\n%s", err, said.String())
	}
	apply := exec.CommandContext(ctx, c.Kubectl, "--kubeconfig", c.Kubeconfig, "apply", "--server-side", "-f", "-")
	apply.Stdin = bytes.NewReader(webhookPath.ReplaceAll(out, []byte("${1}port: "+port+"\n$0")))
	if out, err := apply.CombinedOutput(); err != nil {
		return fmt.Errorf("apply its objects: %w\n%s", err, out)
	}
	if err := c.serves(ctx, "kueue.x-k8s.io/v1beta1", "resourceflavors", "workloads"); err != nil { // as they are kept, without webhook
		return err
	}
	// The garbage collector looks for new kinds every 30 s, and when it starts: until then nobody removes what Kueue has of
	// a Job that was deleted.
	return c.Signal("kube-controller-manager", syscall.SIGKILL)
}
