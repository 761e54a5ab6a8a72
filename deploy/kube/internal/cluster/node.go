//go:build linux

package cluster

import (
	"context"
	"fmt"
	"os"
	"strconv"
)

const nodeName = "node1"

// kubeletConfig is the kubelet's file. What is not usual:
//   - address and port: nothing but pods and this machine reach the bridge, and the port may be another kubelet's;
//   - failCgroupV1: machines with the old hierarchy are still around, and 1.35 refuses them by default;
//   - cgroupRoot: pods' cgroups lie below one of ours, so that cleaning up cannot hit anybody else's;
//   - nodeStatusUpdateFrequency, nodeLeaseDurationSeconds: the node's heartbeat for a grace period of 12 s (managerFlags);
//   - evictionHard: memory only. A disk of a developer that is nearly full would evict everything. Limits of
//     ephemeral storage evict as always, and the pressure is over 10 s after its cause;
//   - imageGCHighThresholdPercent: images cannot be pulled again, so none is ever removed;
//   - clusterDNS: nobody answers there, which refuses names at once.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: %[1]s
port: %[2]d
readOnlyPort: 0
healthzBindAddress: 127.0.0.1
healthzPort: %[3]d
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: %[4]s/pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: %[4]s/pki/kubelet.crt
tlsPrivateKeyFile: %[4]s/pki/kubelet.key
containerRuntimeEndpoint: unix://%[4]s/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: /%[5]s
failCgroupV1: false
failSwapOn: false
podLogsDir: %[4]s/pods
volumePluginDir: %[4]s/volumeplugins
registerNode: true
nodeStatusUpdateFrequency: 3s
nodeLeaseDurationSeconds: 8
syncFrequency: 10s
volumeStatsAggPeriod: 5s
evictionHard: {memory.available: "100Mi"}
evictionPressureTransitionPeriod: 10s
imageGCHighThresholdPercent: 100
clusterDNS: [%[1]s]
resolvConf: /etc/resolv.conf
clusterDomain: cluster.local
`

// startNode returns when the node takes pods.
func (c *cluster) startNode(ctx context.Context) error {
	config := fmt.Sprintf(kubeletConfig, nodeIP, c.ports.kubelet, c.ports.kubeletHealth, c.cfg.Dir, cgroupName)
	if err := os.WriteFile(c.path("kubelet.yaml"), []byte(config), 0o600); err != nil {
		return err
	}
	scheduler := c.path("kube-scheduler.kubeconfig")
	if err := c.runOurs("kube-scheduler",
		"--kubeconfig", scheduler, "--authentication-kubeconfig", scheduler, "--authorization-kubeconfig", scheduler,
		"--bind-address", "127.0.0.1", "--secure-port", strconv.Itoa(c.ports.scheduler), "--leader-elect=false",
	); err != nil {
		return err
	}
	if err := c.loadPause(ctx); err != nil {
		return err
	}
	if err := c.runOurs("kubelet",
		"--config", c.path("kubelet.yaml"), "--kubeconfig", c.path("kubelet.kubeconfig"), "--root-dir", c.path("kubelet"),
		"--cert-dir", c.path("kubelet-pki"), "--hostname-override", nodeName, "--node-ip", nodeIP,
	); err != nil {
		return err
	}
	if err := c.runOurs("kube-proxy",
		"--kubeconfig", c.path("kube-proxy.kubeconfig"), "--hostname-override", nodeName,
		"--proxy-mode", "iptables", "--cluster-cidr", podNet,
		"--metrics-bind-address", "127.0.0.1:"+strconv.Itoa(c.ports.proxyMetrics),
		"--healthz-bind-address", "127.0.0.1:"+strconv.Itoa(c.ports.proxyHealth),
		// Settings of the whole machine that one node for tests need not touch.
		"--conntrack-max-per-core", "0", "--conntrack-min", "0",
		"--conntrack-tcp-timeout-established", "0s", "--conntrack-tcp-timeout-close-wait", "0s",
		"--iptables-localhost-nodeports=false",
	); err != nil {
		return err
	}
	return c.await(ctx, "the node", "kubelet", c.api.nodeIsReady)
}
