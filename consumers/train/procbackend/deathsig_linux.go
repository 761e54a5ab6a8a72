package procbackend

import "syscall"

// dieWithParent makes the kernel kill the child when we die, however we die.
func dieWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
