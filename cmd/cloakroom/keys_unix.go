//go:build unix

package main

import (
	"os"
	"syscall"
)

// keepOwner gives f the owner of the file that it replaces: root may add a key
// to the file of a service that runs as somebody else.
func keepOwner(f *os.File, replaced string) error {
	info, err := os.Stat(replaced)
	if err != nil {
		return nil // nothing is replaced
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(owner.Uid) == os.Geteuid() {
		return nil
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}
