//go:build !linux

package procbackend

import "syscall"

// dieWithParent has no counterpart here: a child that outlives us is fenced by its attempt when it reports.
func dieWithParent(*syscall.SysProcAttr) {}
