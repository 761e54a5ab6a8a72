package main

import "syscall"

// attributes let Ctrl-C be ours to pass on, and no archiver outlive this process.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
