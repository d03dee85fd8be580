package main_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// keys list looks and does not touch: in front of a store without its mark, which
// a start would take for an old copy, it says so, and nobody is signed out. With
// the mark in its place again all is as it was (J4, J5).
func TestKeysListKeepsSessions(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	p := s.serve()
	u := s.user()
	u.signIn()
	p.stop()
	p.wait()
	store, mark := s.file("data/sessions.db"), s.file("data/sessions.db.mark")
	kept, err := os.ReadFile(mark)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(store)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, want string
		lose       func() error
	}{
		{"no mark", "bring the file that ends in .mark too", func() error { return os.Remove(mark) }},
		{"another mark", "bring the file that ends in .mark too", func() error { return os.WriteFile(mark, []byte("nonsense\n"), 0o600) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.lose(); err != nil {
				t.Fatal(err)
			}
			r := cloakroom(t, s.dir, "keys", "list")
			if r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, tt.want) || !strings.Contains(r.stderr, "data/sessions.db") {
				t.Errorf("keys list = exit %d, %q, %q, want exit 1 and %q", r.code, r.stdout, r.stderr, tt.want)
			}
			if after, err := os.ReadFile(store); err != nil || !bytes.Equal(after, before) {
				t.Errorf("keys list changed the store: %v", err)
			}
		})
	}
	if err := os.WriteFile(mark, kept, 0o600); err != nil {
		t.Fatal(err)
	}
	if lines := s.listKeys(); len(lines) != 1 || fields(lines[0]) != "1 1 0" {
		t.Errorf("keys list = %q, want the one session", lines)
	}
	s.serve()
	if got := u.name(); got != "u-1001" {
		t.Errorf("with the mark back, signed in as %q", got)
	}
}

// Without its key file a store is what it is for check and serve: the keys are to
// be restored, and nobody is led to make new ones (J5).
func TestKeysListWithoutKeys(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "config.yaml", minimal+"admin: {listen: '127.0.0.1:1'}\n")
	write(t, dir, "data/sessions.db", "x")
	for _, want := range []string{
		"data/keys is missing, but data/sessions.db was sealed with it", "data/keys holds no key, but data/sessions.db was sealed with one",
	} {
		r := cloakroom(t, dir, "keys", "list")
		if r.code != 3 || !strings.Contains(r.stderr, want) ||
			!strings.Contains(r.stderr, "hint: restore the key file") || strings.Contains(r.stderr, "keys new") {
			t.Errorf("keys list = exit %d, %q, want exit 3 and to restore the file", r.code, r.stderr)
		}
		write(t, dir, "data/keys", "")
	}
}
