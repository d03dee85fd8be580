package main_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session"
)

// check tells what serve would say of keys and store, and leaves the store as it
// is: one that was put back keeps its sessions until a start (J4, J6).
func TestCheckOpensTheStore(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	p := s.serve()
	u := s.user()
	u.signIn()
	const inUse = "  data/sessions.db is in use, so whether the keys in data/keys open it could not be looked at\n"
	if r := cloakroom(t, s.dir, "check"); r.code != 0 || !strings.Contains(r.stdout, inUse) {
		t.Errorf("check while it runs = exit %d, %q, %q, want exit 0 and %q", r.code, r.stdout, r.stderr, inUse)
	}
	p.stop()
	p.wait()
	store, mark, keys := s.file("data/sessions.db"), s.file("data/sessions.db.mark"), s.file("data/keys")
	sound, err := os.ReadFile(store)
	if err != nil {
		t.Fatal(err)
	}
	put := func(file string, content []byte) func() error {
		return func() error { return os.WriteFile(file, content, 0o600) }
	}
	for _, tt := range []struct {
		name   string
		change func() error
		code   int
		want   string
	}{
		{"keys that open it", func() error { return nil }, 0, "config.yaml: ok"},
		{"a store that is gone", func() error { return os.Rename(store, store+".old") }, 0,
			"There is no store, but data/sessions.db.mark speaks of one: the next start makes a new one, and everybody signs in again."},
		{"a store without its mark", func() error { return errors.Join(os.Rename(store+".old", store), os.Rename(mark, mark+".old")) }, 0,
			"This is not the state that data/sessions.db.mark speaks of (no_mark): the next start removes all sessions."},
		{"other keys, and no mark", put(keys, []byte(session.NewKey()+"\n")), 3,
			"the keys in data/keys do not open data/sessions.db\nhint: restore the key file that was used with this store"},
		{"a damaged store", put(store, sound[:3*os.Getpagesize()]), 1, "damaged"},
		{"an empty store", put(store, nil), 0, "config.yaml: ok"},
	} {
		before := make([][]byte, 2)
		if err := tt.change(); err != nil {
			t.Fatal(err)
		}
		for i, file := range []string{store, mark} {
			before[i], _ = os.ReadFile(file)
		}
		r := cloakroom(t, s.dir, "check")
		if said := strings.Contains(r.stderr, "the next start"); said != strings.Contains(tt.want, "the next start") {
			t.Errorf("%s: check says %q of the next start, want %q", tt.name, r.stderr, tt.want)
		}
		if r.code != tt.code || !strings.Contains(r.stdout+r.stderr, tt.want) || strings.Contains(r.stdout, "is in use") || (r.code == 0) != (r.stdout != "") {
			t.Errorf("%s: check = exit %d, %q, %q, want exit %d and %q", tt.name, r.code, r.stdout, r.stderr, tt.code, tt.want)
		}
		for i, file := range []string{store, mark} {
			if after, _ := os.ReadFile(file); !bytes.Equal(after, before[i]) {
				t.Errorf("%s: check changed %s", tt.name, file)
			}
		}
	}
}
