//go:build unix

package bolt

import (
	"os"
	"path/filepath"
	"syscall"
)

// keepOwner gives f to whoever owns the file at path, or its directory as long
// as there is no such file: root may look after the store of a service that
// runs as somebody else.
func keepOwner(f *os.File, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		if info, err = os.Stat(filepath.Dir(path)); err != nil {
			return err
		}
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 || owner.Uid == 0 {
		return nil // nobody else can give files away, and nobody else would need to
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}
