//go:build linux

package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cgroupName is the group that all pods live below, in every hierarchy.
const cgroupName = "signalbox-kube"

// hierarchies returns where cgroups with controllers are mounted: one place for each with version 1, one in all with 2;
// and where they are mounted at all.
func hierarchies() (controlled, all []string, err error) {
	mounts, err := mountPoints()
	if err != nil {
		return nil, nil, err
	}
	var v1, v2 []string
	for _, m := range mounts {
		switch m.kind {
		case "cgroup":
			v1 = append(v1, m.path)
		case "cgroup2":
			v2 = append(v2, m.path)
		}
	}
	if len(v1) > 0 {
		return v1, slices.Concat(v1, v2), nil // beside it, version 2 has no controllers
	}
	if len(v2) == 0 {
		return nil, nil, errors.New("no cgroup hierarchy is mounted")
	}
	return v2[:1], v2[:1], nil
}

// makeCgroups makes a group in every hierarchy.
func makeCgroups(name string) error {
	roots, _, err := hierarchies()
	if err != nil {
		return err
	}
	for _, root := range roots {
		group := filepath.Join(root, name)
		if err := os.Mkdir(group, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		// A new group of version 1 has no processors and no memory until it is told, and takes no process before.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			b, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				continue // another hierarchy
			}
			if err := os.WriteFile(filepath.Join(group, file), b, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// tryCgroups finds out whether groups can be made.
func tryCgroups() error {
	name := fmt.Sprintf("%s-try-%d", cgroupName, os.Getpid())
	if err := makeCgroups(name); err != nil {
		return err
	}
	return removeCgroups(name)
}

// removeCgroups kills what lives in the groups below name and removes them, and name itself.
func removeCgroups(name string) error {
	_, roots, err := hierarchies() // runc makes groups where no controller is, too
	if err != nil {
		return err
	}
	end := time.Now().Add(10 * time.Second)
	for {
		var busy error
		for _, root := range roots {
			if err := removeTree(filepath.Join(root, name)); err != nil {
				busy = err
			}
		}
		if busy == nil || time.Now().After(end) {
			return busy
		}
		time.Sleep(50 * time.Millisecond) // the dead leave their group a moment later
	}
}

// removeTree goes from the leaves to the top: a group with children cannot be removed.
func removeTree(group string) error {
	groups, err := tree(group)
	if err != nil {
		return err
	}
	for _, g := range slices.Backward(groups) {
		killGroup(g)
		if err := os.Remove(g); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// killTree kills the processes of a group and of those below it.
func killTree(group string) {
	groups, _ := tree(group) // a group that goes meanwhile has nobody to kill
	for _, g := range groups {
		killGroup(g)
	}
}

// tree returns a group and those below it, each before its children.
func tree(group string) (groups []string, err error) {
	err = filepath.WalkDir(group, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && d.IsDir() {
			groups = append(groups, path)
		}
		return err
	})
	return groups, err
}

// killGroup kills the processes of one group.
func killGroup(group string) {
	b, err := os.ReadFile(filepath.Join(group, "cgroup.procs"))
	if err != nil {
		return // gone
	}
	for _, line := range strings.Fields(string(b)) {
		if pid, err := strconv.Atoi(line); err == nil && pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL) // gone already: what we want
		}
	}
}
