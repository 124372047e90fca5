package process

import "syscall"

// Attributes puts the child into a group of its own, so that a terminal's Ctrl-C reaches only the test, which then
// stops the child in order. The kernel kills the child when the test process dies, a panic or kill -9 included.
func Attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
