package bolt_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

// busy has so many goroutines create, renew and delete sessions, and returns how
// to stop them. They count what they did.
func busy(f fixture, writers int) (stop func() (changes int)) {
	ctx, cancel := context.WithCancel(f.Context())
	var wg sync.WaitGroup
	done := make([]int, writers)
	for w := range writers {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				k := session.Key{0xCC, byte(w), byte(i >> 8), byte(i)}
				r := session.Record{Head: k[:], Tokens: bytes.Repeat(k[:], 60), Version: 1}
				err := errors.Join(
					f.Create(f.Context(), k, r, filing()),
					f.SwapTokens(f.Context(), k, session.TokensUpdate{From: 1, To: 2, Tokens: r.Tokens}))
				if i%3 == 0 {
					err = errors.Join(err, f.Delete(f.Context(), k, nil))
				}
				if err != nil {
					f.Errorf("a writer: %v", err)
					return
				}
				done[w]++
			}
		})
	}
	return func() (changes int) {
		cancel()
		wg.Wait()
		for _, n := range done {
			changes += n
		}
		return changes
	}
}

// Experiment 29: a backup taken while others write is a sound store with all
// that was there when it began, and is known for a copy wherever it is put.
func TestBackupWhileWriting(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sessions.db")
	s := openPath(t, path)
	f := fixture{t, s}
	const n = 200
	for i := range n {
		f.create(i, filing())
	}
	stop := busy(f, 8)
	for range 10 {
		var b bytes.Buffer
		if err := s.Backup(t.Context(), &b); err != nil {
			t.Fatalf("Backup: %v", err)
		}
		to := filepath.Join(dir, "backup.db")
		write(t, to, b.Bytes())
		report, err := bolt.Check(to)
		if err != nil || report.Sessions < n || report.Debris > 0 || report.Restored != bolt.NoMark {
			t.Errorf("Check of the backup = %+v, %v, want at least %d sessions and no mark", report, err, n)
		}
	}
	t.Logf("%d changes meanwhile", stop())
	if left := leftovers(t, path); len(left) != 1 { // the backup
		t.Errorf("left behind: %v", left)
	}
	f.wantError("Close", f.Close(), nil)

	// In the place of the store, with its mark.
	copyFile(t, filepath.Join(dir, "backup.db"), path)
	s = openPath(t, path)
	if r, _ := s.Restored(); r.Reason != bolt.OtherStore || r.Sessions < n {
		t.Errorf("Restored = %v, want %s and %d sessions or more", r, bolt.OtherStore, n)
	}
}

// Neither kind of backup holds what was deleted before (J8).
func TestBackupDeletedIsGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	s := openPath(t, path)
	f := fixture{t, s}
	for i := range 100 {
		f.wantError("Create", f.Create(t.Context(), key(i), session.Record{Head: []byte{1}, Tokens: secret(i), Version: 1}, filing()), nil)
	}
	for i := range 99 {
		f.wantError("Delete", f.Delete(t.Context(), key(i), nil), nil)
	}
	wantKept := func(what string, b []byte) {
		t.Helper()
		for i := range 99 {
			if bytes.Contains(b, secret(i)) {
				t.Errorf("%s holds deleted session %d", what, i)
			}
		}
		if !bytes.Contains(b, secret(99)) {
			t.Errorf("%s does not hold the session that is left", what)
		}
	}
	var running bytes.Buffer
	f.wantError("Backup", s.Backup(t.Context(), &running), nil)
	wantKept("the backup of the running store", running.Bytes())
	f.wantError("Close", f.Close(), nil)

	to := path + ".copy"
	report, err := bolt.Backup(path, to)
	if err != nil || report.Sessions != 1 {
		t.Errorf("Backup = %+v, %v, want 1 session", report, err)
	}
	b, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	wantKept("the backup of the file", b)
	if info, err := os.Stat(to); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode of the backup = %v, %v, want 0600", info.Mode(), err)
	}
	if _, err := bolt.Backup(path, to); !errors.Is(err, bolt.ErrExists) {
		t.Errorf("Backup over a file: %v, want ErrExists", err)
	}
}

