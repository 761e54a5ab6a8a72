package devstack

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry/bucket/gateway/gatewaytest"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgserver"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }

// dataDir is an empty directory that PostgreSQL's user can reach, too: t.TempDir is closed to it where the tests run as root.
func dataDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// bounded ends a test's waits before the test binary's own limit does.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, cfg Config) *Stack {
	t.Helper()
	s, err := Start(bounded(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// given is a stack without a database of its own, which takes seconds to make. Nothing connects to the one it names.
func given(dir string) Config {
	return Config{Dir: dir, DatabaseURL: "postgres://elsewhere.invalid/signalbox"}
}

func TestRestartKeepsState(t *testing.T) {
	dir := dataDir(t)
	s := start(t, Config{Dir: dir})
	write(t, s)
	secrets, broker := s.Secrets, s.Kafka
	for range 2 { // the second time does nothing
		if err := s.Stop(bounded(t)); err != nil {
			t.Fatal(err)
		}
	}
	for _, addr := range []string{broker, strings.TrimPrefix(s.S3, "http://")} {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			t.Errorf("%s still answers after Stop", addr)
		}
	}
	s = start(t, Config{Dir: dir})
	if s.Secrets.AdminToken != secrets.AdminToken || s.Secrets.RunKey != secrets.RunKey || s.Secrets.S3SecretKey != secrets.S3SecretKey {
		t.Error("the secrets changed with the restart")
	}
	if s.Kafka != broker {
		t.Errorf("the broker moved from %s to %s: clients of the last start lose it", broker, s.Kafka)
	}
	read(t, s)
}

func TestSecondStartIsRefused(t *testing.T) {
	dir := dataDir(t)
	start(t, given(dir))
	_, err := Start(bounded(t), given(dir))
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "--data") || !strings.Contains(err.Error(), dir) {
		t.Errorf("second start: %v, want ErrInUse, the directory, and what to do", err)
	}
}

// Two processes that start at the same moment: one has the directory, the other says so.
func TestParallelStarts(t *testing.T) {
	dir := dataDir(t)
	type result struct {
		s   *Stack
		err error
	}
	results := make(chan result)
	for range 4 {
		go func() {
			s, err := Start(bounded(t), given(dir))
			results <- result{s, err}
		}()
	}
	running := 0
	for range 4 {
		r := <-results
		switch {
		case r.err == nil:
			running++
			defer func() {
				if err := r.s.Stop(context.Background()); err != nil {
					t.Error(err)
				}
			}()
		case !errors.Is(r.err, ErrInUse):
			t.Errorf("start: %v, want ErrInUse", r.err)
		}
	}
	if running != 1 {
		t.Errorf("%d stacks run on one directory", running)
	}
}

// A part that cannot start says what to do about it, and leaves nothing running: the next start works.
func TestStartFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	tests := []struct {
		name string
		// spoil makes the start fail.
		spoil func(t *testing.T, cfg *Config)
		want  []string
	}{
		{"broker's port taken", func(_ *testing.T, c *Config) { c.KafkaAddr = taken.Addr().String() },
			[]string{"start broker", taken.Addr().String(), "--kafka-listen"}},
		{"store's port taken", func(_ *testing.T, c *Config) { c.S3Addr = taken.Addr().String() },
			[]string{"start object store", taken.Addr().String(), "--s3-listen"}},
		{"store for strangers", func(_ *testing.T, c *Config) { c.S3Addr = "0.0.0.0:0" },
			[]string{"start object store", "not a loopback address", "use a real S3 server"}},
		{"no PostgreSQL", func(t *testing.T, c *Config) {
			t.Setenv(pgserver.EnvBinDir, t.TempDir())
			c.DatabaseURL = ""
		}, []string{"start PostgreSQL", "install it with", pgserver.EnvBinDir}},
		{"secrets destroyed", func(t *testing.T, c *Config) {
			if err := os.WriteFile(filepath.Join(c.Dir, "secrets.json"), []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.Remove(filepath.Join(c.Dir, "secrets.json")) })
		}, []string{"secrets.json", "restore the file"}},
	}
	dir := dataDir(t)
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			cfg := given(dir)
			tc.spoil(t, &cfg)
			_, err := Start(bounded(t), cfg)
			if err == nil {
				t.Fatal("it started")
			}
			for _, part := range tc.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v\ndoes not say %q", err, part)
				}
			}
		})
	}
	start(t, given(dir))
}

func TestDataIsNoDirectory(t *testing.T) {
	file := filepath.Join(dataDir(t), "data")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(bounded(t), given(file)); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("start on a file: %v, want its name", err)
	}
}

// Run ends when a server dies, says which, and takes the others with it.
func TestRunNoticesADeath(t *testing.T) {
	dir := dataDir(t)
	s := start(t, given(dir))
	victim := s.store.Pid() // Run owns the rest of it
	done := make(chan error, 1)
	go func() { done <- s.Run(bounded(t)) }()
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "object store ended") {
			t.Errorf("run = %v, want who died", err)
		}
	case <-bounded(t).Done():
		t.Fatal("run did not notice")
	}
	start(t, given(dir))
}

func TestRunStopsWithItsContext(t *testing.T) {
	s := start(t, given(dataDir(t)))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run = %v", err)
	}
	if c, err := net.Dial("tcp", s.Kafka); err == nil {
		c.Close()
		t.Error("the broker answers after the end of Run")
	}
}
