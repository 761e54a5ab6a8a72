//go:build linux

package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	// bridge is the node's own network. Its address is the node's, the API server's and the gateway of pods at once: the
	// address of a node may not be loopback, and nothing is to listen on the machine's real interfaces.
	bridge = "signalbox0"
	nodeIP = "10.244.0.1"
	podNet = "10.244.0.0/24"
	// bridgeMAC is the bridge's for good. One that nobody sets is the lowest of its ports', changes as pods come and go,
	// and leaves those that stay without a way to the node until their neighbour tables are refreshed, up to a minute.
	bridgeMAC = "0a:58:0a:f4:00:01"
)

func addBridge(name, address string) error {
	for _, args := range [][]string{
		{"link", "add", name, "address", bridgeMAC, "type", "bridge"}, {"addr", "add", address, "dev", name}, {"link", "set", name, "up"},
	} {
		if err := ip(args...); err != nil {
			return err
		}
	}
	return nil
}

func deleteBridge(name string) error {
	if _, err := os.Stat(filepath.Join("/sys/class/net", name)); err != nil {
		return nil //nolint:nilerr // it is not there
	}
	return ip("link", "del", name)
}

// tryBridge finds out whether a bridge can be made.
func tryBridge() error {
	name := fmt.Sprintf("sbtry%d", os.Getpid()%100000)
	if err := ip("link", "add", name, "type", "bridge"); err != nil {
		return err
	}
	return deleteBridge(name)
}

func ip(args ...string) error {
	path, err := tool("ip")
	if err != nil {
		return err
	}
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// readSysctls returns the machine's settings that the kubelet, kube-proxy or we change.
func readSysctls() map[string]string {
	values := map[string]string{}
	for _, name := range []string{
		"net/ipv4/ip_forward", "net/ipv4/conf/all/route_localnet", "vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic",
		"kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
	} {
		if b, err := os.ReadFile("/proc/sys/" + name); err == nil { // not every kernel has every one
			values[name] = strings.TrimSpace(string(b))
		}
	}
	return values
}

// restoreSysctls writes back what is not as it was.
func restoreSysctls(values map[string]string) error {
	now := readSysctls()
	for name, value := range values {
		if now[name] == value {
			continue
		}
		if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0); err != nil {
			return err
		}
	}
	return nil
}
