//go:build linux

package cluster

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// takeBack removes all traces of a node but its directory, whether it ended in order or was killed. What is not there
// is no error: it may be called again.
func takeBack(s machineState) error {
	stopShims(s.Dir)
	return errors.Join(
		removeCgroups(cgroupName), unmountBelow(s.Dir), deleteChains(), deleteBridge(bridge), restoreSysctls(s.Sysctls),
		removeDeadSockets("/run/containerd/s"),
	)
}

// stopShims kills the processes that hold containers for containerd: they outlive it by design. Theirs are told from
// others' by the socket in their command line.
func stopShims(dir string) {
	procs, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is well-formed
	for _, p := range procs {
		b, err := os.ReadFile(p)
		if err != nil {
			continue // ended
		}
		words := strings.Split(string(b), "\x00")
		if !strings.HasPrefix(filepath.Base(words[0]), "containerd-shim") || !slices.Contains(words, filepath.Join(dir, "containerd.sock")) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(p))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL) // ended: what we want
		}
	}
}

// mount is a line of the table of mounts.
type mount struct{ path, kind string }

func mountPoints() ([]mount, error) {
	b, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	var mounts []mount
	for _, line := range strings.Split(string(b), "\n") {
		if f := strings.Fields(line); len(f) > 2 {
			mounts = append(mounts, mount{path: f[1], kind: f[2]}) // spaces are escaped, and our paths have none
		}
	}
	return mounts, nil
}

// unmountBelow removes all mounts below dir, the last one first.
func unmountBelow(dir string) error {
	mounts, err := mountPoints()
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range slices.Backward(mounts) {
		if !strings.HasPrefix(m.path, dir+"/") {
			continue
		}
		err := syscall.Unmount(m.path, 0)
		if errors.Is(err, syscall.EBUSY) {
			err = syscall.Unmount(m.path, syscall.MNT_DETACH) // its last user is dying
		}
		if err != nil && !errors.Is(err, syscall.EINVAL) { // EINVAL: gone meanwhile
			errs = append(errs, fmt.Errorf("unmount %s: %w", m.path, err))
		}
	}
	return errors.Join(errs...)
}

// removeDeadSockets removes sockets that nobody listens on: a shim that is killed leaves its own.
func removeDeadSockets(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil //nolint:nilerr // never made
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		conn, err := net.DialTimeout("unix", path, time.Second)
		if err == nil {
			conn.Close()
			continue
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}
