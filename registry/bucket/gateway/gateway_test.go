package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/gateway"
	"github.com/signalbox-ml/signalbox/registry/bucket/s3bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

const access, secret = "test-access", "test-secret-that-nobody-may-see"

// TestMain makes the test binary the server, and for TestParentDies also a parent that starts one.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 2 && os.Args[1] == "s3-gateway":
		exit(gateway.ChildMain(context.Background(), os.Stdin))
	case len(os.Args) == 3 && os.Args[1] == "parent":
		exit(parent(os.Args[2]))
	}
	os.Exit(m.Run())
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func start(t *testing.T, dir string) *gateway.Server {
	t.Helper()
	s, err := gateway.Start(t.Context(), gateway.Config{Dir: dir, AccessKey: access, SecretKey: secret, Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(context.Background()) }) // ended already in most tests
	return s
}

func connect(t *testing.T, endpoint string) *s3bucket.Bucket {
	t.Helper()
	b, err := s3bucket.New(s3bucket.Config{
		Endpoint: endpoint, Bucket: "test", AccessKey: access, SecretKey: secret, PathStyle: true, Attempts: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err = b.EnsureBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestStop(t *testing.T) {
	s := start(t, t.TempDir())
	b := connect(t, s.Endpoint()) // keeps an idle connection, which must not hold the server
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	if err := s.Wait(); err != nil {
		t.Errorf("wait after stop: %v", err)
	}
	if _, err := b.Stat(t.Context(), "k"); err == nil || errors.Is(err, bucket.ErrNotFound) {
		t.Errorf("the server still answers: %v", err)
	}
}

// TestKillLosesNothing kills the server in the middle of writes. Every write that was acknowledged is there afterwards,
// every other one is whole or absent.
func TestKillLosesNothing(t *testing.T) {
	dir := t.TempDir()
	acked := map[int]cas.Descriptor{}
	blob := func(i int) []byte { return bytes.Repeat([]byte(fmt.Sprintf("%06d,", i)), 4000) }
	next := 0
	for range 3 {
		s := start(t, dir)
		store := cas.NewStore(connect(t, s.Endpoint()))
		const writers, kill = 4, 25
		descriptors := make([][]cas.Descriptor, writers)
		var g errgroup.Group
		first := next
		for w := range writers {
			g.Go(func() error {
				for i := w; ; i += writers {
					if i == kill { // one writer comes by here
						if err := syscall.Kill(s.Pid(), syscall.SIGKILL); err != nil {
							return err
						}
					}
					d, err := store.Push(context.Background(), "", blob(first+i))
					if err != nil {
						<-s.Done() // the only fault there may be
						return nil
					}
					descriptors[w] = append(descriptors[w], d)
				}
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		if err := s.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("wait after a kill: %v", err)
		}
		for w, list := range descriptors {
			for n, d := range list {
				acked[first+w+n*writers] = d
			}
			next = max(next, first+w+(len(list)+1)*writers)
		}
	}
	if len(acked) < 18 { // what the killing writer alone does
		t.Fatalf("only %d writes were acknowledged", len(acked))
	}
	store := cas.NewStore(connect(t, start(t, dir).Endpoint()))
	for i, d := range acked {
		if got, err := store.Fetch(t.Context(), d); err != nil || !bytes.Equal(got, blob(i)) {
			t.Errorf("blob %d: %v", i, err)
		}
	}
	for i := range next {
		b := blob(i)
		d := cas.Descriptor{Digest: cas.Sum(b), Size: int64(len(b))}
		if err := store.Stat(t.Context(), d); err != nil && !errors.Is(err, bucket.ErrNotFound) {
			t.Errorf("blob %d is neither whole nor absent: %v", i, err)
		}
	}
}

func TestCredentialsStayPrivate(t *testing.T) {
	s := start(t, t.TempDir())
	for _, file := range []string{"cmdline", "environ"} {
		b, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(s.Pid()), file))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("the secret is in the server's %s", file)
		}
	}
}

func TestRefusals(t *testing.T) {
	good := gateway.Config{Dir: t.TempDir(), AccessKey: access, SecretKey: secret, Log: t.Output()}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spoil func(c *gateway.Config)
		want  string
	}{
		"no directory":        {func(c *gateway.Config) { c.Dir = "" }, "Dir is empty"},
		"a file":              {func(c *gateway.Config) { c.Dir = file }, "not a directory"},
		"no credentials":      {func(c *gateway.Config) { c.SecretKey = "" }, "SecretKey is empty"},
		"all interfaces":      {func(c *gateway.Config) { c.Addr = "0.0.0.0:0" }, "not a loopback address"},
		"no host":             {func(c *gateway.Config) { c.Addr = ":0" }, "not a loopback address"},
		"no program":          {func(c *gateway.Config) { c.Exe = "/no/such/program" }, "no such file"},
		"another program":     {func(c *gateway.Config) { c.Exe, c.Args = "/bin/sh", []string{"-c", "echo I am a shell"} }, "I am a shell"},
		"the server's errors": {func(c *gateway.Config) { c.Addr = "127.0.0.1:99999" }, "invalid port"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			c.spoil(&cfg)
			s, err := gateway.Start(t.Context(), cfg)
			if err == nil {
				s.Stop(t.Context())
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a word on %q", err, c.want)
			}
		})
	}
}

// TestChildEndsWithItsInput is what saves a machine without a parent-death signal from orphans.
func TestChildEndsWithItsInput(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, "s3-gateway")
	cmd.Stdin = strings.NewReader(fmt.Sprintf(
		`{"dir":%q,"addr":"127.0.0.1:0","region":"us-east-1","health":"/h","access_key":"a","secret_key":"s"}`, t.TempDir()))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestChildMainIsNotForPeople(t *testing.T) {
	for _, stdin := range []string{"", "hello\n", `{"dir":`} {
		err := gateway.ChildMain(t.Context(), io.LimitReader(strings.NewReader(stdin), 100))
		if err == nil || !strings.Contains(err.Error(), "started by signalbox itself") {
			t.Errorf("%q: got %v", stdin, err)
		}
	}
}
