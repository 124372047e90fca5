//go:build !linux

package process

import "syscall"

// Attributes puts the child into a group of its own. Only Linux can tie its life to the parent's: elsewhere a test
// process that is killed leaves it behind.
func Attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
