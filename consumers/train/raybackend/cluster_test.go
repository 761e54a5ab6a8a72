package raybackend_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// token is what the cluster of the tests asks for.
const token = "0123456789abcdef0123456789abcdef0123456789abcdef"

// theCluster is the one that all tests of the package share, made by the first that asks; started is nil before that.
var (
	theCluster = sync.OnceValues(startCluster)
	started    *cluster
)

func TestMain(m *testing.M) {
	status := m.Run()
	if started != nil {
		if err := started.close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	os.Exit(status)
}

// cluster is a real Ray in a network of its own.
type cluster struct {
	python string // its interpreter
	dir    string
	cmd    *exec.Cmd
	stdin  io.Closer
	server *http.Server

	mu     sync.Mutex
	orders map[string]chan string // by name of the job
	plane  http.Handler           // what jobs reach beside their orders
}

func startCluster() (*cluster, error) {
	python, err := environment()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "ray") // a short path: Ray makes sockets below it
	if err != nil {
		return nil, err
	}
	c := &cluster{python: python, dir: dir, orders: map[string]chan string{}, plane: http.NotFoundHandler()}
	if err := c.start(); err != nil {
		return nil, errors.Join(err, c.close())
	}
	started = c
	return c, nil
}

func (c *cluster) start() error {
	l, err := net.Listen("unix", filepath.Join(c.dir, "control"))
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{job}", func(w http.ResponseWriter, r *http.Request) {
		select {
		case order := <-c.order(r.PathValue("job")):
			fmt.Fprint(w, order)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		h := c.plane
		c.mu.Unlock()
		h.ServeHTTP(w, r)
	})
	c.server = &http.Server{Handler: mux}
	go func() { _ = c.server.Serve(l) }() // it ends by Close

	args := []string{"--net", "--pid", "--fork", "--kill-child", "--mount-proc"}
	if os.Geteuid() != 0 {
		args = append(args, "--map-root-user")
	}
	c.cmd = exec.Command("unshare", append(args, c.python, "testdata/cluster.py", c.dir)...)
	c.cmd.Env = append(os.Environ(), "RAY_AUTH_TOKEN="+token)
	c.cmd.Stderr = os.Stderr
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.cmd.Start(); err != nil {
		return fmt.Errorf("a network of its own for Ray: %w", err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		said, _ := os.ReadFile(filepath.Join(c.dir, "ray.log"))
		return fmt.Errorf("ray did not start: %w\n%s", err, said)
	}
	return nil
}

// close ends everything that the cluster runs: they are in one process namespace, whose first one ends.
func (c *cluster) close() error {
	if c.cmd != nil && c.cmd.Process != nil {
		_ = c.stdin.Close()
		kill := time.AfterFunc(10*time.Second, func() { _ = c.cmd.Process.Kill() })
		_ = c.cmd.Wait() // killed or not
		kill.Stop()
	}
	return errors.Join(c.server.Close(), os.RemoveAll(c.dir))
}

// order is what a job has been told; each is told one thing.
func (c *cluster) order(job string) chan string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.orders[job] == nil {
		c.orders[job] = make(chan string, 1)
	}
	return c.orders[job]
}

// dashboard serves the cluster's dashboard on a loopback port until the test ends, or the returned function is called.
func (c *cluster) dashboard(t *testing.T) (url string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { relay(ctx, in, filepath.Join(c.dir, "api")) })
		}
	})
	stop = sync.OnceFunc(func() { cancel(); _ = l.Close(); wg.Wait() })
	t.Cleanup(stop)
	return "http://" + l.Addr().String(), stop
}

func relay(ctx context.Context, in net.Conn, socket string) {
	defer in.Close()
	out, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer out.Close()
	defer context.AfterFunc(ctx, func() { _, _ = in.Close(), out.Close() })()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(out, in)
		_ = out.(*net.UnixConn).CloseWrite()
	}()
	_, _ = io.Copy(in, out)
	_ = in.Close()
	<-done
}

// environment returns the interpreter of an environment with Ray, which is made once per lock file.
func environment() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cmd := exec.Command("python3", "testdata/setup_ray.py", filepath.Join(cache, "signalbox"))
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("environment with Ray, which needs Python 3.11 to 3.13 with pip, and a package index the first time: %w\n%s", err, said.String())
	}
	return strings.TrimSpace(string(out)), nil
}
