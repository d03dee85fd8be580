//go:build linux

package bolt_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

// sickDisk is a disk that begins to fail under a store that has its file open:
// the file descriptor comes to mean something else.
type sickDisk struct {
	t    *testing.T
	file *os.File // the store's
	well int      // another descriptor of what it was
}

func (d *sickDisk) open(name string, flag int, perm os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err == nil && flag&os.O_RDWR != 0 {
		d.file = f
	}
	return f, err
}

// become makes writes and syncs go to what is at path.
func (d *sickDisk) become(path string, flag int) {
	d.t.Helper()
	other, err := syscall.Open(path, flag|syscall.O_CLOEXEC, 0)
	if err == nil {
		d.well, err = syscall.Dup(int(d.file.Fd()))
	}
	if err == nil {
		err = errors.Join(syscall.Dup3(other, int(d.file.Fd()), syscall.O_CLOEXEC), syscall.Close(other))
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *sickDisk) recover() {
	d.t.Helper()
	if err := errors.Join(syscall.Dup3(d.well, int(d.file.Fd()), syscall.O_CLOEXEC), syscall.Close(d.well)); err != nil {
		d.t.Fatal(err)
	}
}

// Experiment 11: a disk that refuses writes, or takes them and then fails to
// sync. Every change fails and has not happened, reads go on, the alarm is
// immediate, and nothing is retried in silence; when the disk is well again, so is
// the store.
func TestSickDisk(t *testing.T) {
	for _, tt := range []struct {
		name string
		path string // what the descriptor becomes; empty: the file, read-only
		flag int
		want error
	}{
		{"read-only", "", syscall.O_RDONLY, syscall.EBADF},
		{"no write arrives and no sync succeeds", "/dev/null", syscall.O_RDWR, syscall.EINVAL},
		{"full", "/dev/full", syscall.O_RDWR, syscall.ENOSPC},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sessions.db")
			disk := &sickDisk{t: t}
			now := start
			s, err := bolt.Open(bolt.Options{Path: path, OpenFile: disk.open, Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			f := fixture{t, s}
			for i := range 20 {
				f.create(i, filing())
			}
			if tt.path == "" {
				tt.path = path
			}
			disk.become(tt.path, tt.flag)
			for range 3 {
				f.wantRefused(tt.want)
			}
			f.wantUnhealthy(5)
			f.wantUntouched()

			disk.recover()
			now = now.Add(time.Second)
			f.wantError("Ping", s.Ping(t.Context()), nil)
			f.wantUntouched()
			f.create(20, filing())
			f.wantError("Close", f.Close(), nil)
			mustBeSound(t, path)
			s = openPath(t, path)
			wantRestored(t, s, "", 0)
			f.Store = s
			f.wantUntouched()
			f.wantRecord(20, record(20))
		})
	}
}

// wantRefused tries every kind of change, many of them at once.
func (f fixture) wantRefused(want error) {
	f.Helper()
	r := revocation(1, 0)
	var wg sync.WaitGroup
	for what, do := range map[string]func() error{
		"Create": func() error { return f.Create(f.Context(), key(30), record(30), filing()) },
		"SwapTokens": func() error {
			return f.SwapTokens(f.Context(), key(1), session.TokensUpdate{From: 1, To: 2, Tokens: []byte("new")})
		},
		"UpdateHeads": func() error {
			return f.UpdateHeads(f.Context(), []session.HeadUpdate{{Key: key(2), Head: []byte("new"), Expires: at(0), Until: at(0)}})
		},
		"Delete": func() error { return f.Delete(f.Context(), key(3), &r) },
		"Bury": func() error {
			_, err := f.Bury(f.Context(), session.Burial{Keys: []session.Key{key(4)}})
			return err
		},
		"MarkUsed": func() error { _, err := f.MarkUsed(f.Context(), [32]byte{5}, at(0)); return err },
		"Sweep":    func() error { _, err := f.Sweep(f.Context(), at(time.Hour), 10); return err },
	} {
		wg.Go(func() {
			err := do()
			if !errors.Is(err, want) || errors.Is(err, bolt.ErrUnknown) || strings.Contains(err.Error(), "damaged") {
				f.Errorf("%s: %v, want %v", what, err, want)
			}
		})
	}
	wg.Wait()
}

// wantUntouched proves that none of these changes has happened.
func (f fixture) wantUntouched() {
	f.Helper()
	for i := range 20 {
		f.wantRecord(i, record(i))
	}
	f.wantNone(30)
	f.wantRevocations(at(0), 10)
}
