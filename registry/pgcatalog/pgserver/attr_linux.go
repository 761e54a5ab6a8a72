package pgserver

import "syscall"

// attr is how every child starts: as the identity, out of reach of the terminal's Ctrl-C, and interrupted (which is
// PostgreSQL's fast shutdown) when the thread that started it dies. See keeper for why that is when we die.
func attr(as identity) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGINT}
	if as.switched {
		a.Credential = &syscall.Credential{Uid: as.uid, Gid: as.gid}
	}
	return a
}
