// Package kubetest gives tests a real Kubernetes: the one of deploy/kube, which it starts as a process of its own.
package kubetest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Modes of a cluster.
const (
	ModeNode = "node" // pods run in containers; needs root
	ModeAPI  = "api"  // no node: pods are objects only
	ModeAuto = "auto" // node where that is possible, unless ModeVar says otherwise
)

// ModeVar is the environment variable that decides for ModeAuto: to have tests without containers where they could be.
const ModeVar = "SIGNALBOX_TEST_KUBERNETES"

// startWithin bounds a start, a build of Kubernetes from source included.
const startWithin = 50 * time.Minute

// Cluster is a running Kubernetes.
type Cluster struct {
	Mode       string `json:"mode"`
	Kubeconfig string `json:"kubeconfig"`
	Server     string `json:"server"`
	NodeIP     string `json:"node_ip"` // where pods reach servers of the test; node mode only
	Containerd string `json:"containerd"`
	Kubectl    string `json:"kubectl"`

	program string
	cmd     *exec.Cmd
	stdin   io.Closer
	said    *buffer

	mu   sync.Mutex
	pids map[string]int
}

// buffer is what the cluster's process says of its doings.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Start brings a cluster up; its state is below dir. Close ends it.
func Start(dir, mode string) (*Cluster, error) {
	if v := os.Getenv(ModeVar); v != "" && mode == ModeAuto {
		mode = v
	}
	root, err := moduleRoot()
	if err != nil {
		return nil, fmt.Errorf("start cluster: %w", err)
	}
	c := &Cluster{program: filepath.Join(dir, "kube"), said: &buffer{}}
	build := exec.Command("go", "build", "-o", c.program, "./deploy/kube")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build deploy/kube: %w\n%s", err, out)
	}
	c.cmd = exec.Command(c.program, "up", "--mode", mode, "--dir", filepath.Join(dir, "cluster"))
	c.cmd.Dir, c.cmd.Stderr = root, c.said
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start cluster: %w", err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start cluster: %w", err)
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start cluster: %w", err)
	}
	ready := make(chan error, 1)
	go c.listen(out, ready)
	select {
	case err = <-ready:
	case <-time.After(startWithin):
		err = fmt.Errorf("not ready within %s", startWithin)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start cluster: %w\n%s", err, c.said), c.Close())
	}
	return c, nil
}

// listen reads the lines of the cluster's process: first how to reach it, then what it started anew.
func (c *Cluster) listen(out io.Reader, ready chan<- error) {
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		ready <- errors.Join(io.ErrUnexpectedEOF, lines.Err())
		return
	}
	first := struct {
		*Cluster
		Pids map[string]int `json:"pids"`
	}{Cluster: c}
	err := json.Unmarshal(lines.Bytes(), &first)
	c.mu.Lock()
	c.pids = first.Pids
	c.mu.Unlock()
	ready <- err
	for lines.Scan() {
		var again struct {
			Restarted string `json:"restarted"`
			Pid       int    `json:"pid"`
		}
		if json.Unmarshal(lines.Bytes(), &again) == nil && again.Restarted != "" {
			c.mu.Lock()
			c.pids[again.Restarted] = again.Pid
			c.mu.Unlock()
		}
	}
}

// Pid is the process of one program, such as kube-apiserver. It changes when the program is started anew.
func (c *Cluster) Pid(program string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pids[program]
}

// Signal sends a signal to one program. One that dies of it is started anew.
func (c *Cluster) Signal(program string, sig syscall.Signal) error {
	pid := c.Pid(program)
	if pid == 0 {
		return fmt.Errorf("the cluster has no %s", program)
	}
	return syscall.Kill(pid, sig)
}

// Close ends the cluster and everything that it started, and waits for that.
func (c *Cluster) Close() error {
	err := c.stdin.Close()
	done := make(chan error, 1)
	go func() { done <- c.cmd.Wait() }()
	select {
	case end := <-done:
		if end != nil {
			err = errors.Join(err, fmt.Errorf("cluster: %w\n%s", end, c.said))
		}
	case <-time.After(2 * time.Minute):
		err = errors.Join(err, errors.New("the cluster does not end"), c.cmd.Process.Kill(), <-done)
	}
	return err
}

// Image makes an image of a folder, gives it to the cluster's node and returns its name by digest.
func (c *Cluster) Image(root, name string, args ...string) (string, error) {
	file := filepath.Join(filepath.Dir(c.program), strings.NewReplacer("/", "-", ":", "-").Replace(name)+".tar")
	build := append([]string{"image", "build", "--root", root, "--name", name, "--out", file}, args...)
	if out, err := exec.Command(c.program, build...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build image %s: %w\n%s", name, err, out)
	}
	load := exec.Command(c.program, "image", "load", "--socket", c.Containerd, file)
	var said bytes.Buffer
	load.Stderr = &said
	out, err := load.Output()
	if err != nil {
		return "", fmt.Errorf("load image %s: %w\n%s", name, err, said.String())
	}
	var loaded struct {
		Reference string `json:"image"`
	}
	if err := json.Unmarshal(out, &loaded); err != nil || loaded.Reference == "" {
		return "", fmt.Errorf("load image %s: %q says no reference: %w", name, out, err)
	}
	return loaded.Reference, nil
}

// moduleRoot is the folder of go.mod above the working directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, there := os.Stat(filepath.Join(dir, "go.mod")); there == nil {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}
