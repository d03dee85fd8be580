package bolt_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

// Examine reads and changes nothing, whatever state the file is in.
func TestExamine(t *testing.T) {
	errTheirs := errors.New("theirs")
	for _, tt := range []struct {
		name string
		come func(t *testing.T, path string)
		want error
		read bool

		restored bolt.Reason
	}{
		{"as it was closed", func(*testing.T, string) {}, nil, true, ""},
		{"put back", func(t *testing.T, path string) {
			if err := os.Remove(path + ".mark"); err != nil {
				t.Fatal(err)
			}
		}, nil, true, bolt.NoMark},
		{"and an error of who reads", func(*testing.T, string) {}, errTheirs, true, ""},
		{"in use", func(t *testing.T, path string) { openPath(t, path) }, bolt.ErrLocked, false, ""},
		{"emptied", func(t *testing.T, path string) { write(t, path, nil) }, bolt.ErrEmpty, false, bolt.Gone},
		{"removed", func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, fs.ErrNotExist, false, bolt.Gone},
		{"removed with its mark", func(t *testing.T, path string) {
			if err := errors.Join(os.Remove(path), os.Remove(path+".mark")); err != nil {
				t.Fatal(err)
			}
		}, fs.ErrNotExist, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sessions.db")
			lived(t, path, 5)
			tt.come(t, path)
			before, _ := os.ReadFile(path)
			read := false
			report, err := bolt.Examine(path, func(s session.Store) error {
				read = true
				if r, err := s.Load(t.Context(), key(1)); err != nil || !same(r, record(1)) {
					t.Errorf("Load = %v, %v, want the record", r, err)
				}
				if err := s.Create(t.Context(), key(99), record(99), filing()); err == nil {
					t.Error("a session was created")
				}
				if tt.want == errTheirs {
					return errTheirs
				}
				return nil
			})
			if !errors.Is(err, tt.want) || read != tt.read || err != nil && !strings.Contains(err.Error(), path) {
				t.Errorf("Examine: %v, read %v, want %v, %v and the path", err, read, tt.want, tt.read)
			}
			if report.Restored != tt.restored {
				t.Errorf("Restored = %q, want %q", report.Restored, tt.restored)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(after, before) {
				t.Error("the file was changed")
			}
		})
	}
}

// Locked tells whether somebody has a store open, at once, and leaves everything
// as it is.
func TestLocked(t *testing.T) {
	for _, tt := range []struct {
		name   string
		come   func(t *testing.T, path string)
		locked bool
		want   error // nil: any, if there is to be one
		fails  bool
	}{
		{"open", func(t *testing.T, path string) {
			lived(t, path, 5) // a new store writes its first mark while it is open
			openPath(t, path)
		}, true, nil, false},
		{"closed", func(t *testing.T, path string) { lived(t, path, 5) }, false, nil, false},
		{"looked at", func(t *testing.T, path string) {
			lived(t, path, 5)
			db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
		}, false, nil, false},
		{"damaged", func(t *testing.T, path string) { write(t, path, bytes.Repeat([]byte("garbage "), 10_000)) }, false, nil, false},
		{"empty", func(t *testing.T, path string) { write(t, path, nil) }, false, nil, false},
		{"not there", func(*testing.T, string) {}, false, fs.ErrNotExist, true},
		{"a folder", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, false, nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sessions.db")
			tt.come(t, path)
			before, _ := os.ReadFile(path)
			files, _ := filepath.Glob(path + "*")
			start := time.Now()
			locked, err := bolt.Locked(path)
			if locked != tt.locked || (err != nil) != tt.fails || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("Locked = %v, %v, want %v and an error: %v", locked, err, tt.locked, tt.fails)
			}
			if took := time.Since(start); took > time.Second {
				t.Errorf("it took %v", took)
			}
			after, _ := os.ReadFile(path)
			if left, _ := filepath.Glob(path + "*"); !bytes.Equal(after, before) || !slices.Equal(left, files) {
				t.Errorf("something was changed: %v", left)
			}
		})
	}
}
