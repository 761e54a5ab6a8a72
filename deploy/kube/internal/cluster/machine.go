//go:build linux

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// machineDir holds what a node changes of the whole machine. It is on a file system that a reboot empties, as the
// reboot takes back what is noted there.
const machineDir = "/run/signalbox-kube"

// machine is the right to be the one node of this machine, and what was changed for it.
type machine struct {
	lock  *os.File
	state machineState
	log   io.Writer
}

// machineState is the note from which a successor takes back what a killed cluster could not.
type machineState struct {
	// Dir is the directory of the cluster.
	Dir string `json:"dir"`
	// Sysctls are the settings as they were before.
	Sysctls map[string]string `json:"sysctls"`
}

// takeMachine waits for another node of the machine to end, takes back what a killed one left, and notes that this one
// begins. Nothing is changed yet.
func takeMachine(ctx context.Context, cfg Config) (*machine, error) {
	if err := os.MkdirAll(machineDir, 0o755); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(machineDir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	m := &machine{lock: lock, log: cfg.Log}
	if err := m.wait(ctx, cfg.Wait); err != nil {
		lock.Close()
		return nil, err
	}
	if err := m.begin(cfg.Dir); err != nil {
		lock.Close()
		return nil, err
	}
	return m, nil
}

func (m *machine) wait(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("another node of this machine still runs after %s", limit))
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for told := false; ; told = true {
		err := syscall.Flock(int(m.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil || !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		if !told {
			fmt.Fprintln(m.log, "kube: waiting for another node of this machine to end")
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// begin cleans up after a killed cluster and writes the note of this one.
func (m *machine) begin(dir string) error {
	b, err := os.ReadFile(m.note())
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		var left machineState
		if err := json.Unmarshal(b, &left); err != nil {
			return fmt.Errorf("%s: %w", m.note(), err)
		}
		fmt.Fprintf(m.log, "kube: taking back what the cluster in %s left\n", left.Dir)
		if err := takeBack(left); err != nil {
			return fmt.Errorf("take back what the cluster in %s left: %w", left.Dir, err)
		}
	}
	if err := foreignKubernetes(); err != nil {
		return err
	}
	m.state = machineState{Dir: dir, Sysctls: readSysctls()}
	if b, err = json.MarshalIndent(m.state, "", " "); err != nil {
		return err
	}
	if err := os.WriteFile(m.note()+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(m.note()+".new", m.note())
}

// prepare makes what the node needs of the machine.
func (m *machine) prepare() error {
	if err := addBridge(bridge, nodeIP+"/24"); err != nil {
		return err
	}
	if err := makeCgroups(cgroupName); err != nil {
		return err
	}
	// Pods reach services through the node.
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0)
}

// restore takes back everything, and the note with it.
func (m *machine) restore() error {
	if err := takeBack(m.state); err != nil {
		return err // the next one tries again
	}
	return os.Remove(m.note())
}

func (m *machine) note() string { return filepath.Join(machineDir, "state.json") }

func (m *machine) release() { m.lock.Close() }
