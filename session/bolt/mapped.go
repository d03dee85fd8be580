package bolt

import (
	"errors"
	"math/bits"
	"runtime"
	"syscall"

	"go.etcd.io/bbolt"
)

// mapAhead is how much address space is taken beyond the file. bbolt maps a file
// that has outgrown its map anew, and has to wait for every reader before it can:
// a write would wait for a backup, and all others for that write. Address space
// costs nothing until there is something in it.
const mapAhead = 16 << 30

// openMapped lets bbolt open the file with room to grow in its map. Where there
// is no such room (ulimit -v), the file is mapped as it is, and anew as it grows.
func (o Options) openMapped(options bbolt.Options) (*bbolt.DB, error) {
	// Windows makes the file as large as the map.
	if bits.UintSize < 64 || runtime.GOOS == "windows" || options.ReadOnly {
		return bbolt.Open(o.Path, 0o600, &options)
	}
	size, _ := sizeOf(o.Path) // 0 if there is none yet
	options.InitialMmapSize = int(size + mapAhead)
	db, err := bbolt.Open(o.Path, 0o600, &options)
	if !errors.Is(err, syscall.ENOMEM) {
		return db, err
	}
	o.Log.Info("no address space to map the store ahead of its growth: a backup may delay writes", "error", err)
	options.InitialMmapSize = 0
	return bbolt.Open(o.Path, 0o600, &options)
}
