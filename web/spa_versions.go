package web

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// versions knows the entity tags of files: strong ones, by content, so that they
// are the same at every replica and after every deployment that changes nothing.
// A file is read for that once per size and modification time. It is safe for
// concurrent use, and a tag that is known is found without a lock.
type versions struct {
	known sync.Map // of *version, by the file's name
	count atomic.Int64
}

// version is one state of a file.
type version struct {
	size    int64
	changed time.Time
	tag     func() string // reads the file the first time
}

// maxVersions is how many files are known. Beyond it all are forgotten, and read
// once more.
const maxVersions = 20_000

// settled is how long a file must have been left alone for its modification time to
// tell its states apart: clocks of file systems are coarse.
const settled = 2 * time.Second

// tag returns the entity tag of file; empty if it can't be told, as it is being
// written.
func (v *versions) tag(file opened) string {
	size, changed := file.info.Size(), file.info.ModTime()
	if age := time.Since(changed); age < settled && age > -settled {
		return digest(file)
	}
	found, ok := v.known.Load(file.name)
	if ok {
		if old := found.(*version); old.size == size && old.changed.Equal(changed) {
			return old.tag()
		}
	}
	// Whoever comes meanwhile waits for this reading, which is over before file is
	// closed.
	fresh := &version{size, changed, sync.OnceValue(func() string { return digest(file) })}
	v.known.Store(file.name, fresh)
	if !ok && v.count.Add(1) > maxVersions {
		v.count.Store(0)
		v.known.Clear()
	}
	tag := fresh.tag()
	if tag == "" {
		v.known.CompareAndDelete(file.name, fresh)
	}
	return tag
}

// digest reads all of file, and returns to its beginning.
func digest(file opened) string {
	hash := sha256.New()
	n, err := io.Copy(hash, file)
	if _, back := file.Seek(0, io.SeekStart); err != nil || back != nil || n != file.info.Size() {
		return ""
	}
	return `"` + base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:18]) + `"`
}