// slowWriter takes a first write, and the next when it may.
type slowWriter struct{ wrote, may chan struct{} }

func (w slowWriter) Write(b []byte) (int, error) {
	w.wrote <- struct{}{}
	<-w.may
	return len(b), nil
}

// Whoever takes the backup may be as slow as they like: nobody waits for them,
// not even when the file has to grow.
func TestBackupSlowReader(t *testing.T) {
	s := openStore(t)
	f := fixture{t, s}
	f.create(0, filing())
	w := slowWriter{make(chan struct{}, 1000), make(chan struct{})}
	done := make(chan error)
	go func() { done <- s.Backup(t.Context(), w) }()
	<-w.wrote
	finishes(t, "writing while a backup is read", func() {
		for i := 1; i < 200; i++ {
			f.wantError("Create", f.Create(t.Context(), key(i), bulky(i), filing()), nil)
			f.wantRecord(i, bulky(i))
		}
	})
	close(w.may)
	f.wantError("Backup", <-done, nil)
}

// cancelling ends a context with the first write.
type cancelling struct {
	cancel context.CancelFunc
	writes int
}

func (c *cancelling) Write(b []byte) (int, error) {
	c.cancel()
	c.writes++
	return len(b), nil
}

// failingWriter is a full disk, or a client that went away.
type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestBackupFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	s := openPath(t, path)
	f := fixture{t, s}
	f.create(1, filing())
	gone := errors.New("gone")
	f.wantError("Backup", s.Backup(t.Context(), failingWriter{gone}), gone)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.wantError("Backup", s.Backup(ctx, &bytes.Buffer{}), context.Canceled)
	ctx, cancel = context.WithCancel(t.Context())
	w := &cancelling{cancel: cancel}
	f.wantError("Backup", s.Backup(ctx, w), context.Canceled)
	if w.writes != 1 {
		t.Errorf("%d writes, want none after the context ended", w.writes)
	}
	f.wantError("Close", f.Close(), nil) // until then a mark may be on its way
	if left := leftovers(t, path); left != nil {
		t.Errorf("left behind: %v", left)
	}
	f.wantError("Backup", s.Backup(t.Context(), &bytes.Buffer{}), bolt.ErrClosed)
}

// steps is a context that stops whoever asks whether it has ended, until that
// may go on, or the test is over.
type steps struct {
	context.Context
	came, may, over chan struct{}
}

func (s *steps) Err() error {
	select {
	case s.came <- struct{}{}:
	case <-s.over:
	}
	select {
	case <-s.may:
	case <-s.over:
	}
	return s.Context.Err()
}

// At each step of a backup, its copy of the file as it is included, the store
// reads and writes.
func TestBackupDelaysNobody(t *testing.T) {
	s := openStore(t)
	f := fixture{t, s}
	for i := range 100 {
		f.wantError("Create", f.Create(t.Context(), key(i), bulky(i), filing()), nil)
	}
	ctx := &steps{t.Context(), make(chan struct{}), make(chan struct{}), make(chan struct{})}
	t.Cleanup(func() { close(ctx.over) })
	done := make(chan error, 1)
	go func() { done <- s.Backup(ctx, &bytes.Buffer{}) }()
	for step := 0; ; step++ {
		select {
		case err := <-done:
			f.wantError("Backup", err, nil)
			if step < 10 {
				t.Errorf("the backup had %d steps, so it was hardly looked at", step)
			}
			return
		case <-ctx.came:
		}
		finishes(t, "reading and writing while the store is backed up", func() {
			f.wantRecord(7, bulky(7))
			fresh, err := f.MarkUsed(t.Context(), [32]byte{byte(step), byte(step >> 8)}, at(time.Hour))
			if err != nil || !fresh {
				t.Errorf("MarkUsed = %v, %v", fresh, err)
			}
		})
		ctx.may <- struct{}{}
	}
}
