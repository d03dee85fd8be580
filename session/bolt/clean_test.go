package bolt_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

// stopped is a store of n sessions that was closed.
func stopped(t *testing.T, n int) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "sessions.db")
	s, err := bolt.Open(bolt.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	f := fixture{t, s}
	f.fill(0, n)
	f.wantError("Close", f.Close(), nil)
	return path
}

// rot changes the file as a failing disk does: nothing shows it but its content.
func rot(t *testing.T, path string, change func(b []byte)) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	change(b)
	write(t, path, b)
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
}

// leafOf returns the page on which the value of the i-th session's tokens is, in the
// closed store at path, whose content is b. What free pages hold, and the ends of
// others, is older.
func leafOf(t *testing.T, path string, b []byte, i int) int {
	t.Helper()
	k := key(i)
	inUse := inUse(t, path)
	for _, id := range pagesOf(b, 0x02) {
		run := b[id*pageSize:][:pageSize*(1+int(binary.NativeEndian.Uint32(pageOf(b, id)[12:])))]
		if inUse[id] && bytes.Contains(run, append(k[:], 0, 0, 0, 0, 0, 0, 0, 1)) { // key, version
			return id
		}
	}
	t.Fatal("the session is not in the file")
	return 0
}

// pagesOf returns the pages of one type.
func pagesOf(b []byte, flags uint16) (ids []int) {
	for id := range len(b) / pageSize {
		p := pageOf(b, id)
		if binary.NativeEndian.Uint64(p) == uint64(id) && binary.NativeEndian.Uint16(p[8:]) == flags {
			ids = append(ids, id)
		}
	}
	return ids
}

// told is an alarm.
type told chan error

func (c told) alarm(err error) { c <- err }

// wantDamage takes one alarm, which must be there.
func (c told) wantDamage(t *testing.T, path string) {
	t.Helper()
	select {
	case err := <-c:
		if !errors.Is(err, bolt.ErrDamaged) || !strings.Contains(err.Error(), path) {
			t.Errorf("told was %v, want ErrDamaged and the path", err)
		}
	default:
		t.Error("nothing was told")
	}
}

// J10: what has rotted in a leaf while the store was stopped in peace does not keep
// it from opening. It is found without anybody asking for it, and told once; the
// session that lies there can't be used, all others can. The next start refuses the
// file.
func TestLeafDamagedAfterStop(t *testing.T) {
	for _, tt := range []struct {
		name   string
		whose  int // the session that lies there
		damage func(p []byte)
		usable bool // bbolt does not notice
	}{
		{"number", 150, func(p []byte) { p[0] ^= 1 }, false},
		{"zeroed", 299, func(p []byte) { clear(p[:pageSize]) }, false},
		{"key out of order", 200, func(p []byte) { copy(p[16+int(binary.NativeEndian.Uint32(p[20:])):], "\xff\xff") }, false},
		{"pages that are not its own", 201, func(p []byte) { p[12]++ }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := stopped(t, 300)
			rot(t, path, func(b []byte) { tt.damage(b[leafOf(t, path, b, tt.whose)*pageSize:]) })
			found := make(told, 10)
			s, err := bolt.Open(bolt.Options{Path: path, Damaged: found.alarm})
			if err != nil {
				t.Fatalf("Open: %v", err)
			}
			s.Patrolled()
			f := fixture{t, s}
			found.wantDamage(t, path)
			if _, err := s.Load(t.Context(), key(tt.whose)); !tt.usable && !errors.Is(err, bolt.ErrDamaged) {
				t.Errorf("Load of what is damaged: %v, want ErrDamaged", err)
			}
			if _, err := s.Load(t.Context(), key(100)); err != nil {
				t.Errorf("Load of another session: %v", err)
			}
			f.wantError("SwapTokens", s.SwapTokens(t.Context(), key(100), session.TokensUpdate{From: 1, To: 2}), nil)
			f.wantError("Ping", s.Ping(t.Context()), nil)
			f.wantError("Close", s.Close(), nil)
			if len(found) > 0 {
				t.Errorf("told again: %v", <-found)
			}
			if _, err := bolt.Open(bolt.Options{Path: path}); !errors.Is(err, bolt.ErrDamaged) {
				t.Errorf("Open again: %v, want ErrDamaged", err)
			}
		})
	}
}

