package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry/bucket/gateway"
)

// parent starts a server over dir from a short-lived goroutine, tells its pid and endpoint, and hangs.
func parent(dir string) error {
	type started struct {
		s   *gateway.Server
		err error
	}
	c := make(chan started)
	go func() {
		s, err := gateway.Start(context.Background(), gateway.Config{Dir: dir, AccessKey: access, SecretKey: secret})
		c <- started{s, err}
	}()
	r := <-c
	if r.err != nil {
		return r.err
	}
	fmt.Println(r.s.Pid(), r.s.Endpoint())
	return r.s.Wait()
}

// TestParentDies kills a parent, which then cannot stop its server, and starts the server again at once.
func TestParentDies(t *testing.T) {
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "parent", dir)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	var endpoint string
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("the parent said %q: %v", line, err)
	} else if _, err = fmt.Sscan(line, &pid, &endpoint); err != nil {
		t.Fatal(err)
	}
	if resp, err := http.Get(endpoint + "/"); err != nil {
		t.Fatalf("the server does not answer: %v", err)
	} else {
		resp.Body.Close()
	}
	if err = cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // "killed"
	s, err := gateway.Start(t.Context(), gateway.Config{
		Dir: dir, Addr: strings.TrimPrefix(endpoint, "http://"), AccessKey: access, SecretKey: secret, Log: t.Output(),
	})
	if err != nil {
		t.Fatalf("the same port again: %v", err)
	}
	defer s.Stop(context.Background())
	awaitGone(t, pid)
}

// awaitGone waits until the process pid is no more: nobody but init may reap it, so a zombie counts as gone.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if syscall.Kill(pid, 0) != nil {
			return
		}
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatalf("server %d outlived its parent", pid)
		}
	}
}
