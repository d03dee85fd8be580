package bolt_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/cloakroom/cloakroom/session/bolt"
)

// A store whose content is gone is not a first start: its mark speaks of one that
// was there. A new store is made, and that is told, once (J4).
func TestGone(t *testing.T) {
	remove := func(t *testing.T, path string) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	empty := func(t *testing.T, path string) { write(t, path, nil) }
	bare := func(t *testing.T, path string) {
		remove(t, path)
		edit(t, path, func(*bbolt.Tx) error { return nil })
	}
	tests := []struct {
		name   string
		lose   func(t *testing.T, path string)
		mark   func(t *testing.T, path string)
		reason bolt.Reason
	}{
		{"no file", remove, nil, bolt.Gone},
		{"an empty file", empty, nil, bolt.Gone},
		{"a database of nothing", bare, nil, bolt.Gone},
		{"no file, no mark", remove, remove, ""},
		{"an empty file, no mark", empty, remove, ""},
		{"an empty file, and a mark that names nothing", empty, empty, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sessions.db")
			lived(t, path, 5)
			tt.lose(t, path)
			if tt.mark != nil {
				tt.mark(t, path+".mark")
			}
			s := openPath(t, path)
			wantRestored(t, s, tt.reason, 0)
			f := fixture{t, s}
			f.create(1, filing())
			f.wantError("Close", f.Close(), nil)

			s = openPath(t, path) // it is a store like any other
			wantRestored(t, s, "", 0)
			fixture{t, s}.wantRecord(1, record(1))
			wantMark(t, path, s.Point())
		})
	}
}

// A crash while the new store is made: the next start makes it, and tells, or
// finds it made.
func TestGoneCrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	lived(t, path, 5)
	write(t, path, nil)
	crash := func(string) error { return errCrash }
	for range 30 { // and the mark does not grow by it
		if _, err := bolt.Open(bolt.Options{Path: path}.WithStep(crash)); !errors.Is(err, errCrash) {
			t.Fatalf("Open: %v, want the crash", err)
		}
	}
	// With the mark of the new store written the file is yet empty.
	mark := readMark(t, path)
	for range 30 {
		steps := 0
		_, err := bolt.Open(bolt.Options{Path: path}.WithStep(func(string) error {
			if steps++; steps > 1 {
				return errCrash
			}
			return nil
		}))
		if !errors.Is(err, errCrash) {
			t.Fatalf("Open: %v, want the crash", err)
		}
		if got := readMark(t, path); len(got) > 2*len(mark) {
			t.Fatalf("mark = %q, want that of the old store and of the new one", got)
		}
		write(t, path, nil)
	}
	wantRestored(t, openPath(t, path), bolt.Gone, 0)
}
