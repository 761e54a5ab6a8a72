package e2e_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// prSetChildSubreaper is PR_SET_CHILD_SUBREAPER of prctl(2).
const prSetChildSubreaper = 36

// orphanage gets to know every process that outlives its parent: the kernel makes it a child of the nearest ancestor
// that asks for it. Nothing that a killed stack leaves behind can hide, whatever group or session it made for itself.
type orphanage struct {
	known map[int]bool // children that are none of ours
}

func openOrphanage(t *testing.T) *orphanage {
	t.Helper()
	adopt := func(on uintptr) {
		if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, on, 0); errno != 0 {
			t.Fatalf("prctl: %v", errno)
		}
	}
	adopt(1)
	t.Cleanup(func() { adopt(0) })
	o := &orphanage{known: map[int]bool{}}
	for _, p := range childrenOf(os.Getpid()) {
		o.known[p.pid] = true
	}
	return o
}

// orphans returns the orphans that live, and buries those that do not. stack is the pid of the stack that runs now.
func (o *orphanage) orphans(stack int) []process {
	var out []process
	for _, p := range childrenOf(os.Getpid()) {
		if o.known[p.pid] || p.pid == stack {
			continue
		}
		if p.dead {
			_, _ = syscall.Wait4(p.pid, nil, syscall.WNOHANG, nil) // somebody else buried it
			continue
		}
		out = append(out, p)
	}
	return out
}

// process is what /proc says of one.
type process struct {
	pid  int
	name string
	dead bool
}

func (p process) String() string { return fmt.Sprintf("%s (pid %d)", p.name, p.pid) }

// childrenOf lists the children of a process, dead ones included.
func childrenOf(parent int) []process {
	entries, _ := os.ReadDir("/proc") // what cannot be read has no children
	var out []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // it has ended meanwhile
		}
		open, end := strings.IndexByte(string(stat), '('), strings.LastIndexByte(string(stat), ')')
		if open < 0 || end < 0 {
			continue
		}
		fields := strings.Fields(string(stat[end+1:]))
		if len(fields) < 2 || fields[1] != strconv.Itoa(parent) {
			continue
		}
		out = append(out, process{pid: pid, name: string(stat[open+1 : end]), dead: fields[0] == "Z" || fields[0] == "X"})
	}
	return out
}
