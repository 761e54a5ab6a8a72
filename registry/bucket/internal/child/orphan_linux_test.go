package child_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry/bucket/internal/child"
)

// parent starts a child that ignores its standard input, from a goroutine that ends at once, and tells its pid.
func parent() int {
	exe, err := os.Executable()
	if err != nil {
		return 1
	}
	started := make(chan *child.Process)
	go func() {
		p, err := child.Start(child.Config{Path: exe, Args: []string{"stubborn"}})
		if err != nil {
			fmt.Println(err)
		}
		started <- p
	}()
	fmt.Println((<-started).Pid())
	<-time.After(time.Minute)
	return 0
}

func TestTheChildOfADeadParentDies(t *testing.T) {
	cfg := self(t, "parent")
	cmd := exec.Command(cfg.Path, cfg.Args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err = fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	if gone(pid) {
		t.Fatal("the child died before its parent")
	}
	if err = cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // "killed"
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !gone(pid) {
		select {
		case <-tick.C:
		case <-deadline:
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatal("the child outlived its parent")
		}
	}
}

// gone reports whether pid ended; a zombie that nobody reaps counts.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}
