//go:build linux

package bolt_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cloakroom/cloakroom/session/bolt"
)

// While a backup reads the file, the store outgrows every map that bbolt would
// have made of it by itself: nobody waits.
func TestBackupWhileGrowing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	s := openPath(t, path)
	f := fixture{t, s}
	ctx := &steps{t.Context(), make(chan struct{}), make(chan struct{}), make(chan struct{})}
	release := sync.OnceFunc(func() { close(ctx.over) })
	t.Cleanup(release) // or a failure would leave the store waiting
	done := make(chan error, 1)
	go func() { done <- s.Backup(ctx, &bytes.Buffer{}) }()
	<-ctx.came // it is asked before anything is read
	ctx.may <- struct{}{}
	<-ctx.came // the file is being read
	finishes(t, "growing under a backup", func() { f.fill(0, 1000) })
	release()
	f.wantError("Backup", <-done, nil)
	if info, err := os.Stat(path); err != nil || info.Size() < 4<<20 {
		t.Errorf("the file has %d bytes, %v: it hardly grew", info.Size(), err)
	}
}

// Where address space is short the store opens all the same, and says what that
// means.
func TestNoAddressSpace(t *testing.T) {
	if !inLimitedProcess(t) {
		return
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_AS, &old); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: 12 << 30, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Setrlimit(syscall.RLIMIT_AS, &old) }()
	var log bytes.Buffer
	path := filepath.Join(t.TempDir(), "sessions.db")
	s, err := bolt.Open(bolt.Options{Path: path, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	f := fixture{t, s}
	f.fill(0, 1000)
	f.wantError("Close", f.Close(), nil)
	if got := strings.Count(log.String(), "level=INFO"); got != 1 || !strings.Contains(log.String(), "address space") {
		t.Errorf("the log says: %s, want one line about address space", &log)
	}
	mustBeSound(t, path)
}
