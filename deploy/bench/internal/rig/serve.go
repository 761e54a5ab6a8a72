package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Serving says what a process of Signalbox serves.
type Serving struct {
	Program  string // path of signalbox
	Dir      string // for its files; made anew
	Roles    []string
	Servers  *Servers
	Bucket   string
	Database string // URL
	Settings string // more of its configuration, YAML
	Flags    []string
	Env      []string // more variables, NAME=value
}

// Process is a running `signalbox serve`.
type Process struct {
	Control string // URL of its control plane, if it serves that
	Health  string // URL of its health checks and metrics
	Token   string // of an administrator
	LogFile string

	cmd    *exec.Cmd
	exited chan struct{}
	err    error // once exited
}

// Serve starts one and waits until it is ready, at most as long as ctx lasts.
func Serve(ctx context.Context, s Serving) (*Process, error) {
	if err := errors.Join(os.RemoveAll(s.Dir), os.MkdirAll(s.Dir, 0o755)); err != nil {
		return nil, err
	}
	p := &Process{LogFile: filepath.Join(s.Dir, "signalbox.log"), exited: make(chan struct{})}
	file, err := p.configure(s)
	if err != nil {
		return nil, err
	}
	log, err := os.Create(p.LogFile)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	args := append([]string{"serve"}, s.Roles...)
	p.cmd = exec.Command(s.Program, append(append(args, "--config", file, "--data", filepath.Join(s.Dir, "data")), s.Flags...)...)
	p.cmd.Env = append(os.Environ(), s.Env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is ours to pass on
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.exited)
		p.err = p.cmd.Wait()
	}()
	if err := p.ready(ctx); err != nil {
		return nil, errors.Join(err, p.Stop(10*time.Second))
	}
	return p, nil
}

// configure writes its configuration and its tokens.
func (p *Process) configure(s Serving) (string, error) {
	out, err := exec.Command(s.Program, "token", "new", "--name", "bench", "--role", "admin", "-o", "json").Output()
	if err != nil {
		return "", fmt.Errorf("signalbox token new: %w", err)
	}
	var made struct {
		Token string
		Entry json.RawMessage
	}
	if err := json.Unmarshal(out, &made); err != nil {
		return "", err
	}
	p.Token = made.Token
	tokens := filepath.Join(s.Dir, "tokens.json")
	if err := os.WriteFile(tokens, fmt.Appendf(nil, "[%s]", made.Entry), 0o600); err != nil {
		return "", err
	}
	listen, err1 := freeAddress()
	health, err2 := freeAddress()
	if err := errors.Join(err1, err2); err != nil {
		return "", err
	}
	p.Control, p.Health = "http://"+listen, "http://"+health
	b := s.Servers.Bucket(s.Bucket)
	file := filepath.Join(s.Dir, "signalbox.yaml")
	return file, os.WriteFile(file, fmt.Appendf(nil, `log_format: json
url: %s
tokens: %q
token: %q
listen: %s
health_listen: %s
predict_listen: 127.0.0.1:0
run_key: 0123456789abcdef0123456789abcdef
database_url: %q
kafka: {brokers: [%q]}
s3: {endpoint: %q, region: %s, bucket: %s, access_key: %q, secret_key: %q}
%s`, p.Control, tokens, p.Token, listen, health, s.Database, s.Servers.Kafka.Addr(), b.Endpoint, b.Region, b.Bucket, b.AccessKey, b.SecretKey, s.Settings), 0o600)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// ready waits until the process answers that it is.
func (p *Process) ready(ctx context.Context) error {
	probe := http.Client{Timeout: 5 * time.Second}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.exited:
			return fmt.Errorf("signalbox ended early: %w\n%s", p.err, p.tail())
		case <-ctx.Done():
			return fmt.Errorf("signalbox is not ready: %w\n%s", context.Cause(ctx), p.tail())
		case <-tick.C:
		}
		resp, err := probe.Get(p.Health + "/readyz")
		if err != nil {
			continue // nobody listens yet
		}
		if err := resp.Body.Close(); err == nil && resp.StatusCode == http.StatusOK {
			return nil
		}
	}
}

func (p *Process) tail() string {
	log, _ := os.ReadFile(p.LogFile)
	return strings.ToValidUTF8(string(log[max(0, len(log)-4096):]), "")
}

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill ends it as kill -9 does.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // one that is gone is fine
	<-p.exited
}

// Stop asks it to end, and kills it after a while.
func (p *Process) Stop(limit time.Duration) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.exited:
		return p.err
	case <-timer.C:
		p.Kill()
		return fmt.Errorf("signalbox did not stop within %s\n%s", limit, p.tail())
	}
}
