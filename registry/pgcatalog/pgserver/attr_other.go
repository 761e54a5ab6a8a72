//go:build unix && !linux

package pgserver

import "syscall"

// attr is how every child starts: as the identity and out of reach of the terminal's Ctrl-C. Only Linux tells a child
// of its parent's death; elsewhere the next Start stops what is left.
func attr(as identity) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true}
	if as.switched {
		a.Credential = &syscall.Credential{Uid: as.uid, Gid: as.gid}
	}
	return a
}
