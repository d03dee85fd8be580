package bolt_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/session/bolt"
)

// Experiment 29, R13: a backup is restored without its sessions, among them one
// that was signed out since; what keeps things from happening twice comes back.
func TestRestore(t *testing.T) {
	dir := t.TempDir()
	path, backup := filepath.Join(dir, "sessions.db"), filepath.Join(dir, "backup")
	lived(t, path, 20)
	if _, err := bolt.Backup(path, backup); err != nil {
		t.Fatal(err)
	}
	f := fixture{t, openPath(t, path)}
	f.wantError("Delete", f.Delete(t.Context(), key(3), nil), nil)
	f.create(50, filing())
	f.wantError("Close", f.Close(), nil)
	before, _ := os.ReadFile(path)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}

	r, err := bolt.Restore(backup, path)
	if want := (bolt.Recovery{Sessions: 19, Aside: path + ".before-restore"}); err != nil || r != want {
		t.Fatalf("Restore = %+v, %v, want %+v", r, err, want)
	}
	if old, _ := os.ReadFile(r.Aside); !bytes.Equal(old, before) {
		t.Error("the old file is not what is kept aside")
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
		t.Errorf("mode = %v, %v, want that of the old file", info.Mode(), err)
	}
	s := openPath(t, path)
	wantRestored(t, s, "", 0) // there is nothing left to remove
	f.Store = s
	f.wantDropped(60)
	f.create(1, filing())
	f.wantError("Close", f.Close(), nil)

	// The file that was replaced is no longer the store.
	copyFile(t, r.Aside, path)
	wantRestored(t, openPath(t, path), bolt.OtherStore, 19)

	if _, err := bolt.Restore(backup, path); !errors.Is(err, bolt.ErrExists) {
		t.Errorf("Restore again: %v, want ErrExists for what is aside", err)
	}
}

// Where no store is, or none that can be read, there is nothing in the way.
func TestRestoreOverNothing(t *testing.T) {
	for _, tt := range []struct {
		name  string
		make  func(t *testing.T, path string)
		aside bool
	}{
		{"no file", func(*testing.T, string) {}, false},
		{"an empty file", func(t *testing.T, path string) { write(t, path, nil) }, true},
		{"a damaged file", func(t *testing.T, path string) { write(t, path, []byte("damaged")) }, true},
		{"a damaged mark", func(t *testing.T, path string) { write(t, path+".mark", []byte("damaged")) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path, store, backup := filepath.Join(dir, "sessions.db"), filepath.Join(dir, "other"), filepath.Join(dir, "backup")
			lived(t, store, 3)
			if _, err := bolt.Backup(store, backup); err != nil {
				t.Fatal(err)
			}
			tt.make(t, path)
			r, err := bolt.Restore(backup, path)
			if err != nil || r.Sessions != 2 || (r.Aside != "") != tt.aside {
				t.Fatalf("Restore = %+v, %v", r, err)
			}
			s := openPath(t, path)
			wantRestored(t, s, "", 0)
			fixture{t, s}.wantDropped(3)
		})
	}
}

func TestRestoreRefuses(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "sessions.db"), filepath.Join(dir, "other")
	lived(t, path, 5)
	lived(t, other, 5)
	garbage, inUse := filepath.Join(dir, "garbage"), filepath.Join(dir, "in-use")
	write(t, garbage, bytes.Repeat([]byte("garbage"), 10_000))
	openPath(t, inUse)
	before, _ := os.ReadFile(path)
	mark := readMark(t, path)
	tests := []struct {
		name, backup, path string
		want               error // nil: any
	}{
		{"no backup", filepath.Join(dir, "missing"), path, fs.ErrNotExist},
		{"a damaged backup", garbage, path, bolt.ErrDamaged},
		{"a backup in use", inUse, path, bolt.ErrLocked},
		{"over a store in use", other, inUse, bolt.ErrLocked},
		{"the store itself", path, path, nil},
		{"into no directory", other, filepath.Join(dir, "missing", "sessions.db"), fs.ErrNotExist},
		{"over a directory", other, dir, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := bolt.Restore(tt.backup, tt.path)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.path) {
				t.Errorf("Restore: %v, want %v and the path", err, tt.want)
			}
		})
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) || readMark(t, path) != mark {
		t.Error("the store was changed")
	}
	for _, suffix := range []string{".restore", ".before-restore"} {
		for _, path := range []string{path, inUse} {
			if _, err := os.Stat(path + suffix); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s%s is left behind", path, suffix)
			}
		}
	}
}

// A crash at any step leaves a whole file, the old or the restored one, and the
// next attempt succeeds.
func TestRestoreCrash(t *testing.T) {
	for _, before := range []string{"rename", "mark"} {
		t.Run(before, func(t *testing.T) {
			dir := t.TempDir()
			path, backup := filepath.Join(dir, "sessions.db"), filepath.Join(dir, "backup")
			lived(t, path, 10)
			if _, err := bolt.Backup(path, backup); err != nil {
				t.Fatal(err)
			}
			err := bolt.RestoreBy(backup, path, func(step string) error {
				if step == before {
					return errCrash
				}
				return nil
			})
			if !errors.Is(err, errCrash) {
				t.Fatalf("Restore: %v, want the crash", err)
			}
			s := openPath(t, path)
			wantRestored(t, s, "", 0)
			f := fixture{t, s}
			if before == "mark" {
				f.wantDropped(10)
				return
			}
			f.wantRecord(1, record(1))
			f.wantError("Close", f.Close(), nil)
			if _, err := bolt.Restore(backup, path); err != nil {
				t.Errorf("Restore again: %v", err)
			}
			s = openPath(t, path)
			wantRestored(t, s, "", 0)
			fixture{t, s}.wantDropped(10)
		})
	}
}
