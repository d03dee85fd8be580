package main_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session"
)

// fields are the columns of one line of "keys list", without the last.
func fields(line string) string { return strings.Join(strings.Fields(line)[1:4], " ") }

// keys list counts what each key seals, running or not, and says the same (J5).
func TestKeysList(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	if r := cloakroom(t, s.dir, "keys", "list"); r.code != 1 || !strings.Contains(r.stderr, "there is no key file") || !strings.Contains(r.stderr, "the first start makes it") {
		t.Errorf("before the first start: exit %d, %q", r.code, r.stderr)
	}
	if err := os.MkdirAll(s.file("data/keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	if r := cloakroom(t, s.dir, "keys", "list"); r.code != 1 || !strings.Contains(r.stderr, "data/keys: can't read the file: is a directory") {
		t.Errorf("with a folder for a key file: exit %d, %q", r.code, r.stderr)
	}
	if err := os.Remove(s.file("data/keys")); err != nil {
		t.Fatal(err)
	}
	p := s.serve()
	for range 3 {
		s.user().signIn()
	}
	first, err := os.ReadFile(s.file("data/keys"))
	if err != nil {
		t.Fatal(err)
	}
	if lines := s.listKeys(); len(lines) != 1 || fields(lines[0]) != "3 3 0" || !strings.HasSuffix(lines[0], "no: it seals") {
		t.Errorf("keys list = %q, want 3 sessions under the one key", lines)
	}
	second := session.NewKey() + "\n"
	write(t, s.dir, "data/keys", string(first)+second)
	p.hup(`"keys":2`)
	if lines := s.listKeys(); len(lines) != 2 || fields(lines[1]) != "0 0 0" || !strings.HasSuffix(lines[1], "yes, unless it is to seal soon: it never did here") {
		t.Errorf("keys list = %q, want a key in second place that seals nothing", lines)
	}
	write(t, s.dir, "data/keys", second+string(first))
	p.hup(`"keys":2,"added":0`)
	s.user().signIn()
	// The heads of sessions in use follow by themselves, tokens when they are renewed.
	if !every(50*time.Millisecond, func() bool { return fields(s.listKeys()[0]) == "4 1 0" }) {
		t.Errorf("keys list = %q, want all heads under the new key", s.listKeys())
	}
	for _, state := range []string{"running", "stopped"} {
		lines := s.listKeys()
		if len(lines) != 2 || fields(lines[0]) != "4 1 0" || fields(lines[1]) != "0 3 0" || !strings.Contains(lines[1], " UTC  not before 2") {
			t.Errorf("%s: keys list = %q, want all heads and one session's tokens under the new key, three under the older", state, lines)
		}
		if strings.Contains(lines[0], "not before") || !strings.HasSuffix(lines[0], "no: it seals") {
			t.Errorf("%s: keys list = %q, want the first key sealing", state, lines)
		}
		if state == "running" {
			p.stop()
			p.wait()
		}
	}
	// A key that went too early shows: what it sealed does not open.
	write(t, s.dir, "data/keys", second)
	lines := s.listKeys()
	if len(lines) != 2 || fields(lines[1]) != "0 3 0" || !strings.HasSuffix(lines[1], "it is not in keys_file: what it sealed does not open") {
		t.Errorf("keys list = %q, want the key that is missing", lines)
	}
	write(t, s.dir, "data/keys", session.NewKey())
	if r := cloakroom(t, s.dir, "keys", "list"); r.code != 3 || !strings.Contains(r.stderr, "do not open") {
		t.Errorf("with the wrong keys: exit %d, %q", r.code, r.stderr)
	}
}

// keys list makes nothing: neither a store nor keys.
func TestKeysListMakesNothing(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "config.yaml", minimal)
	write(t, dir, "data/keys", session.NewKey()+"\n"+session.NewKey()+"\n")
	r := cloakroom(t, dir, "keys", "list")
	if r.code != 0 || strings.Count(r.stdout, "\n") != 3 {
		t.Errorf("keys list = exit %d, %q, %q", r.code, r.stdout, r.stderr)
	}
	if files, err := os.ReadDir(dir + "/data"); err != nil || len(files) != 1 {
		t.Errorf("keys list made files: %v, %v", files, err)
	}
}

// While the file holds what the server did not take, keys list says so.
func TestKeysListFileDiffers(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	s.serve()
	for _, tt := range []struct{ content, want string }{
		{"no sense", "keys_file can't be used as it is now, and the server goes on without it"},
		{session.NewKey(), "keys_file holds other keys than the server has"},
	} {
		write(t, s.dir, "data/keys", tt.content)
		if r := cloakroom(t, s.dir, "keys", "list"); r.code != 0 || !strings.Contains(r.stderr, tt.want) {
			t.Errorf("keys list = exit %d, %q, want exit 0 and %q", r.code, r.stderr, tt.want)
		}
	}
}

// Keys that do not fit change nothing while serving: who is signed in stays so,
// others sign in, and the right file is taken when it is back (J5).
func TestWrongKeysWhileServing(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	p := s.serve()
	u := s.user()
	u.signIn()
	right, err := os.ReadFile(s.file("data/keys"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ keys, want string }{
		{session.NewKey() + "\n", "the key that seals now ("},
		{"# nothing\n", "there is no key"},
	} {
		write(t, s.dir, "data/keys", tt.keys)
		p.hup(tt.want)
		other := s.user()
		other.signIn()
		if got := u.name(); got != "u-1001" {
			t.Errorf("after %q, signed in as %q", tt.want, got)
		}
	}
	// Nobody has to ask: the file is looked at every few seconds.
	write(t, s.dir, "data/keys", session.NewKey()+"\n"+string(right))
	if !p.stderr.until(`"keys":2,"added":1,"removed":0`, p.ended) {
		t.Errorf("the right keys were not noticed:\n%s", p.stderr)
	}
	if got := u.name(); got != "u-1001" {
		t.Errorf("with the right keys again, signed in as %q", got)
	}
}

// A key that is removed although it still seals sessions is told of at once; its
// line put back in time, nobody notices (J5).
func TestKeyRemovedTooEarly(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	p := s.serve()
	u := s.user()
	u.signIn()
	old, err := os.ReadFile(s.file("data/keys"))
	if err != nil {
		t.Fatal(err)
	}
	added := session.NewKey() + "\n"
	write(t, s.dir, "data/keys", added+string(old))
	p.hup(`"keys":2,"added":1,"removed":0`)
	if strings.Contains(p.stderr.String(), "removed too early") {
		t.Error("it warns of a key that is there")
	}
	write(t, s.dir, "data/keys", added)
	p.hup("a key was removed too early")
	if !strings.Contains(p.stderr.String(), `"sessions":1,"tokens":1,"revocations":0`) {
		t.Errorf("it does not count what is lost:\n%s", p.stderr)
	}
	if got := u.name(); got != "" {
		t.Errorf("with a ticket whose key is gone, signed in as %q", got)
	}
	write(t, s.dir, "data/keys", added+string(old))
	p.hup("")
	if !p.stderr.untilTimes(`"keys":2,"added":1,"removed":0`, 2, p.ended) {
		t.Fatalf("the key that is back was not noticed:\n%s", p.stderr)
	}
	if got := u.name(); got != "u-1001" {
		t.Errorf("with the key back, signed in as %q", got)
	}
}
