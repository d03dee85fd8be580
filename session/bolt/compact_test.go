package bolt_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

// leftovers returns what is in the directory of path beside it and its mark.
func leftovers(t *testing.T, path string, known ...string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		suffix, own := strings.CutPrefix(e.Name(), filepath.Base(path))
		if !own || suffix != "" && suffix != ".mark" && !strings.Contains(strings.Join(known, " "), suffix) {
			left = append(left, e.Name())
		}
	}
	return left
}

func secret(i int) []byte { return fmt.Appendf(nil, "the ciphertext of session %04d", i) }

// J8: what was deleted is still in the file, and is not after compaction; what
// was not is, and the store is the same.
func TestCompactDeletedIsGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	f := fixture{t, openPath(t, path)}
	const n = 400
	big := func(i int) session.Record {
		return session.Record{Head: record(i).Head, Tokens: append(secret(i), make([]byte, 5000)...), Version: 1}
	}
	for i := range n {
		f.wantError("Create", f.Create(t.Context(), key(i), big(i), filing()), nil)
	}
	for i := range n - 20 {
		f.wantError("Delete", f.Delete(t.Context(), key(i), nil), nil)
	}
	f.bury(burial(index(8)))
	f.put(revocation(1, 0))
	f.wantError("Close", f.Close(), nil)

	found := func() (n int) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 380 {
			if bytes.Contains(b, secret(i)) {
				n++
			}
		}
		return n
	}
	if found() == 0 {
		t.Error("nothing deleted is in the file: the test proves nothing")
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	c, err := bolt.Compact(path)
	if err != nil {
		t.Fatalf("Compact: %v", err)
	}
	t.Logf("%d bytes, then %d", c.Before, c.After)
	if left := found(); left != 0 {
		t.Errorf("%d deleted sessions are in the compacted file", left)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o640 || info.Size() != c.After || c.After > c.Before/2 {
		t.Errorf("after %+v the file has mode %v, %d bytes, %v; want mode 0640 and a smaller file", c, info.Mode(), info.Size(), err)
	}
	if left := leftovers(t, path); left != nil {
		t.Errorf("left behind: %v", left)
	}
	s := openPath(t, path)
	wantRestored(t, s, "", 0)
	f.Store = s
	for i := range n {
		if i < n-20 {
			f.wantNone(i)
		} else {
			f.wantRecord(i, big(i))
		}
	}
	f.wantRevocations(at(0), 10, revocation(1, 0))
	f.sweep(at(time.Hour), 1000, 20+1) // heads and the fence
}

// A crash at any step of a compaction leaves a whole file that keeps its
// sessions; and then neither of the two passes for the other any more.
func TestCompactCrash(t *testing.T) {
	for _, before := range []string{"rename", "mark"} {
		t.Run(before, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sessions.db")
			lived(t, path, 10)
			copyFile(t, path, path+".old")
			err := bolt.CompactBy(path, func(step string) error {
				if step == before {
					return errCrash
				}
				return nil
			})
			if !errors.Is(err, errCrash) {
				t.Fatalf("Compact: %v, want the crash", err)
			}
			s := openPath(t, path)
			wantRestored(t, s, "", 0)
			f := fixture{t, s}
			for i := 1; i < 10; i++ {
				f.wantRecord(i, record(i))
			}
			if strings.Count(readMark(t, path), ":") != 1 {
				t.Errorf("mark = %q, want one that fits one file only", readMark(t, path))
			}
			f.wantError("Close", f.Close(), nil)
			if before == "mark" {
				copyFile(t, path+".old", path)
				wantRestored(t, openPath(t, path), bolt.OtherStore, 9)
			}
		})
	}
}

// What is left of a compaction that was killed is in nobody's way.
func TestCompactAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	lived(t, path, 10)
	if err := os.WriteFile(path+".compact", []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := bolt.Compact(path); err != nil {
			t.Fatalf("Compact: %v", err)
		}
	}
	if left := leftovers(t, path); left != nil {
		t.Errorf("left behind: %v", left)
	}
	s := openPath(t, path)
	wantRestored(t, s, "", 0)
	fixture{t, s}.wantRecord(1, record(1))
}

// What Check, Compact and Backup are given instead of a closed, sound store.
// None changes it.
func TestOfflineRefuses(t *testing.T) {
	tests := []struct {
		name string
		make func(t *testing.T, path string)
		want error
		may  string // what succeeds nevertheless
	}{
		{"nothing", func(*testing.T, string) {}, fs.ErrNotExist, ""},
		{"an empty file", func(t *testing.T, path string) { write(t, path, nil) }, bolt.ErrEmpty, ""},
		{"text", func(t *testing.T, path string) { write(t, path, []byte("Dear store,\n")) }, bolt.ErrDamaged, ""},
		{"a store in use", func(t *testing.T, path string) { openPath(t, path) }, bolt.ErrLocked, ""},
		{"a store with a hole", func(t *testing.T, path string) {
			whole := filepath.Join(t.TempDir(), "whole.db")
			lived(t, whole, 50)
			b, err := os.ReadFile(whole)
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, append(b[:3*pageSize], make([]byte, len(b)-3*pageSize)...))
		}, bolt.ErrDamaged, ""},
		{"a database of something else", func(t *testing.T, path string) {
			edit(t, path, func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("theirs")); return err })
		}, bolt.ErrVersion, ""},
		{"a database of nothing", func(t *testing.T, path string) {
			edit(t, path, func(*bbolt.Tx) error { return nil })
		}, bolt.ErrEmpty, ""},
		{"a restored store", func(t *testing.T, path string) {
			lived(t, path, 5)
			if err := os.Remove(path + ".mark"); err != nil {
				t.Fatal(err)
			}
		}, bolt.ErrRestored, "check backup"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sessions.db")
			tt.make(t, path)
			before, _ := os.ReadFile(path)
			for name, do := range map[string]func() error{
				"check":   func() error { _, err := bolt.Check(path); return err },
				"compact": func() error { _, err := bolt.Compact(path); return err },
				"backup":  func() error { _, err := bolt.Backup(path, path+".copy"); return err },
			} {
				err := do()
				if err == nil && strings.Contains(tt.may, name) {
					continue
				}
				if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), path) {
					t.Errorf("%s: %v, want %v and the path", name, err, tt.want)
				}
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
			if left := leftovers(t, path, ".copy"); left != nil {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
