// Package gateway runs the S3 server that comes with Signalbox: versitygw over a directory, as a child process of the
// own binary. A process of its own, because the server changes the working directory and keeps its state in package
// variables. The directory survives a kill of the server at any moment; a power cut may lose the last objects, as the
// server does not sync them. For more than one machine, use a real S3 server instead.
package gateway

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/signalbox-ml/signalbox/registry/bucket/internal/child"
)

// Config says what to serve and where.
type Config struct {
	// Exe is the program to run as the server; empty means the running one. It must call ChildMain on Args.
	Exe string
	// Args are its arguments; empty means {"s3-gateway"}.
	Args []string
	// Dir holds the buckets, one directory each. It is made where absent. Its file system must keep user extended
	// attributes, in which the server stores checksums: ext4, xfs, btrfs, zfs and APFS do.
	Dir string
	// Addr is a loopback address to listen on; empty means "127.0.0.1:0", a free port.
	Addr string
	// AccessKey and SecretKey are the only credentials that the server takes.
	AccessKey, SecretKey string
	// Region is the region that requests are signed for; empty means "us-east-1".
	Region string
	// StartTimeout bounds Start; 0 means 30 s.
	StartTimeout time.Duration
	// Log receives what the server prints; nil discards it.
	Log io.Writer
}

func (c Config) withDefaults() (Config, error) {
	if c.Exe == "" {
		exe, err := os.Executable()
		if err != nil {
			return c, fmt.Errorf("find the own program: %w", err)
		}
		c.Exe = exe
	}
	if len(c.Args) == 0 {
		c.Args = []string{"s3-gateway"}
	}
	if c.Addr == "" {
		c.Addr = "127.0.0.1:0"
	}
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	if c.StartTimeout == 0 {
		c.StartTimeout = 30 * time.Second
	}
	return c, nil
}

func (c Config) validate() error {
	var faults []error
	if c.Dir == "" {
		faults = append(faults, errors.New("Dir is empty: name a directory for the buckets"))
	}
	if c.AccessKey == "" || c.SecretKey == "" {
		faults = append(faults, errors.New("AccessKey or SecretKey is empty: generate them"))
	}
	host, _, err := net.SplitHostPort(c.Addr)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		faults = append(faults, fmt.Errorf("Addr %q is not a loopback address: use a real S3 server to serve others", c.Addr))
	}
	return errors.Join(faults...)
}

// Server is a running gateway.
type Server struct {
	process *child.Process
	addr    string
}

// Start starts the server and returns when it answers. It refuses a directory whose file system keeps no user extended
// attributes with ErrNoAttributes. The end of ctx after that does not stop the server; the end of this process does.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	s, err := start(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("start the S3 gateway: %w", err)
	}
	return s, nil
}

func start(ctx context.Context, cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err = errors.Join(err, cfg.validate()); err != nil {
		return nil, err
	}
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return nil, err
	}
	if err = os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	if err = checkAttributes(cfg.Dir, xattrs()); err != nil {
		return nil, err
	}
	// Only this child knows the path: whoever answers there is the child, not somebody else who has the port.
	health := "/health-" + rand.Text()
	ctx, cancel := context.WithTimeout(ctx, cfg.StartTimeout)
	defer cancel()
	p, addr, err := child.Serve(ctx, child.Server{Health: health, Command: func(addr string) child.Config {
		return command(cfg, addr, health)
	}}, cfg.Addr)
	if err != nil {
		return nil, err
	}
	return &Server{process: p, addr: addr}, nil
}

// command keeps the credentials out of the argument list and the environment, which other processes may read.
func command(cfg Config, addr, health string) child.Config {
	hello, _ := json.Marshal(settings{ // plain strings: cannot fail
		Dir: cfg.Dir, Addr: addr, Region: cfg.Region, Health: health, AccessKey: cfg.AccessKey, SecretKey: cfg.SecretKey,
	})
	return child.Config{
		Path: cfg.Exe, Args: cfg.Args, Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")},
		Hello: append(hello, '\n'), Grace: 2 * drain, Log: cfg.Log,
	}
}

// Endpoint is the base URL of the server.
func (s *Server) Endpoint() string { return "http://" + s.addr }

// Pid is the process id of the server.
func (s *Server) Pid() int { return s.process.Pid() }

// Done is closed when the server has ended, for whatever reason.
func (s *Server) Done() <-chan struct{} { return s.process.Done() }

// Wait waits for the end of the server: nil after Stop, an error with its last lines if it ended by itself.
func (s *Server) Wait() error { return s.process.Err() }

// Stop lets running requests finish for a few seconds, or until ctx ends, and ends the server.
func (s *Server) Stop(ctx context.Context) error { return s.process.Stop(ctx) }
