package bolt_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

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
			if report, err := bolt.Check(path); err != nil || report.Debris > 0 || report.Marks != 1 || report.Fences != 1 {
				t.Errorf("Check = %+v, %v, want a mark and a fence that will be swept, and nothing wrong", report, err)
			}

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
