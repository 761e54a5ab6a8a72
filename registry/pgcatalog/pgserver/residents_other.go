//go:build unix && !linux

package pgserver

import (
	"os/exec"
	"strconv"
	"strings"
)

const seesBackends = false

// residents lists the postmaster of the cluster in data, if the process in its pid file still is one.
func residents(data string) ([]int, error) {
	pid := pidFile(data)
	if pid == 0 {
		return nil, nil
	}
	out, err := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	if err != nil || !strings.Contains(string(out), "postgres") || !strings.Contains(string(out), data) {
		return nil, nil
	}
	return []int{pid}, nil
}
