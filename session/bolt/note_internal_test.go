package bolt

import (
	"os"
	"path/filepath"
	"testing"
)

// Versions of the program that know no notes read all points of a mark as those of
// stores. They must find in it that the file is the one that it speaks of.
func TestNoteIsReadByOlderVersions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	s, err := Open(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	at := point{s.marker.id, s.marker.reached.Load()}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	all, err := readPoints(path)
	if err != nil || len(all) != 2 || all[1] != at.note(info) {
		t.Fatalf("mark = %v, %v, want a point and its note", all, err)
	}
	if reason, restored := all.judge(at); restored {
		t.Errorf("an older version takes the file for restored: %s", reason)
	}
	at.txid--
	if reason, _ := all.judge(at); reason != Behind {
		t.Errorf("an older version says %q of an older file, want %q", reason, Behind)
	}
	if m, err := readMark(path); err != nil || len(m) != 1 {
		t.Errorf("readMark = %v, %v, want no note", m, err)
	}
}
