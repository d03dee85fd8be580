package bolt_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

// copyFile makes to what from is.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// lived fills a store with sessions 0 to n-1, of which one is a tombstone, a
// record that is no session, a used mark, a fence and a revocation; and closes
// it.
func lived(t *testing.T, path string, n int) {
	t.Helper()
	f := fixture{t, openPath(t, path)}
	for i := range n {
		f.create(i, filing())
	}
	f.bury(session.Burial{Keys: []session.Key{key(0)}}, 0)
	f.wantError("Create", f.Create(t.Context(), session.Key{}, record(1), session.Filing{Expires: at(9000 * time.Hour), Until: at(9000 * time.Hour)}), nil)
	if fresh, err := f.MarkUsed(t.Context(), [32]byte{1}, at(time.Hour)); err != nil || !fresh {
		t.Fatalf("MarkUsed = %v, %v", fresh, err)
	}
	f.bury(burial(index(8)))
	f.put(revocation(1, 0))
	f.wantError("Close", f.Close(), nil)
}

// wantDropped proves that sessions 0 to n-1 are gone without a trace, and that
// what keeps other things from happening again is not.
func (f fixture) wantDropped(n int) {
	f.Helper()
	for i := range n {
		f.wantNone(i)
	}
	f.wantFound(index(1))
	r, err := f.Load(f.Context(), session.Key{})
	if err != nil || !same(r, record(1)) {
		f.Errorf("Load of what is no session = %v, %v, want it", r, err)
	}
	if fresh, err := f.MarkUsed(f.Context(), [32]byte{1}, at(time.Hour)); err != nil || fresh {
		f.Errorf("MarkUsed = %v, %v, want the mark to be used still", fresh, err)
	}
	fenced := session.Filing{Subject: index(8), Expires: at(time.Hour), Until: at(time.Hour)}
	f.wantError("Create against a fence", f.Create(f.Context(), key(900), record(1), fenced), session.ErrSignedOut)
	f.wantRevocations(at(0), 10, revocation(1, 0))
}

func wantRestored(t *testing.T, s *bolt.Store, reason bolt.Reason, sessions int) {
	t.Helper()
	got, restored := s.Restored()
	if want := (bolt.Restoration{Reason: reason, Sessions: sessions}); got != want || restored != (reason != "") {
		t.Errorf("Restored = %v, %v, want %v", got, restored, want)
	}
}

// J4, R13, experiment 29: a file that was put back keeps no session, whatever
// way it came back; one that was moved with its mark keeps them all.
func TestRestored(t *testing.T) {
	const n = 20
	flip := func(at int) func(b []byte) []byte {
		return func(b []byte) []byte { b[at] ^= 1; return b }
	}
	editMark := func(edit func(b []byte) []byte) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			b := edit([]byte(readMark(t, path)))
			if err := os.WriteFile(path+".mark", b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := []struct {
		name   string
		come   func(t *testing.T, path string) // how the file comes there
		reason bolt.Reason
	}{
		{"as it was", func(*testing.T, string) {}, ""},
		{"an earlier state", func(t *testing.T, path string) {
			copyFile(t, path, path+".copy")
			f := fixture{t, openPath(t, path)}
			f.wantError("SwapTokens", f.SwapTokens(t.Context(), key(1), session.TokensUpdate{From: 1, To: 2}), nil)
			f.wantError("Close", f.Close(), nil)
			copyFile(t, path+".copy", path)
		}, bolt.Behind},
		{"over another store", func(t *testing.T, path string) {
			other := filepath.Join(t.TempDir(), "other.db")
			lived(t, other, 2)
			copyFile(t, other+".mark", path+".mark")
		}, bolt.OtherStore},
		{"where none was", func(t *testing.T, path string) {
			if err := os.Remove(path + ".mark"); err != nil {
				t.Fatal(err)
			}
		}, bolt.NoMark},
		{"with half a mark", editMark(func(b []byte) []byte { return b[:len(b)/2] }), bolt.NoMark},
		{"with an empty mark", editMark(func([]byte) []byte { return nil }), bolt.NoMark},
		{"with a mark of zeros", editMark(func(b []byte) []byte { return make([]byte, len(b)) }), bolt.NoMark},
		{"with a mark too long", editMark(func(b []byte) []byte { return append(b, make([]byte, 5000)...) }), bolt.NoMark},
		{"with a bit changed in the mark", editMark(flip(30)), bolt.NoMark},
		{"with a mark that cannot hold", editMark(func([]byte) []byte { return []byte("cloakroom-mark v1 \n") }), bolt.NoMark},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sessions.db")
			lived(t, path, n)
			tt.come(t, path)
			s := openPath(t, path)
			f := fixture{t, s}
			if tt.reason == "" {
				wantRestored(t, s, "", 0)
				f.wantRecord(1, record(1))
				return
			}
			wantRestored(t, s, tt.reason, n-1)
			f.wantDropped(n)
			f.wantError("Close", f.Close(), nil)

			s = openPath(t, path) // from now on it is what it is
			wantRestored(t, s, "", 0)
			f = fixture{t, s}
			f.wantDropped(n)
			f.create(5, filing())
			f.wantRecord(5, record(5))
		})
	}
}

