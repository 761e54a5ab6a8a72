package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// startTimeout bounds the wait for connections; recovery after a crash is part of it.
const startTimeout = 2 * time.Minute

// Server is a running cluster.
type Server struct {
	url, local string
	proc       *process
	lock       *os.File
	log        io.Closer
}

// Start runs the cluster in cfg.Dir, which it makes at the first time, and returns once it takes connections. It stops
// what an earlier parent left running there. Errors: ErrNoBinaries, ErrInUse, or why the server did not come up.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("postgres config: %w", err)
	}
	dir, err := makeDir(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	s, err := start(ctx, cfg, dir)
	if err != nil {
		return nil, fmt.Errorf("start postgres in %s: %w", dir, err)
	}
	return s, nil
}

// start owns the lock and the log until it hands them to a Server that runs.
func start(ctx context.Context, cfg Config, dir string) (_ *Server, err error) {
	s := &Server{}
	if s.lock, err = lock(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.release()
		}
	}()
	data := filepath.Join(dir, "data")
	as, err := runAs(data)
	if err != nil {
		return nil, err
	}
	if err := as.canReach(dir); err != nil {
		return nil, err
	}
	in, pw, err := prepare(ctx, cfg, data, as)
	if err != nil {
		return nil, err
	}
	out := cfg.Log
	if out == nil {
		f, err := openLog(dir)
		if err != nil {
			return nil, err
		}
		s.log, out = f, f
	}
	return s, s.launch(ctx, cfg, in, as, data, pw, out)
}

// prepare leaves data complete and without a server, and returns the binaries that fit it.
func prepare(ctx context.Context, cfg Config, data string, as identity) (install, secret, error) {
	major, err := dataMajor(data)
	if err != nil {
		return install{}, secret{}, err
	}
	in, err := find(ctx, cfg, major, as)
	if err != nil {
		return install{}, secret{}, err
	}
	pw, err := readSecret(cfg, filepath.Dir(data))
	if err != nil {
		return install{}, secret{}, err
	}
	if major != 0 {
		return in, pw, evict(ctx, data)
	}
	// The password is on disk before the cluster that needs it.
	if err := pw.keep(); err != nil {
		return install{}, secret{}, err
	}
	return in, pw, initialize(ctx, in, as, data, pw.want, cfg.Fast)
}

// launch starts the server. PostgreSQL cannot take port 0, so a free port is looked for first; somebody else may get it
// before the server does, and then another one is tried.
func (s *Server) launch(ctx context.Context, cfg Config, in install, as identity, data string, pw secret, out io.Writer) error {
	host, port, err := net.SplitHostPort(cfg.Addr)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		p := port
		if port == "0" {
			if p, err = freePort(host); err != nil {
				return err
			}
		}
		sockets, err := socketDir(data, as)
		if err != nil {
			return err
		}
		s.proc, err = spawn(in, as, settings(data, host, p, sockets, cfg.Fast), out)
		if err != nil {
			return err
		}
		s.url, s.local = addresses(host, p, sockets, pw.want)
		if err = s.ready(ctx, data, pw); err == nil {
			return pw.keep()
		}
		// The caller's context may be over; the child must not outlive us all the same.
		stopErr := s.proc.stop(context.WithoutCancel(ctx), 10*time.Second)
		taken := strings.Contains(s.proc.out.String(), "Address already in use")
		if !taken || port != "0" || try == 5 {
			return errors.Join(err, stopErr)
		}
	}
}

// URL is the address of Database on TCP, password included, for us and for other tools.
func (s *Server) URL() string { return s.url }

// LocalURL is the same through a unix socket, which is quicker; it is URL where the directory's path is too long for one.
func (s *Server) LocalURL() string { return s.local }

// Done is closed when the server has ended, for whatever reason. Stop is still to be called.
func (s *Server) Done() <-chan struct{} { return s.proc.done }

// Err says how the server ended, with its last words, once Done is closed; nil before that and after a clean end.
func (s *Server) Err() error { return s.proc.exit() }

// Kill ends the server with SIGKILL, as a crash would. The next Start recovers.
func (s *Server) Kill() {
	defer s.release()
	_ = s.proc.signal(syscall.SIGKILL) // gone is as good
	<-s.proc.done
}

// Stop shuts the server down: connections are cut, nothing is lost. When ctx ends first it is killed, which is an error
// but loses nothing either: the next start recovers.
func (s *Server) Stop(ctx context.Context) error {
	defer s.release()
	limit := 30 * time.Second
	if err := s.proc.stop(ctx, limit); err != nil {
		return fmt.Errorf("stop postgres: %w", err)
	}
	return nil
}

func (s *Server) release() {
	if s.log != nil {
		s.log.Close()
	}
	s.lock.Close()
}

func freePort(host string) (string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

// socketDir makes the folder of the unix socket, or returns "" where the socket's path would be too long for the kernel.
func socketDir(data string, as identity) (string, error) {
	dir := filepath.Join(filepath.Dir(data), "run")
	if len(dir)+len("/.s.PGSQL.65535") > 107 {
		return "", nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return dir, as.own(dir)
}

func addresses(host, port, sockets, password string) (tcp, local string) {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(User, password), Host: net.JoinHostPort(host, port),
		Path: "/" + Database, RawQuery: "sslmode=disable"}
	tcp = u.String()
	if sockets == "" {
		return tcp, tcp
	}
	u.Host, u.RawQuery = "", url.Values{"host": {sockets}, "port": {port}}.Encode()
	return tcp, u.String()
}
