//go:build !linux

package pyworker

import "syscall"

// isolate gives a worker its own process group, so that killing it takes its children along. Where the server dies
// without a word the worker sees the end of its socket.
func isolate() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
