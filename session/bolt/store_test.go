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

// start is when the tests begin; nothing here depends on the real time.
var start = time.Date(2026, 1, 2, 9, 0, 0, 0, time.UTC)

// openStore opens a new store. When the test ends it is closed, and its file
// must then be sound and open again.
func openStore(t *testing.T) *bolt.Store {
	t.Helper()
	return openPath(t, filepath.Join(t.TempDir(), "sessions.db"))
}

func openPath(t *testing.T, path string) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(bolt.Options{Path: path})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		mustBeSound(t, path)
	})
	return s
}

// mustBeSound has bbolt itself check the file, and opens it once more.
func mustBeSound(t *testing.T, path string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatalf("bbolt.Open: %v", err)
	}
	err = db.View(func(tx *bbolt.Tx) error {
		var errs []error
		for err := range tx.Check() {
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Errorf("bbolt's check: %v", err)
	}
	s, err := bolt.Open(bolt.Options{Path: path})
	if err != nil {
		t.Fatalf("Open again: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
}

func TestConformance(t *testing.T) {
	t.Run("bolt", func(t *testing.T) {
		testStore(t, func(t *testing.T) session.Store { return openStore(t) })
	})
	// The model that the simulation trusts must keep the contract too.
	t.Run("model", func(t *testing.T) {
		testStore(t, func(*testing.T) session.Store { return newModel() })
	})
}

// J10: modes of what Open creates, whatever the umask.
func TestOpenCreates(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "var", "lib")
	path := filepath.Join(dir, "sessions.db")
	openPath(t, path)
	for _, tt := range []struct {
		path string
		want os.FileMode
	}{
		{path, 0o600},
		{dir, os.ModeDir | 0o700},
		{filepath.Dir(dir), os.ModeDir | 0o700},
	} {
		info, err := os.Stat(tt.path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode(); got != tt.want {
			t.Errorf("mode of %s = %v, want %v", tt.path, got, tt.want)
		}
	}
}
