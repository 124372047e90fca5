//go:build !linux

package process

import "syscall"

// attributes puts the child into a group of its own. Only Linux can tie its life to the parent's: elsewhere a test
// process that is killed leaves it behind.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
