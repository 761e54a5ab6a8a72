//go:build !linux

package child

import "syscall"

// attributes has no parent-death signal to set here: the child learns from its closed standard input.
func attributes() *syscall.SysProcAttr { return nil }
