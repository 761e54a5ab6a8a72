//go:build linux

package cluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// Mode is how much of a cluster runs.
type Mode string

const (
	// ModeAPI runs etcd, the API server and the controller manager: objects behave, pods stay pending. Needs no privilege.
	ModeAPI Mode = "api"
	// ModeNode runs everything: pods are containers. Needs root.
	ModeNode Mode = "node"
	// ModeAuto is ModeNode where the machine can, else ModeAPI.
	ModeAuto Mode = "auto"
)

// tools are the executables of ModeNode that come from the system's packages, which packages.sh installs.
var tools = []string{"containerd", "ctr", "runc", "iptables-save", "iptables-restore", "conntrack", "ip"}

const cniPlugins = "/usr/lib/cni"

// decide turns ModeAuto into one of the others, and says why if it is not ModeNode.
func decide(m Mode, log io.Writer) (Mode, error) {
	if m == ModeAPI {
		return ModeAPI, nil
	}
	err := capable()
	switch {
	case err == nil:
		return ModeNode, nil
	case m == ModeNode:
		return "", fmt.Errorf("this machine cannot run a node: %w", err)
	}
	fmt.Fprintf(log, "kube: mode api, because this machine cannot run a node: %v\n", err)
	return ModeAPI, nil
}

// capable tries what a node needs of the machine, and says all that is missing and what to do about it.
func capable() error {
	if os.Geteuid() != 0 {
		return errors.New("containers, the bridge and iptables need root: run it as root, or take --mode api")
	}
	var errs []error
	for _, t := range tools {
		if _, err := tool(t); err != nil {
			errs = append(errs, fmt.Errorf("%s is missing: run deploy/kube/packages.sh", t))
		}
	}
	for _, p := range []string{"bridge", "host-local", "portmap", "loopback"} {
		if _, err := os.Stat(filepath.Join(cniPlugins, p)); err != nil {
			errs = append(errs, fmt.Errorf("%s/%s is missing: run deploy/kube/packages.sh", cniPlugins, p))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	if err := tryBridge(); err != nil {
		errs = append(errs, fmt.Errorf("a bridge cannot be made (in a container: add CAP_NET_ADMIN, or take --mode api): %w", err))
	}
	if err := tryCgroups(); err != nil {
		errs = append(errs, fmt.Errorf("cgroups cannot be made (in a container: mount them writable, or take --mode api): %w", err))
	}
	return errors.Join(errs...)
}

// tool finds an executable, also where root's PATH lacks the folders of root's tools.
func tool(name string) (string, error) {
	if p, err := exec.LookPath(name); err == nil {
		return p, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/local/bin"} {
		if p, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, exec.ErrNotFound)
}
