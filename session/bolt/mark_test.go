package bolt_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session/bolt"
)

func readMark(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path + ".mark")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func wantMark(t *testing.T, path, point string) {
	t.Helper()
	if got := readMark(t, path); !strings.Contains(got, " "+point+" ") {
		t.Errorf("mark = %q, want one that names %s", got, point)
	}
}

// J4: a store has its mark before anybody can use it: one line, for its owner
// alone.
func TestMarkOfNewStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	s := openPath(t, path)
	mark := readMark(t, path)
	if id, _, _ := strings.Cut(s.Point(), ":"); !strings.HasPrefix(mark, "cloakroom-mark v1 "+id+":") {
		t.Errorf("mark = %q, want the store's id %s in it", mark, id)
	}
	if strings.Count(mark, "\n") != 1 || !strings.HasSuffix(mark, "\n") {
		t.Errorf("mark = %q, want one line", mark)
	}
	info, err := os.Stat(path + ".mark")
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode of the mark = %v, %v, want 0600", info.Mode(), err)
	}
	if _, restored := s.Restored(); restored {
		t.Error("a new store was restored, it says")
	}
}

// markOpener counts and can refuse the writing of marks.
type markOpener struct {
	writes atomic.Int32
	err    atomic.Pointer[error]
}

func (m *markOpener) open(name string, flag int, perm os.FileMode) (*os.File, error) {
	if strings.HasSuffix(name, ".mark.new") {
		if err := m.err.Load(); err != nil {
			return nil, &os.PathError{Op: "open", Path: name, Err: *err}
		}
		m.writes.Add(1)
	}
	return os.OpenFile(name, flag, perm)
}

// The mark follows the commits, at most every five seconds, and is exact after
// Close. While nothing is written nothing is marked.
func TestMarkFollows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	synctest.Test(t, func(t *testing.T) {
		var marks markOpener
		s, err := bolt.Open(bolt.Options{Path: path, OpenFile: marks.open})
		if err != nil {
			t.Fatal(err)
		}
		f := fixture{t, s}
		wait := func(d time.Duration) { time.Sleep(d); synctest.Wait() }
		wantWrites := func(when string, want int32) {
			t.Helper()
			if got := marks.writes.Swap(0); got != want {
				t.Errorf("%s: %d marks written, want %d", when, got, want)
			}
		}
		wait(10 * time.Second)
		wantWrites("at first", 2) // before the first transaction and after it
		wantMark(t, path, s.Point())

		f.create(1, filing())
		synctest.Wait()
		wantMark(t, path, s.Point())
		first := s.Point()
		for i := 2; i < 40; i++ {
			f.create(i, filing())
			wait(100 * time.Millisecond)
		}
		wantMark(t, path, first)
		wait(2 * time.Second)
		wantWrites("in five seconds", 2)
		wantMark(t, path, s.Point())

		wait(time.Hour)
		wantWrites("in an idle hour", 0)
		for i := range 600 {
			f.create(100+i, filing())
			wait(100 * time.Millisecond)
		}
		if got := marks.writes.Swap(0); got < 12 || got > 14 {
			t.Errorf("%d marks written in a busy minute, want one every five seconds", got)
		}
		f.create(99, filing())
		last := s.Point()
		f.wantError("Close", f.Close(), nil)
		wantMark(t, path, last)
	})
	mustBeSound(t, path)
}

// A mark that cannot be written costs nobody a session. It is told once, and
// made up for.
func TestMarkUnwritable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	synctest.Test(t, func(t *testing.T) {
		var marks markOpener
		var log bytes.Buffer
		s, err := bolt.Open(bolt.Options{Path: path, OpenFile: marks.open, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		f := fixture{t, s}
		full := error(syscall.ENOSPC)
		marks.err.Store(&full)
		for i := range 20 {
			f.create(i, filing())
			time.Sleep(3 * time.Second)
			f.wantError("Ping", f.Ping(t.Context()), nil)
			f.wantRecord(i, record(i))
		}
		synctest.Wait()
		if got := strings.Count(log.String(), "level=ERROR"); got != 1 || !strings.Contains(log.String(), "no space left") {
			t.Errorf("the log says, %d times: %s, want once, with the cause", got, &log)
		}
		marks.err.Store(nil)
		time.Sleep(5 * time.Second) // nothing is committed meanwhile
		synctest.Wait()
		wantMark(t, path, s.Point())
		if got := strings.Count(log.String(), "level=INFO"); got != 1 {
			t.Errorf("the log says: %s, want one line that it is well again", &log)
		}
		marks.err.Store(&full)
		f.create(50, filing())
		f.wantError("Close", f.Close(), nil)
	})
	// The mark is behind the file, and that is how it may be.
	s := openPath(t, path)
	if r, restored := s.Restored(); restored {
		t.Errorf("Restored = %v: a file that is ahead of its mark was not restored", r)
	}
	f := fixture{t, s}
	f.wantRecord(50, record(50))
}

// That nobody can tell whether a file was restored is no reason to drop
// everything, nor to go on.
func TestMarkUnreadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	f := fixture{t, openPath(t, path)}
	f.create(1, filing())
	f.wantError("Close", f.Close(), nil)
	aside := path + ".aside"
	if err := errors.Join(os.Rename(path+".mark", aside), os.Mkdir(path+".mark", 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, err := bolt.Open(bolt.Options{Path: path}); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("Open: %v, want EISDIR", err)
	}
	if err := errors.Join(os.Remove(path+".mark"), os.Rename(aside, path+".mark")); err != nil {
		t.Fatal(err)
	}
	f.Store = openPath(t, path)
	f.wantRecord(1, record(1))
}
