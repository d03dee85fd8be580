package bolt_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/cloakroom/cloakroom/session/bolt"
)

var errCrash = errors.New("crash")

// A crash while sessions are dropped, at any step: the next start drops what is
// left, and no session survives. Each transaction is of bounded size.
func TestRestoredCrash(t *testing.T) {
	const n = bolt.DropSize + 300
	dir := t.TempDir()
	template := filepath.Join(dir, "template.db")
	lived(t, template, n)
	copyFile(t, template, template+".old")
	f := fixture{t, openPath(t, template)}
	f.create(n+1, filing())
	f.wantError("Close", f.Close(), nil)

	for _, reason := range []bolt.Reason{bolt.Behind, bolt.NoMark} {
		steps := 0
		for crashed := true; crashed; steps++ {
			path := filepath.Join(dir, "sessions.db")
			copyFile(t, template+".old", path)
			if err := os.Remove(path + ".mark"); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			if reason == bolt.Behind {
				copyFile(t, template+".mark", path+".mark")
			}
			step := 0
			crashed = false
			s, err := bolt.Open(bolt.Options{Path: path}.WithStep(func(string) error {
				if step++; step > steps {
					crashed = true
					return errCrash
				}
				return nil
			}))
			if crashed != errors.Is(err, errCrash) {
				t.Fatalf("Open: %v", err)
			}
			if err == nil {
				wantRestored(t, s, reason, n-1)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				continue
			}
			s = openPath(t, path)
			if _, restored := s.Restored(); !restored {
				t.Errorf("%s: after a crash before step %d nothing was restored, it says", reason, steps+1)
			}
			f := fixture{t, s}
			f.wantDropped(n)
			if entries := f.scan(10); len(entries) > 0 {
				t.Errorf("%s: after a crash before step %d: %d records, want none", reason, steps+1, len(entries))
			}
			f.wantError("Close", f.Close(), nil)
		}
		if steps < 5 { // more than two transactions of dropping, and the mark
			t.Errorf("%s: dropping took %d steps, want it in bounded portions", reason, steps)
		}
	}
}

// A crash while a store is made never makes it look restored.
func TestNewStoreCrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	crash := func(string) error { return errCrash }
	for range 2 {
		if _, err := bolt.Open(bolt.Options{Path: path}.WithStep(crash)); !errors.Is(err, errCrash) {
			t.Fatalf("Open: %v, want the crash", err)
		}
	}
	wantRestored(t, openPath(t, path), "", 0)
}

// An earlier program knew six buckets and no mark: its file keeps its sessions,
// and gets what is missing.
func TestEarlyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	f := fixture{t, openPath(t, path)}
	f.create(1, filing())
	f.create(2, filing())
	f.wantError("Close", f.Close(), nil)
	edit(t, path, func(tx *bbolt.Tx) error {
		return errors.Join(tx.DeleteBucket([]byte("fences")), tx.DeleteBucket([]byte("revocations")), tx.DeleteBucket([]byte("queue")))
	})
	if err := os.Remove(path + ".mark"); err != nil {
		t.Fatal(err)
	}

	_, err := bolt.Open(bolt.Options{Path: path}.WithStep(func(string) error { return errCrash }))
	f.wantError("Open", err, errCrash)
	s := openPath(t, path)
	wantRestored(t, s, "", 0)
	f.Store = s
	f.wantRecord(1, record(1))
	f.bury(burial(index(1)), 1, 2)
	r := revocation(1, 0)
	f.wantError("Delete", f.Delete(t.Context(), key(1), &r), nil)
	f.wantError("Close", f.Close(), nil)

	// From now on it has a mark like any other.
	f.Store = openPath(t, path)
	f.wantRevocations(at(0), 10, r)
	f.wantRecord(2, tombstone(2))
	f.wantError("Close", f.Close(), nil)
	if err := os.Remove(path + ".mark"); err != nil {
		t.Fatal(err)
	}
	wantRestored(t, openPath(t, path), bolt.NoMark, 0)
}

// While Open waits for the lock, another file may take the place of the one it
// waits for: what is written to the old one would be lost.
func TestOpenReplaced(t *testing.T) {
	dir := t.TempDir()
	path, next := filepath.Join(dir, "sessions.db"), filepath.Join(dir, "next.db")
	if err := openPath(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	f := fixture{t, openPath(t, next)}
	f.create(7, filing())
	f.wantError("Close", f.Close(), nil)

	replaced := false
	s, err := bolt.Open(bolt.Options{Path: path, OpenFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
		f, err := os.OpenFile(name, flag, perm)
		if name == path && flag&os.O_RDWR != 0 && !replaced { // it has the old file open now
			replaced = true
			err = errors.Join(err, os.Rename(next, path), os.Rename(next+".mark", path+".mark"))
		}
		return f, err
	}})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	f.Store = s
	f.create(8, filing())
	f.wantError("Close", f.Close(), nil)
	f.Store = openPath(t, path)
	f.wantRecord(7, record(7))
	f.wantRecord(8, record(8))
}