// Moving to another machine: the file and its mark go together. The file alone
// is a copy of a store that may go on elsewhere.
func TestMovedWithMark(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	lived(t, path, 5)
	there := filepath.Join(t.TempDir(), "moved.db")
	copyFile(t, path, there)
	copyFile(t, path+".mark", there+".mark")
	s := openPath(t, there)
	wantRestored(t, s, "", 0)
	fixture{t, s}.wantRecord(1, record(1))

	alone := filepath.Join(t.TempDir(), "copied.db")
	copyFile(t, path, alone)
	s = openPath(t, alone)
	wantRestored(t, s, bolt.NoMark, 4)
	fixture{t, s}.wantDropped(5)
}

// Once sessions were dropped, no earlier copy is taken for the store any more:
// not one from before, even if it is ahead of the store by now.
func TestRestoredTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	lived(t, path, 5)
	copyFile(t, path, path+".1")
	lived2 := fixture{t, openPath(t, path)}
	for i := range 50 {
		lived2.create(100+i, filing())
	}
	lived2.wantError("Close", lived2.Close(), nil)
	copyFile(t, path, path+".2")
	lived2.Store = openPath(t, path)
	lived2.create(200, filing())
	lived2.wantError("Close", lived2.Close(), nil)

	copyFile(t, path+".1", path)
	s := openPath(t, path)
	wantRestored(t, s, bolt.Behind, 4)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	copyFile(t, path+".2", path)
	s = openPath(t, path)
	wantRestored(t, s, bolt.OtherStore, 54)
}

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
// waits for.
func TestOpenReplaced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sessions.db")
	if err := openPath(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	first := openPath(t, path) // will not write its mark again
	copyOf := filepath.Join(dir, "next.db")
	f := fixture{t, openPath(t, copyOf)}
	f.create(7, filing())
	f.wantError("Close", f.Close(), nil)

	type result struct {
		s   *bolt.Store
		err error
	}
	opened := make(chan result)
	waiting := make(chan struct{}, 100)
	go func() {
		s, err := bolt.Open(bolt.Options{Path: path, LockTimeout: time.Minute,
			OpenFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
				f, err := os.OpenFile(name, flag, perm)
				waiting <- struct{}{}
				return f, err
			}})
		opened <- result{s, err}
	}()
	<-waiting // it has the old file open
	if err := errors.Join(os.Rename(copyOf, path), os.Rename(copyOf+".mark", path+".mark"), first.Close()); err != nil {
		t.Fatal(err)
	}
	r := <-opened
	if r.err != nil {
		t.Fatalf("Open: %v", r.err)
	}
	f.Store = r.s
	f.create(8, filing())
	f.wantError("Close", f.Close(), nil)
	f.Store = openPath(t, path)
	f.wantRecord(7, record(7))
	f.wantRecord(8, record(8))
}
