package child

import "syscall"

// attributes puts the child into its own process group, so that an interrupt from the terminal reaches only the parent,
// which stops its children in order; and has it killed with the parent.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
