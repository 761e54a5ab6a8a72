package pgserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// parentDir tells this test binary to be the parent process that gets killed.
const parentDir = "PGSERVER_TEST_PARENT_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(parentDir); dir != "" {
		beParent(dir)
	}
	os.Exit(m.Run())
}

// beParent starts a cluster, prints its URL and waits to be killed.
func beParent(dir string) {
	s, err := Start(context.Background(), Config{Dir: dir, Fast: true})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println(s.URL())
	<-s.Done()
	os.Exit(1)
}

// TestLife takes one cluster, because making one is slow, through everything that can happen to it.
func TestLife(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(reachableDir(t), "pg")
	leftover := filepath.Join(dir, "data.new")
	if err := os.MkdirAll(leftover, 0o700); err != nil { // of an initdb that was killed
		t.Fatal(err)
	}
	ctx := t.Context()

	s := mustStart(t, Config{Dir: dir})
	t.Cleanup(func() { stop(s) })
	exec1(t, s.URL(), "CREATE TABLE t (v text)")
	exec1(t, s.LocalURL(), "INSERT INTO t VALUES ('kept')")
	if s.LocalURL() == s.URL() {
		t.Error("no unix socket in a short directory")
	}
	if _, err := os.Stat(leftover); err == nil {
		t.Error("the rest of an interrupted initdb is still there")
	}
	notRoot(t, dir)

	t.Run("one parent at a time", func(t *testing.T) {
		if _, err := Start(ctx, Config{Dir: dir, Fast: true}); !errors.Is(err, ErrInUse) {
			t.Errorf("second parent: %v, want ErrInUse", err)
		}
	})
	t.Run("stop and start", func(t *testing.T) {
		if err := s.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		closed(t, s)
		if err := s.Err(); err != nil {
			t.Errorf("end after Stop: %v, want a clean one", err)
		}
		if err := s.Stop(ctx); err != nil {
			t.Errorf("second Stop: %v", err)
		}
		s = mustStart(t, Config{Dir: dir, Fast: true})
		kept(t, s)
	})
	t.Run("orphan", func(t *testing.T) {
		old := s
		old.lock.Close() // as if the parent were gone and the child had not noticed
		s = mustStart(t, Config{Dir: dir, Fast: true})
		closed(t, old)
		kept(t, s)
	})
	t.Run("server killed", func(t *testing.T) {
		if err := s.proc.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		closed(t, s)
		if s.Err() == nil {
			t.Error("a killed server ended cleanly")
		}
		if err := s.Stop(ctx); err != nil {
			t.Errorf("Stop of a dead server: %v", err)
		}
		s = mustStart(t, Config{Dir: dir, Fast: true})
		kept(t, s)
	})
	t.Run("server hangs", func(t *testing.T) {
		if err := s.proc.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		over, cancel := context.WithCancel(ctx)
		cancel()
		if err := s.Stop(over); !errors.Is(err, context.Canceled) {
			t.Errorf("Stop of a hanging server: %v, want why it was killed", err)
		}
		closed(t, s)
		s = mustStart(t, Config{Dir: dir, Fast: true})
		kept(t, s)
	})
	t.Run("new password", func(t *testing.T) {
		old := s.URL()
		if err := s.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		s = mustStart(t, Config{Dir: dir, Fast: true, Password: "it's \"new\" \\"})
		kept(t, s)
		cfg, err := pgx.ParseConfig(s.URL())
		if err != nil {
			t.Fatal(err)
		}
		was, err := pgx.ParseConfig(old)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Password = was.Password
		if c, err := pgx.ConnectConfig(ctx, cfg); !isCode(err, "28P01") {
			t.Errorf("the old password: %v, %v, want it refused", c, err)
		}
		if err := s.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		s = mustStart(t, Config{Dir: dir, Fast: true}) // from the file
		kept(t, s)
	})
	t.Run("parent killed", func(t *testing.T) {
		if err := s.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			killParent(t, dir)
			s = mustStart(t, Config{Dir: dir, Fast: true})
			kept(t, s)
			if err := s.Stop(ctx); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("port taken", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, err = Start(ctx, Config{Dir: dir, Fast: true, Addr: l.Addr().String()})
		if err == nil || !strings.Contains(err.Error(), "Address already in use") {
			t.Errorf("Start on a taken port: %v, want the server's words", err)
		}
		vacated(t, dir)
	})
	t.Run("cancelled", func(t *testing.T) {
		over, cancel := context.WithCancel(ctx)
		r, w := io.Pipe()
		defer r.Close()
		go func() {
			bufio.NewReader(r).ReadString('\n') // the server is up so far that it says something
			cancel()
			io.Copy(io.Discard, r)
		}()
		if _, err := Start(over, Config{Dir: dir, Fast: true, Log: w}); !errors.Is(err, context.Canceled) {
			t.Errorf("Start: %v, want Canceled", err)
		}
		vacated(t, dir)
	})
	t.Run("data of another version", func(t *testing.T) {
		if err := os.WriteFile(filepath.Join(dir, "data", "PG_VERSION"), []byte("14\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Start(ctx, Config{Dir: dir, Fast: true})
		if !errors.Is(err, ErrNoBinaries) || !strings.Contains(err.Error(), "the data was written by PostgreSQL 14") {
			t.Errorf("Start on data of version 14: %v", err)
		}
	})
}

func TestLongPath(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(reachableDir(t), strings.Repeat("long", 30))
	s := mustStart(t, Config{Dir: dir, Fast: true, Log: io.Discard})
	t.Cleanup(func() { stop(s) })
	if s.LocalURL() != s.URL() {
		t.Errorf("local address %s beside %s, want one", s.LocalURL(), s.URL())
	}
	exec1(t, s.URL(), "SELECT 1")
}

func mustStart(t *testing.T, cfg Config) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	s, err := Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func stop(s *Server) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s.Stop(ctx)
}

// reachableDir is a temporary directory that another user may enter: that of the testing package is ours alone.
func reachableDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgserver-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func exec1(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// kept fails unless the row of the first start is there.
func kept(t *testing.T, s *Server) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var v string
	if err := conn.QueryRow(t.Context(), "SELECT v FROM t").Scan(&v); err != nil || v != "kept" {
		t.Fatalf("row of the first start = %q, %v", v, err)
	}
}

func closed(t *testing.T, s *Server) {
	t.Helper()
	select {
	case <-s.Done():
	case <-time.After(30 * time.Second):
		t.Fatal("the server did not end")
	}
}

func vacated(t *testing.T, dir string) {
	t.Helper()
	data, err := filepath.EvalSymlinks(filepath.Join(dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	if pids, err := residents(data); err != nil || len(pids) > 0 {
		t.Errorf("processes %v are left, %v", pids, err)
	}
}

// notRoot looks at the owner of the pid file, which the server wrote.
func notRoot(t *testing.T, dir string) {
	t.Helper()
	st, err := os.Stat(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); !ok || sys.Uid == 0 {
		t.Error("the server runs as root")
	}
}

// killParent kills -9 a process that runs the cluster and is connected to it.
func killParent(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), parentDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.HasPrefix(url, "error") {
		t.Fatalf("parent says %q, %v", url, err)
	}
	exec1(t, strings.TrimSpace(url), "SELECT 1")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
}
