//go:build !linux

package stand

import "syscall"

var endWithUs *syscall.SysProcAttr
