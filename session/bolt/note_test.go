package bolt_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"github.com/cloakroom/cloakroom/session/bolt"
)

// A full disk keeps no store from opening that it kept from nothing before.
func TestNoteStaysOnFullDisk(t *testing.T) {
	path := stopped(t, 10)
	noted := readMark(t, path)
	var marks markOpener
	var log bytes.Buffer
	full := error(syscall.ENOSPC)
	marks.err.Store(&full)
	s, err := bolt.Open(bolt.Options{Path: path, OpenFile: marks.open, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	f := fixture{t, s}
	f.create(50, filing())
	f.wantError("Close", f.Close(), nil)
	if got := readMark(t, path); got != noted {
		t.Errorf("mark = %q, want what it was", got)
	}
	if got := strings.Count(log.String(), "level=ERROR"); got != 1 {
		t.Errorf("the log says: %s, want one line", &log)
	}
	rot(t, path, func(b []byte) { b[leafOf(t, path, b, 5)*pageSize] ^= 1 })
	if _, err := bolt.Open(bolt.Options{Path: path}); !errors.Is(err, bolt.ErrDamaged) {
		t.Errorf("Open: %v, want ErrDamaged: the note is not of this transaction", err)
	}
}

// What moves while the patrol goes round is not taken for damage, nor is a file
// that never stops growing.
func TestPatrolWhileWriting(t *testing.T) {
	s := openPath(t, stopped(t, 500))
	f := fixture{t, s}
	stop := busy(f, 8)
	for range 3 {
		f.wantError("LookAround", s.LookAround(t.Context()), nil)
	}
	t.Logf("%d changes meanwhile", stop())
}
