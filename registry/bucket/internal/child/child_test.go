package child_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry/bucket/internal/child"
)

// TestMain makes the test binary a server that the tests can start: "serve <addr>" serves until its standard input is
// closed, "stubborn" does not care, "fail" prints and fails.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 {
		os.Exit(m.Run())
	}
	switch os.Args[1] {
	case "serve":
		os.Exit(serve(os.Args[2]))
	case "stubborn":
		fmt.Println("here to stay")
		<-time.After(time.Minute)
	case "parent":
		os.Exit(parent())
	case "fail":
		fmt.Println(strings.Repeat("noise\n", 1000) + "the reason")
		os.Exit(3)
	}
	os.Exit(m.Run())
}

func serve(addr string) int {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ready" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	io.Copy(os.Stdout, os.Stdin)
	return 0
}

func self(t *testing.T, args ...string) child.Config {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return child.Config{Path: exe, Args: args, Log: t.Output()}
}

func server(t *testing.T) child.Server {
	return child.Server{Health: "/ready", Command: func(addr string) child.Config { return self(t, "serve", addr) }}
}

func TestServeThenStop(t *testing.T) {
	p, addr, err := child.Serve(t.Context(), server(t), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Done():
		t.Error("done before it was stopped")
	default:
	}
	for range 2 {
		if err = p.Stop(t.Context()); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
	<-p.Done()
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("somebody still listens")
	}
}

func TestHelloAndOutput(t *testing.T) {
	var log strings.Builder
	cfg := self(t, "serve", "127.0.0.1:0")
	cfg.Hello, cfg.Log = []byte("the settings\n"), &log
	p, err := child.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err = p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if log.String() != "the settings\n" {
		t.Errorf("the log is %q", log.String())
	}
}

func TestStopKillsWhoDoesNotListen(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, ctx := range map[string]context.Context{"after grace": t.Context(), "when ctx ends": ended} {
		cfg := self(t, "stubborn")
		cfg.Grace = 50 * time.Millisecond
		p, err := child.Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err = p.Stop(ctx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAChildThatFailsSaysWhy(t *testing.T) {
	p, err := child.Start(self(t, "fail"))
	if err != nil {
		t.Fatal(err)
	}
	err = p.Err()
	if !errors.Is(err, child.ErrExited) || !strings.Contains(err.Error(), "exit status 3") || !strings.HasSuffix(err.Error(), "the reason") {
		t.Errorf("got %v", err)
	}
	if len(err.Error()) > 3000 || strings.Contains(err.Error(), "words: oise") {
		t.Errorf("the last words are %d bytes and may start in the middle", len(err.Error()))
	}
	if again := p.Stop(t.Context()); !errors.Is(again, child.ErrExited) {
		t.Errorf("stop: got %v, want %v", again, child.ErrExited)
	}

	_, _, err = child.Serve(t.Context(), child.Server{Command: func(string) child.Config { return self(t, "fail") }}, "127.0.0.1:0")
	if !errors.Is(err, child.ErrExited) || !strings.Contains(err.Error(), "the reason") {
		t.Errorf("serve: got %v", err)
	}
}

func TestServeGivesUp(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, _, err := child.Serve(ctx, child.Server{Command: func(string) child.Config {
		cfg := self(t, "stubborn")
		cfg.Grace = time.Millisecond
		return cfg
	}}, "127.0.0.1:0")
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "here to stay") {
		t.Errorf("got %v", err)
	}
}

func TestATakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	starts := 0
	s := server(t)
	counted := child.Server{Health: s.Health, Command: func(addr string) child.Config {
		starts++
		return s.Command(addr)
	}}
	_, _, err = child.Serve(t.Context(), counted, l.Addr().String())
	if err == nil || !strings.Contains(err.Error(), "in use") || starts != 0 {
		t.Errorf("a fixed port: %d starts, %v", starts, err)
	}

	// Somebody takes the free port between the look and the start: the next try takes another.
	p, addr, err := child.Serve(t.Context(), child.Server{Health: s.Health, Command: func(addr string) child.Config {
		if starts++; starts == 1 {
			addr = l.Addr().String()
		}
		return s.Command(addr)
	}}, "127.0.0.1:0")
	if err != nil || starts != 2 {
		t.Fatalf("a free port: %d starts on %s, %v", starts, addr, err)
	}
	if err = p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestStartWithoutAProgram(t *testing.T) {
	if _, err := child.Start(child.Config{Path: "/no/such/program"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, _, err := child.Serve(t.Context(), server(t), "no address"); err == nil {
		t.Error("an address without a port was accepted")
	}
}
