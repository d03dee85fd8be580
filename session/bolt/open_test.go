package bolt_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

// edit changes a closed store behind its back.
func edit(t *testing.T, path string, fn func(tx *bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(fn), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// J10: a second process must neither wait for ever nor write.
func TestOpenLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	first := openPath(t, path)
	began := time.Now()
	_, err := bolt.Open(bolt.Options{Path: path, LockTimeout: 200 * time.Millisecond})
	if !errors.Is(err, bolt.ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Errorf("Open: %v, want ErrLocked and the path", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("Open took %v", took)
	}
	f := fixture{t, first}
	f.create(1, filing())

	// Once the first lets go, the second need not time out.
	opened := make(chan error)
	go func() {
		s, err := bolt.Open(bolt.Options{Path: path, LockTimeout: time.Minute})
		if err == nil {
			err = s.Close()
		}
		opened <- err
	}()
	f.wantError("Close", first.Close(), nil)
	f.wantError("Open", <-opened, nil)
}

func TestOpenVersion(t *testing.T) {
	tests := []struct {
		name string
		edit func(tx *bbolt.Tx) error
	}{
		{"newer version", func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("version"), []byte{0, 0, 0, 2}) }},
		{"no version", func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Delete([]byte("version")) }},
		{"odd version", func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("version"), []byte("one")) }},
		{"another program's file", func(tx *bbolt.Tx) error {
			if err := tx.DeleteBucket([]byte("meta")); err != nil {
				return err
			}
			_, err := tx.CreateBucket([]byte("theirs"))
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sessions.db")
			s, err := bolt.Open(bolt.Options{Path: path})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			edit(t, path, tt.edit)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = bolt.Open(bolt.Options{Path: path})
			if !errors.Is(err, bolt.ErrVersion) || !strings.Contains(err.Error(), path) {
				t.Errorf("Open: %v, want ErrVersion and the path", err)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("Open changed the file")
			}
		})
	}
}

// A bucket that is missing is damage, not an older version.
func TestOpenIncomplete(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	s, err := bolt.Open(bolt.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, path, func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("expiry")) })
	if _, err := bolt.Open(bolt.Options{Path: path}); !errors.Is(err, bolt.ErrDamaged) {
		t.Errorf("Open: %v, want ErrDamaged", err)
	}
}

// Values that no program of ours wrote are errors where they are read, leave
// other sessions alone, and go when their time comes.
func TestMalformedValues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	f := fixture{t, openPath(t, path)}
	const broken = 6
	for i := range broken + 1 {
		f.create(i, filing())
	}
	f.wantError("Close", f.Close(), nil)
	edit(t, path, func(tx *bbolt.Tx) error {
		put := func(bucket string, i int, value []byte) error {
			k := key(i)
			return tx.Bucket([]byte(bucket)).Put(k[:], value)
		}
		gone := key(4)
		return errors.Join(
			put("sessions", 0, nil), put("sessions", 1, []byte("short")), put("sessions", 2, make([]byte, 3<<20)),
			put("tokens", 3, []byte("short")), tx.Bucket([]byte("tokens")).Delete(gone[:]), put("tokens", 5, make([]byte, 3<<20)),
			tx.Bucket([]byte("expiry")).Put([]byte{0}, nil),
			tx.Bucket([]byte("expiry")).Put([]byte{0xFF}, nil),
			tx.Bucket([]byte("index")).Put(append(make([]byte, 31), 1, 7), nil))
	})

	f.Store = openPath(t, path)
	for i := range broken {
		if _, err := f.Load(t.Context(), key(i)); !errors.Is(err, bolt.ErrDamaged) {
			t.Errorf("Load(%d): %v, want ErrDamaged", i, err)
		}
		if err := f.SwapTokens(t.Context(), key(i), session.TokensUpdate{From: 1, To: 2}); !errors.Is(err, bolt.ErrDamaged) {
			t.Errorf("SwapTokens(%d): %v, want ErrDamaged", i, err)
		}
		f.wantError("Create", f.Create(t.Context(), key(i), record(i), filing()), session.ErrConflict)
		f.wantError("UpdateHeads", f.UpdateHeads(t.Context(), []session.HeadUpdate{
			{Key: key(i), Head: record(i).Head, Expires: filing().Expires, Until: filing().Until}}), nil)
	}
	f.wantRecord(broken, record(broken))
	f.wantFound(index(1), 3, 4, 5, broken) // their heads are whole

	f.wantError("Delete", f.Delete(t.Context(), key(0), nil), nil)
	f.wantNone(0)
	if n, err := f.Sweep(t.Context(), at(8*time.Hour), 1000); err != nil || n == 0 {
		t.Errorf("Sweep = %d, %v", n, err)
	}
	for i := range broken + 1 {
		f.wantNone(i)
	}
	f.sweep(at(1000*time.Hour), 1000, 0)
	f.wantError("Close", f.Close(), nil)
	edit(t, path, func(tx *bbolt.Tx) error {
		for _, bucket := range []string{"sessions", "tokens", "expiry"} {
			if k, _ := tx.Bucket([]byte(bucket)).Cursor().First(); k != nil {
				t.Errorf("%s still holds %x", bucket, k)
			}
		}
		return nil
	})
}

// What Open is given instead of a store.
func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	sqlite := append([]byte("SQLite format 3\x00"), make([]byte, 100_000)...)
	tests := []struct {
		name string
		path string
		want error // nil: any
	}{
		{"no path", "", nil},
		{"a directory", dir, nil},
		{"a device", os.DevNull, nil},
		{"below a file", filepath.Join(write("file", []byte("x")), "sessions.db"), nil},
		{"one byte", write("one", []byte{1}), bolt.ErrDamaged},
		{"zeros", write("zeros", make([]byte, 64<<10)), bolt.ErrDamaged},
		{"another database", write("other", sqlite), bolt.ErrDamaged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := bolt.Open(bolt.Options{Path: tt.path})
			if err == nil {
				_ = s.Close()
				t.Fatal("Open: no error")
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("Open: %v, want %v", err, tt.want)
			}
			if !bytes.Contains([]byte(err.Error()), []byte(tt.path)) {
				t.Errorf("Open: %v, want an error that names %s", err, tt.path)
			}
		})
	}
	t.Run("an empty file", func(t *testing.T) {
		f := fixture{t, openPath(t, write("empty", nil))}
		f.create(1, filing())
		f.wantRecord(1, record(1))
	})
}
