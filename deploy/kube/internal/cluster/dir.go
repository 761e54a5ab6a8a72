//go:build linux

package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	// marker is the file that says that a directory is a cluster's, and whether that one ended in order.
	marker  = "signalbox-kube"
	running = "running\n"
	settled = "settled\n"
	// longest leaves room for the names of a node's sockets below the directory, as in
	// kubelet/device-plugins/kubelet.sock: the kernel takes paths of 107 bytes.
	longest = 70
)

// directory is the folder of a cluster, locked against a second one.
type directory struct {
	path string
	lock *os.File
}

// claim makes and locks a cluster's directory. It refuses one that holds something else.
func claim(path string) (*directory, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil { // mounts are told by the real path
		return nil, err
	}
	if strings.ContainsAny(path, " \t\n\\\"") { // it is written into configurations
		return nil, fmt.Errorf("dir %q: want no spaces or quotes in it", path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(path, marker)); errors.Is(err, fs.ErrNotExist) && len(entries) > 0 {
		return nil, fmt.Errorf("dir %s holds something that is no cluster's: name an empty one", path)
	}
	lock, err := os.OpenFile(filepath.Join(path, marker), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("dir %s: another cluster runs in it: end that one, or name another", path)
	}
	return &directory{path, lock}, nil
}

// fits reports whether a node can run in the directory.
func (d *directory) fits() error {
	if len(d.path) > longest {
		return fmt.Errorf("dir %s: a node's may have %d bytes, because sockets lie in it: name a shorter one", d.path, longest)
	}
	return nil
}

// wipe removes what an earlier cluster left. The images of one that ended in order stay: importing them takes longer
// than starting the cluster.
func (d *directory) wipe() error {
	was, err := os.ReadFile(filepath.Join(d.path, marker))
	if err != nil {
		return err
	}
	mounts, err := mountPoints()
	if err != nil {
		return err
	}
	for _, m := range mounts {
		if strings.HasPrefix(m.path, d.path+"/") { // it may be somebody's data, as of a hostPath volume
			return fmt.Errorf("%s is mounted by a node that was killed: start one again as root, which cleans up, or unmount it", m.path)
		}
	}
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == marker || e.Name() == "images" && string(was) == settled {
			continue
		}
		if err := os.RemoveAll(filepath.Join(d.path, e.Name())); err != nil {
			return err
		}
	}
	return d.mark(running)
}

// settle notes that the cluster ended in order.
func (d *directory) settle() error { return d.mark(settled) }

func (d *directory) mark(state string) error {
	if err := d.lock.Truncate(0); err != nil {
		return err
	}
	_, err := d.lock.WriteAt([]byte(state), 0)
	return err
}

func (d *directory) release() { d.lock.Close() }
