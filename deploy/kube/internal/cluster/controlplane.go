//go:build linux

package cluster

import (
	"context"
	"net"
	"os"
	"strconv"

	"github.com/signalbox-ml/signalbox/deploy/kube/internal/pki"
)

// serviceIPs is where virtual addresses of services come from; serviceIP is the one of the API server.
const (
	serviceIPs = "10.96.0.0/16"
	serviceIP  = "10.96.0.1"
)

// users of the API, by the name of their kubeconfig file.
func users() map[string]pki.User {
	return map[string]pki.User{
		"admin":                   pki.NewUser("admin", "system:masters"),
		"kube-controller-manager": pki.NewUser("system:kube-controller-manager", ""),
		"kube-scheduler":          pki.NewUser("system:kube-scheduler", ""),
		"kube-proxy":              pki.NewUser("system:kube-proxy", ""),
		"kubelet":                 pki.NewUser("system:node:"+nodeName, "system:nodes"),
	}
}

// host is the address of the API server. A pod cannot reach loopback, so a node has one of its own.
func (c *cluster) host() string {
	if c.cfg.Mode == ModeNode {
		return nodeIP
	}
	return "127.0.0.1"
}

func (c *cluster) server() string {
	return "https://" + net.JoinHostPort(c.host(), strconv.Itoa(c.ports.api))
}

// prepare picks the ports and writes keys, tokens and kubeconfigs. A node's bridge must be there before: its address is
// one of the ports'.
func (c *cluster) prepare() (err error) {
	for _, d := range []string{"logs", "pki"} {
		if err := os.MkdirAll(c.path(d), 0o700); err != nil {
			return err
		}
	}
	if c.machine != nil {
		if err := c.machine.prepare(); err != nil {
			return err
		}
	}
	if c.ports, err = pickPorts(c.host()); err != nil {
		return err
	}
	if c.ca, err = pki.New(c.path("pki")); err != nil {
		return err
	}
	for file, subject := range map[string]pki.Subject{
		"etcd": {Name: "etcd", Hosts: []string{"127.0.0.1"}},
		"apiserver": {Name: "kube-apiserver", Hosts: []string{
			"127.0.0.1", nodeIP, serviceIP, "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
			"kubernetes.default.svc.cluster.local",
		}},
		"kubelet":        {Name: "system:node:" + nodeName, Groups: []string{"system:nodes"}, Hosts: []string{nodeIP, nodeName}},
		"kubelet-client": {Name: "apiserver-kubelet-client", Groups: []string{"system:masters"}},
	} {
		if err := c.ca.Issue(file, subject); err != nil {
			return err
		}
	}
	if err := c.ca.ServiceAccounts(); err != nil {
		return err
	}
	var all []pki.User
	for file, u := range users() {
		all = append(all, u)
		if err := c.ca.WriteKubeconfig(c.path(file+".kubeconfig"), c.server(), u); err != nil {
			return err
		}
		if file == "admin" {
			c.api = newClient(c.server(), c.ca, u)
		}
	}
	return pki.WriteTokens(c.ca.Path("tokens.csv"), all...)
}

// startControlPlane returns when the API server serves.
func (c *cluster) startControlPlane(ctx context.Context) error {
	if err := c.runOurs("etcd", c.etcdFlags()...); err != nil {
		return err
	}
	if err := c.runOurs("kube-apiserver", c.apiserverFlags()...); err != nil {
		return err
	}
	if err := c.await(ctx, "the API server", "kube-apiserver", c.api.isReady); err != nil {
		return err
	}
	return c.runOurs("kube-controller-manager", c.managerFlags()...)
}

func (c *cluster) etcdFlags() []string {
	pki := c.ca.Path
	return []string{
		"--data-dir", c.path("etcd"), "--log-level", "warn",
		"--unsafe-no-fsync", // the data is thrown away with the cluster
		"--listen-client-urls", at(c.ports.etcd), "--advertise-client-urls", at(c.ports.etcd),
		"--listen-peer-urls", at(c.ports.etcdPeer), "--initial-advertise-peer-urls", at(c.ports.etcdPeer),
		"--initial-cluster", "default=" + at(c.ports.etcdPeer),
		// Whoever reads etcd reads every secret: without certificates that would be every user of the machine.
		"--cert-file", pki("etcd.crt"), "--key-file", pki("etcd.key"), "--client-cert-auth", "--trusted-ca-file", pki("ca.crt"),
		"--peer-cert-file", pki("etcd.crt"), "--peer-key-file", pki("etcd.key"), "--peer-client-cert-auth", "--peer-trusted-ca-file", pki("ca.crt"),
	}
}

func (c *cluster) apiserverFlags() []string {
	pki := c.ca.Path
	flags := []string{
		"--etcd-servers", at(c.ports.etcd), "--etcd-cafile", pki("ca.crt"), "--etcd-certfile", pki("etcd.crt"), "--etcd-keyfile", pki("etcd.key"),
		// Said outright: it looks for a default route else, and a machine without one has no answer.
		"--bind-address", c.host(), "--advertise-address", c.host(), "--secure-port", strconv.Itoa(c.ports.api),
		"--tls-cert-file", pki("apiserver.crt"), "--tls-private-key-file", pki("apiserver.key"), "--client-ca-file", pki("ca.crt"),
		"--token-auth-file", pki("tokens.csv"), "--authorization-mode", "Node,RBAC",
		// Pod Security admission and ValidatingAdmissionPolicy are on as in any cluster.
		"--enable-admission-plugins", "NodeRestriction",
		"--allow-privileged=true", "--service-cluster-ip-range", serviceIPs,
		"--service-account-issuer", "https://kubernetes.default.svc",
		"--service-account-key-file", pki("sa.pub"), "--service-account-signing-key-file", pki("sa.key"),
		"--kubelet-client-certificate", pki("kubelet-client.crt"), "--kubelet-client-key", pki("kubelet-client.key"),
		"--kubelet-certificate-authority", pki("ca.crt"), "--kubelet-preferred-address-types", "InternalIP",
		// The others ask for an authority of aggregated APIs again and again where there is none.
		"--requestheader-client-ca-file", pki("ca.crt"), "--requestheader-allowed-names", "front-proxy",
		"--requestheader-username-headers", "X-Remote-User", "--requestheader-group-headers", "X-Remote-Group",
		"--requestheader-extra-headers-prefix", "X-Remote-Extra-",
		// Five minutes by default: what a test of a lost node would have to wait.
		"--default-not-ready-toleration-seconds", "30", "--default-unreachable-toleration-seconds", "30",
	}
	if c.cfg.Mode == ModeAPI {
		flags = append(flags, "--endpoint-reconciler-type", "none") // an endpoint may not be a loopback address
	}
	return flags
}

func (c *cluster) managerFlags() []string {
	config := c.path("kube-controller-manager.kubeconfig")
	return []string{
		"--kubeconfig", config, "--authentication-kubeconfig", config, "--authorization-kubeconfig", config,
		"--bind-address", "127.0.0.1", "--secure-port", strconv.Itoa(c.ports.manager), "--leader-elect=false",
		"--service-account-private-key-file", c.ca.Path("sa.key"), "--root-ca-file", c.ca.Path("ca.crt"),
		"--cluster-signing-cert-file", c.ca.Path("ca.crt"), "--cluster-signing-key-file", c.ca.Path("ca.key"),
		"--use-service-account-credentials=true",
		// A node that died is seen in seconds; the kubelet reports that much more often (see kubeletConfig).
		"--node-monitor-period", "2s", "--node-monitor-grace-period", "12s",
	}
}
