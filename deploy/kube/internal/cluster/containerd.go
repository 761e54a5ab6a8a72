//go:build linux

package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/kube/internal/image"
)

const pauseImage = "localhost/pause:1"

// containerdConfig is containerd's file. What is not usual:
//   - restrict_oom_score_adj: lowering a process's score needs CAP_SYS_RESOURCE, which root in a virtual machine or a
//     container may lack; every pod fails without this ("can't get final child's PID from pipe: EOF");
//   - netns_mounts_under_state_dir: all mounts lie below our directory, where cleaning up finds them;
//   - the plugins that are off want kernels, tools or collectors that need not be there.
const containerdConfig = `version = 2
root = "%[1]s/images"
state = "%[1]s/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[grpc]
  address = "%[1]s/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "%[2]s"
  disable_apparmor = true
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "%[3]s"
    conf_dir = "%[1]s/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
`

// cniConfig gives pods addresses on the node's own bridge, whose address is their gateway. Nothing is masqueraded: a pod
// reaches this machine and other pods, and not the network beyond.
const cniConfig = `{"cniVersion": "1.0.0", "name": "signalbox", "plugins": [
 {"type": "bridge", "bridge": "%[1]s", "isGateway": true, "hairpinMode": true, "ipMasq": false,
  "ipam": {"type": "host-local", "dataDir": "%[2]s/cni/ipam", "routes": [{"dst": "0.0.0.0/0"}],
   "ranges": [[{"subnet": "%[3]s", "gateway": "%[4]s", "rangeStart": "10.244.0.10"}]]}},
 {"type": "portmap", "capabilities": {"portMappings": true}}]}
`

// startRuntime returns when containerd answers.
func (c *cluster) startRuntime(ctx context.Context) error {
	if err := os.MkdirAll(c.path("cni"), 0o755); err != nil {
		return err
	}
	cni := fmt.Sprintf(cniConfig, bridge, c.cfg.Dir, podNet, nodeIP)
	if err := os.WriteFile(c.path("cni", "10-signalbox.conflist"), []byte(cni), 0o644); err != nil {
		return err
	}
	config := fmt.Sprintf(containerdConfig, c.cfg.Dir, pauseImage, cniPlugins)
	if err := os.WriteFile(c.path("containerd.toml"), []byte(config), 0o644); err != nil {
		return err
	}
	path, err := tool("containerd")
	if err != nil {
		return err
	}
	if err := c.run("containerd", path, "--config", c.path("containerd.toml")); err != nil {
		return err
	}
	return c.await(ctx, "containerd", "containerd", func(ctx context.Context) error {
		_, err := c.ctr(ctx, "version")
		return err
	})
}

// loadPause gives containerd the image of every pod's first container.
func (c *cluster) loadPause(ctx context.Context) error {
	have, err := c.ctr(ctx, "images", "ls", "-q", "name=="+pauseImage)
	if err != nil || have != "" {
		return err
	}
	root := c.path("pause")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	b, err := os.ReadFile(c.cfg.Programs.Path("pause"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(root+"/pause", b, 0o755); err != nil {
		return err
	}
	archive := c.path("pause.tar")
	if _, err := image.Build(root, archive, image.Config{Name: pauseImage, Entrypoint: []string{"/pause"}, User: "65535:65535"}); err != nil {
		return err
	}
	_, err = image.Load(ctx, c.path("containerd.sock"), archive)
	return err
}

// ctr runs containerd's client on what the kubelet made.
func (c *cluster) ctr(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	path, err := tool("ctr")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, append([]string{"--address", c.path("containerd.sock"), "--namespace", "k8s.io"}, args...)...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ctr %s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
	}
	return strings.TrimSpace(string(out)), nil
}
