//go:build linux

package bolt_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

// disk is a place for a store that runs full, and then has space again.
type disk struct {
	dir  string
	free func()
}

// limitedFiles is a directory in which no file may grow past the given size:
// what every user can have. The limit holds for the whole process.
func limitedFiles(t *testing.T, size uint64) disk {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ) // then the write fails instead
	t.Cleanup(func() { signal.Reset(syscall.SIGXFSZ) })
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	set := func(limit syscall.Rlimit) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Error(err)
		}
	}
	set(syscall.Rlimit{Cur: size, Max: old.Max})
	t.Cleanup(func() { set(old) })
	return disk{t.TempDir(), func() { set(old) }}
}

// smallVolume is a file system of the given size, half of it taken by
// something that can go. Only root can have it; others get limitedFiles.
func smallVolume(t *testing.T, size uint64) disk {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Logf("mount: %v: a limit on file sizes instead", err)
		return limitedFiles(t, size/2)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, size/2), 0o600); err != nil {
		t.Fatal(err)
	}
	return disk{dir, func() {
		if err := os.Remove(ballast); err != nil {
			t.Error(err)
		}
	}}
}

// limitedEnv says that this process may limit itself.
const limitedEnv = "BOLT_TEST_LIMITED"

// inLimitedProcess reports whether this process may limit itself. If not, the
// test is run again by one that may: the limits would hit whatever else this one
// writes.
func inLimitedProcess(t *testing.T) bool {
	if os.Getenv(limitedEnv) != "" {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), limitedEnv+"=1")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("in a process of its own: %v", err)
	}
	return false
}

// J10, experiment 10: a full disk is a clear error, loses nothing that was acknowledged, and
// is forgotten once there is space.
func TestFullDisk(t *testing.T) {
	if !inLimitedProcess(t) {
		return
	}
	tests := []struct {
		name string
		disk func(t *testing.T, size uint64) disk
		size uint64
	}{
		{"file size limit", limitedFiles, 1 << 20},
		{"file size limit within the steps in which the file grows", limitedFiles, 3<<20 + 12345},
		{"small volume", smallVolume, 2 << 20},
		{"volume that takes the size but not the data", smallVolume, 5 << 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			disk := tt.disk(t, tt.size)
			var clock atomic.Int64
			s, err := bolt.Open(bolt.Options{
				Path: filepath.Join(disk.dir, "sessions.db"),
				Now:  func() time.Time { return start.Add(time.Duration(clock.Load())) },
			})
			if err != nil {
				t.Fatal(err)
			}
			f := fixture{t, s}
			stored := fillUp(f)
			t.Logf("%d sessions fit", stored)

			f.wantAll(stored)
			f.wantNone(stored) // the one that failed has not happened
			f.wantUnhealthy(20)

			disk.free()
			// Nothing has tried for less than a second: no Ping writes.
			f.wantUnhealthy(20)
			clock.Add(int64(time.Second))
			f.wantError("Ping with space", s.Ping(t.Context()), nil)
			big := record(stored)
			big.Tokens = make([]byte, 200_000)
			f.wantError("Create with space", s.Create(t.Context(), key(stored), big, filing()), nil)
			f.wantAll(stored)
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			mustBeSound(t, filepath.Join(disk.dir, "sessions.db"))
		})
	}
}

func bulky(i int) session.Record {
	r := record(i)
	r.Tokens = append(r.Tokens, make([]byte, 20_000)...)
	return r
}

// fillUp creates sessions until one fails, and returns how many did not.
func fillUp(f fixture) int {
	for i := range 2000 {
		err := f.Create(f.Context(), key(i), bulky(i), filing())
		if err == nil {
			continue
		}
		if text := err.Error(); !strings.Contains(text, "no space left") && !strings.Contains(text, "file too large") {
			f.Errorf("Create on a full disk: %v", err)
		}
		if errors.Is(err, bolt.ErrUnknown) || errors.Is(err, bolt.ErrDamaged) {
			f.Errorf("Create on a full disk: %v, want an error that is neither ErrUnknown nor ErrDamaged", err)
		}
		return i
	}
	f.Fatal("the disk does not fill up")
	return 0
}

func (f fixture) wantAll(n int) {
	f.Helper()
	for i := range n {
		f.wantRecord(i, bulky(i))
	}
}

// wantUnhealthy has many callers ask at once.
func (f fixture) wantUnhealthy(callers int) {
	f.Helper()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			if err := f.Ping(f.Context()); err == nil {
				f.Error("Ping after a failed commit: nil, want an error")
			}
		})
	}
	wg.Wait()
}

// A volume that cannot be written to, through the seam: root may write
// everywhere.
func TestOpenReadOnly(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EROFS, syscall.EACCES} {
		t.Run(errno.Error(), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sessions.db")
			openPath(t, path)
			refuse := func(name string, flag int, perm os.FileMode) (*os.File, error) {
				if flag&(os.O_RDWR|os.O_WRONLY|os.O_CREATE) != 0 {
					return nil, &fs.PathError{Op: "open", Path: name, Err: errno}
				}
				return os.OpenFile(name, flag, perm)
			}
			for _, path := range []string{path, path + ".new"} {
				_, err := bolt.Open(bolt.Options{Path: path, OpenFile: refuse, LockTimeout: time.Millisecond})
				if errors.Is(err, bolt.ErrLocked) {
					continue // by openPath
				}
				if !errors.Is(err, errno) || errors.Is(err, bolt.ErrDamaged) || !strings.Contains(err.Error(), path) {
					t.Errorf("Open: %v, want %v and the path", err, errno)
				}
			}
		})
	}
}
