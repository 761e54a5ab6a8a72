//go:build linux

// Package cluster runs a whole Kubernetes on this machine in the foreground: the API alone without any privilege, or one
// node whose pods are real containers. It starts every program as a child, restarts what dies, and takes everything
// back at the end, also what a killed predecessor left.
package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/kube/internal/pki"
	"github.com/signalbox-ml/signalbox/deploy/kube/internal/process"
	"github.com/signalbox-ml/signalbox/deploy/kube/internal/programs"
)

// Up is the line that a cluster prints once it is ready.
type Up struct {
	// Mode is the mode that was taken: ModeAPI or ModeNode.
	Mode Mode `json:"mode"`
	// Kubeconfig is a file of a user who may do everything. It carries its certificate and token itself.
	Kubeconfig string `json:"kubeconfig"`
	// Server is the API server's URL.
	Server string `json:"server"`
	// NodeIP is the address under which pods reach this machine, and Containerd the socket of the container runtime.
	NodeIP     string `json:"node_ip,omitempty"`
	Containerd string `json:"containerd,omitempty"`
	// Pids are the processes by program.
	Pids map[string]int `json:"pids"`
	// Kubectl is the executable.
	Kubectl string `json:"kubectl"`
	// Dir holds everything, logs/ among it.
	Dir string `json:"dir"`
}

// restart is the line that is printed when a program was started again.
type restart struct {
	Restarted string `json:"restarted"`
	Pid       int    `json:"pid"`
}

// cluster is one that runs.
type cluster struct {
	cfg      Config
	ca       *pki.Authority
	api      *client
	ports    ports
	machine  *machine // nil in ModeAPI
	children []*process.Child

	mu    sync.Mutex
	ready bool // lines may be printed
}

// Run brings a cluster up, prints Up as one line of JSON, and keeps it until ctx ends. Restarts are printed as further
// lines. When it returns, nothing of the cluster is left but the directory, which keeps logs and images.
func Run(ctx context.Context, cfg Config) (err error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return fmt.Errorf("kube up: %w", err)
	}
	if cfg.Mode, err = decide(cfg.Mode, cfg.Log); err != nil {
		return fmt.Errorf("kube up: %w", err)
	}
	dir, err := claim(cfg.Dir)
	if err != nil {
		return fmt.Errorf("kube up: %w", err)
	}
	defer dir.release()
	cfg.Dir = dir.path
	c := &cluster{cfg: cfg}
	if cfg.Mode == ModeNode {
		if err := dir.fits(); err != nil {
			return fmt.Errorf("kube up: %w", err)
		}
		if c.machine, err = takeMachine(ctx, cfg); err != nil {
			return fmt.Errorf("kube up: %w", err)
		}
		defer c.machine.release()
	}
	if err := dir.wipe(); err != nil {
		return fmt.Errorf("kube up: %w", err)
	}
	defer func() {
		stopped := c.stop()
		if stopped == nil {
			stopped = dir.settle()
		}
		err = errors.Join(err, stopped)
	}()
	if err := c.start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // told to stop while starting
		}
		return fmt.Errorf("kube up: %w", err)
	}
	<-ctx.Done()
	return nil
}

// start returns when the cluster is ready and has said so.
func (c *cluster) start(ctx context.Context) error {
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.ReadyTimeout, fmt.Errorf("not ready after %s", c.cfg.ReadyTimeout))
	defer cancel()
	if err := c.prepare(); err != nil {
		return err
	}
	if c.cfg.Mode == ModeNode {
		if err := c.startRuntime(ctx); err != nil {
			return err
		}
	}
	if err := c.startControlPlane(ctx); err != nil {
		return err
	}
	if c.cfg.Mode == ModeNode {
		if err := c.startNode(ctx); err != nil {
			return err
		}
	}
	if err := c.await(ctx, "the default service account", "kube-controller-manager", c.api.hasServiceAccount); err != nil {
		return err
	}
	fmt.Fprintf(c.cfg.Log, "kube: ready as %s after %.1f s\n", c.cfg.Mode, time.Since(began).Seconds())
	return c.announce()
}

// announce prints Up, and what comes from now on may be printed too.
func (c *cluster) announce() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	up := Up{
		Mode: c.cfg.Mode, Kubeconfig: c.path("admin.kubeconfig"), Server: c.server(),
		Pids: map[string]int{}, Kubectl: c.cfg.Programs.Path("kubectl"), Dir: c.cfg.Dir,
	}
	if c.cfg.Mode == ModeNode {
		up.NodeIP, up.Containerd = nodeIP, c.path("containerd.sock")
	}
	for _, child := range c.children {
		up.Pids[child.Name()] = child.Pid()
	}
	c.ready = true
	return json.NewEncoder(c.cfg.Out).Encode(up)
}

// run starts a program whose output goes to logs/<name>.log.
func (c *cluster) run(name, path string, args ...string) error {
	spec := process.Spec{Name: name, Path: path, Args: args, Log: c.path("logs", name+".log")}
	child, err := process.Start(spec, func(pid int) {
		c.mu.Lock()
		defer c.mu.Unlock()
		fmt.Fprintf(c.cfg.Log, "kube: %s ended and was started again as %d\n", name, pid)
		if c.ready {
			_ = json.NewEncoder(c.cfg.Out).Encode(restart{name, pid}) // a reader that is gone has closed our input too
		}
	})
	if err != nil {
		return err
	}
	c.children = append(c.children, child)
	return nil
}

// runOurs is run for a program of the set.
func (c *cluster) runOurs(name string, args ...string) error {
	return c.run(name, c.cfg.Programs.Path(name), args...)
}

func (c *cluster) path(elem ...string) string {
	return filepath.Join(append([]string{c.cfg.Dir}, elem...)...)
}

// Config says what to run and where.
type Config struct {
	// Mode is ModeAPI, ModeNode or ModeAuto. Empty means ModeAuto.
	Mode Mode
	// Dir holds the cluster. It is made if missing, and wiped of the cluster that was there before. Required. For
	// a node its path may have 70 bytes.
	Dir string
	// ReadyTimeout bounds the start. 0 means two minutes.
	ReadyTimeout time.Duration
	// Wait bounds how long ModeNode waits for another cluster of the machine to end. 0 means ten minutes.
	Wait time.Duration
	// Programs are the executables.
	Programs programs.Set
	// Out receives the lines of JSON, Log progress for people. Both are required.
	Out, Log io.Writer
}

func (c Config) withDefaults() Config {
	if c.Mode == "" {
		c.Mode = ModeAuto
	}
	if c.ReadyTimeout == 0 {
		c.ReadyTimeout = 2 * time.Minute
	}
	if c.Wait == 0 {
		c.Wait = 10 * time.Minute
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	switch c.Mode {
	case ModeAPI, ModeNode, ModeAuto:
	default:
		errs = append(errs, fmt.Errorf("mode %q: want api, node or auto", c.Mode))
	}
	if c.Dir == "" {
		errs = append(errs, errors.New("dir is empty: name a directory for the cluster"))
	}
	if c.ReadyTimeout < 0 || c.Wait < 0 {
		errs = append(errs, errors.New("a timeout is negative"))
	}
	return errors.Join(errs...)
}
