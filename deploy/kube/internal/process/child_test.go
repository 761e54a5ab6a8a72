//go:build linux

package process

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAKilledChildComesBackUntilItIsStopped(t *testing.T) {
	pids := make(chan int, 10)
	c := started(t, pids, "echo up; exec sleep 1000")
	first := c.Pid()
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second := next(t, pids)
	if second == first || c.Pid() != second {
		t.Errorf("pids %d, %d, and it says %d", first, second, c.Pid())
	}
	c.Stop(t.Context(), syscall.SIGTERM)
	for _, pid := range []int{first, second} {
		if err := syscall.Kill(pid, 0); err == nil {
			t.Errorf("%d is still there", pid)
		}
	}
	if c.Pid() != 0 || len(pids) != 0 {
		t.Errorf("it came back after it was stopped")
	}
	c.Stop(t.Context(), syscall.SIGTERM) // twice is as good as once
}

func TestStopEndsWhatIsFrozenOrDeaf(t *testing.T) {
	pids := make(chan int, 10)
	c := started(t, pids, "trap '' TERM; echo up; while :; do sleep 1000; done")
	awaitTail(t, c, "up") // deaf from here on
	if err := syscall.Kill(c.Pid(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	pid := c.Pid()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	c.Stop(ctx, syscall.SIGTERM)
	if err := syscall.Kill(pid, 0); err == nil {
		t.Errorf("%d is still there", pid)
	}
}

func TestTailIsWhatItSaidLast(t *testing.T) {
	c := started(t, make(chan int, 100), "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; exec sleep 1000")
	awaitTail(t, c, "line 1999")
	if tail := c.Tail(); len(tail) > 4<<10 {
		t.Errorf("%d bytes", len(tail))
	}
	c.Stop(t.Context(), syscall.SIGKILL)
}

func TestWhatIsNotThereDoesNotStart(t *testing.T) {
	_, err := Start(Spec{Name: "x", Path: filepath.Join(t.TempDir(), "x"), Log: filepath.Join(t.TempDir(), "log")}, func(int) {})
	if err == nil || !strings.Contains(err.Error(), "start x") {
		t.Errorf("%v", err)
	}
}

func started(t *testing.T, pids chan int, script string) *Child {
	t.Helper()
	c, err := Start(Spec{Name: "sh", Path: "/bin/sh", Args: []string{"-c", script}, Log: filepath.Join(t.TempDir(), "log")}, func(pid int) { pids <- pid })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Stop(context.Background(), syscall.SIGKILL) })
	return c
}

func next(t *testing.T, pids chan int) int {
	t.Helper()
	select {
	case pid := <-pids:
		return pid
	case <-time.After(10 * time.Second):
		t.Fatal("it did not come back")
	}
	return 0
}

func awaitTail(t *testing.T, c *Child, want string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); <-tick.C {
		if strings.HasSuffix(c.Tail(), want) {
			return
		}
	}
	b, _ := os.ReadFile(c.spec.Log)
	t.Fatalf("it said %s", b)
}