// What bbolt relies on wherever it goes is looked at by every start.
func TestTreeDamagedAfterStop(t *testing.T) {
	const branch, freelist = 0x01, 0x10
	path := stopped(t, 300)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, id int) {
		t.Helper()
		rot(t, path, func(b []byte) { copy(b, whole); clear(pageOf(b, id)[:64]) })
		s, err := bolt.Open(bolt.Options{Path: path})
		if err == nil {
			_ = s.Close()
		}
		if !errors.Is(err, bolt.ErrDamaged) {
			t.Errorf("%s on page %d: Open: %v, want ErrDamaged", what, id, err)
		}
	}
	inUse := inUse(t, path)
	n := 0
	for _, id := range pagesOf(whole, branch) {
		if inUse[id] {
			refused("branch", id)
			n++
		}
	}
	for _, id := range pagesOf(whole, freelist) {
		if inUse[id] {
			refused("free list", id)
			n++
		}
	}
	if n < 3 {
		t.Errorf("%d pages damaged, want more", n)
	}
}

// inUse returns which pages belong to the state of a closed store.
func inUse(t *testing.T, path string) map[int]bool {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	used := map[int]bool{}
	err = db.View(func(tx *bbolt.Tx) error {
		for id := range int(tx.Size()) / pageSize {
			if p, err := tx.Page(id); err == nil && p != nil && p.Type != "free" {
				used[id] = true
			}
		}
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return used
}

// Anything but a stop in peace, after which nobody wrote to the file, makes the
// next start look at every page.
func TestUncleanIsCheckedWhole(t *testing.T) {
	spoil := func(t *testing.T, path string) {
		rot(t, path, func(b []byte) { b[leafOf(t, path, b, 200)*pageSize] ^= 1 })
	}
	for _, tt := range []struct {
		name string
		make func(t *testing.T) (path string)
	}{
		{"killed after a write", func(t *testing.T) string {
			path := stopped(t, 300)
			s := openPath(t, path)
			fixture{t, s}.create(1000, filing())
			copyFile(t, path, path+".killed")
			copyFile(t, path+".mark", path+".killed.mark")
			return path + ".killed"
		}},
		{"killed before a write", func(t *testing.T) string {
			path := stopped(t, 300)
			openPath(t, path)
			copyFile(t, path, path+".killed")
			copyFile(t, path+".mark", path+".killed.mark")
			info, err := os.Stat(path)
			if err := errors.Join(err, os.Chtimes(path+".killed", info.ModTime(), info.ModTime())); err != nil {
				t.Fatal(err)
			}
			return path + ".killed"
		}},
		{"written by another program", func(t *testing.T) string {
			path := stopped(t, 300)
			info, err := os.Stat(path)
			edit(t, path, func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("x"), nil) })
			if err := errors.Join(err, os.Chtimes(path, info.ModTime(), info.ModTime())); err != nil {
				t.Fatal(err)
			}
			return path
		}},
		{"touched", func(t *testing.T) string {
			path := stopped(t, 300)
			if err := os.Chtimes(path, start, start); err != nil {
				t.Fatal(err)
			}
			return path
		}},
		{"another size", func(t *testing.T) string {
			path := stopped(t, 300)
			info, err := os.Stat(path)
			if err := errors.Join(err, os.Truncate(path, info.Size()+pageSize), os.Chtimes(path, info.ModTime(), info.ModTime())); err != nil {
				t.Fatal(err)
			}
			return path
		}},
		{"closed after a commit failed", func(t *testing.T) string {
			path := stopped(t, 300)
			s, err := bolt.Open(bolt.Options{Path: path})
			if err != nil {
				t.Fatal(err)
			}
			s.Ail(syscall.EIO)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return path
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := tt.make(t)
			spoil(t, path)
			s, err := bolt.Open(bolt.Options{Path: path})
			if err == nil {
				_ = s.Close()
			}
			if !errors.Is(err, bolt.ErrDamaged) {
				t.Errorf("Open: %v, want ErrDamaged", err)
			}
		})
	}
}
