package figures

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// ticks of the kernel's clock in a second: 100 on every architecture that Go knows.
const ticks = 100

// CPU is the processor time that a process has taken, in user and kernel, without its children; 0 for one that is gone.
func CPU(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name in parentheses may hold anything.
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(f) < 13 {
		return 0
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	if err1 != nil || err2 != nil {
		return 0
	}
	return time.Duration(user+system) * time.Second / ticks
}

// Resident is the resident memory of a process in bytes; 0 for one that is gone.
func Resident(pid int) int64 { return status(pid, "VmRSS") }

// Peak is the most resident memory that a process ever had, in bytes; 0 for one that is gone.
func Peak(pid int) int64 { return status(pid, "VmHWM") }

func status(pid int, key string) int64 {
	text, _, _ := strings.Cut(field(fmt.Sprintf("/proc/%d/status", pid), key), " ")
	kib, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}

// machine is one line about where this runs.
func machine() string {
	model := "unknown processor"
	if v := field("/proc/cpuinfo", "model name"); v != "" {
		model = v
	}
	return fmt.Sprintf("%d cores of %s, memory %s, %s/%s, %s", runtime.NumCPU(), model, field("/proc/meminfo", "MemTotal"),
		runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// field returns the first value of a key in a file of /proc, or nothing.
func field(path, key string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if k, v, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
