package pyworker

import "syscall"

// isolate gives a worker its own process group, so that killing it takes its children along, and has the kernel kill it
// where the server dies without a word.
func isolate() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
