package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// evict stops what an earlier parent left running in data. The caller holds the lock of the directory, so no other
// parent lives: the server is shutting down already, or was never told to.
func evict(ctx context.Context, data string) error {
	// Fast shutdown, then immediate shutdown, which the log recovers from.
	for _, step := range []struct {
		sig  syscall.Signal
		wait time.Duration
	}{{syscall.SIGINT, 30 * time.Second}, {syscall.SIGQUIT, 10 * time.Second}} {
		pids, err := residents(data)
		if err != nil {
			return err
		}
		if len(pids) == 0 {
			return forget(data)
		}
		// Backends obey the postmaster. Those of a dead one end by themselves, unless busy.
		if pm := pidFile(data); slices.Contains(pids, pm) {
			pids = []int{pm}
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, step.sig); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("stop the server that runs in %s already (pid %d): %w", data, pid, err)
			}
		}
		if err := vacant(ctx, data, step.wait); err != nil {
			return err
		}
	}
	pids, err := residents(data)
	if err != nil {
		return err
	}
	if len(pids) == 0 {
		return forget(data)
	}
	return fmt.Errorf("a server that runs in %s already does not stop (pid %d): stop it with kill -9 and start again", data, pids[0])
}

// vacant waits until nothing lives in data, at most for wait.
func vacant(ctx context.Context, data string, wait time.Duration) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.Now().Add(wait)
	for time.Now().Before(end) {
		pids, err := residents(data)
		if err != nil || len(pids) == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	return nil
}

// forget removes the pid file of a server that is gone. The number may be somebody else's by now, as after the restart
// of a container, and the new server would take them for its rival.
func forget(data string) error {
	if !seesBackends {
		return nil // the file guards the memory that backends may still share
	}
	err := os.Remove(filepath.Join(data, "postmaster.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// pidFile returns the number in the postmaster's pid file, or 0.
func pidFile(data string) int {
	b, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid < 1 {
		return 0
	}
	return pid
}
