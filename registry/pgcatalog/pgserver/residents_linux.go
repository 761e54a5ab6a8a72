package pgserver

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const seesBackends = true

// residents lists the servers of the cluster in data, backends included: each keeps its working directory there. Unlike
// the pid file this cannot name a stranger who got the number later.
func residents(data string) ([]int, error) {
	procs, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, p := range procs {
		pid, err := strconv.Atoi(p.Name())
		if err != nil {
			continue
		}
		// Whoever is gone or not ours to look at is no resident.
		cwd, err := os.Readlink(filepath.Join("/proc", p.Name(), "cwd"))
		if err != nil || cwd != data {
			continue
		}
		name, err := os.ReadFile(filepath.Join("/proc", p.Name(), "comm"))
		if err != nil || !strings.HasPrefix(string(name), "postgres") {
			continue // somebody's shell
		}
		pids = append(pids, pid)
	}
	return pids, nil
}
