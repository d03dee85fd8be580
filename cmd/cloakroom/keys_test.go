package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/session"
)

func TestKeysNewPrints(t *testing.T) {
	first, second := cloakroom(t, t.TempDir(), "keys", "new"), cloakroom(t, t.TempDir(), "keys", "new")
	for _, r := range []result{first, second} {
		if ring, err := session.ParseKeyring([]byte(r.stdout)); r.code != 0 || err != nil || ring.Len() != 1 || r.stderr != "" {
			t.Errorf("keys new = exit %d, %q, %q, want one key and nothing else", r.code, r.stdout, r.stderr)
		}
	}
	if first.stdout == second.stdout {
		t.Error("keys new printed the same key twice")
	}
}

// TestKeysNewFile proves that a new key goes first and that nothing else in the
// file changes (J5).
func TestKeysNewFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys")
	read := func() string {
		t.Helper()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if r := cloakroom(t, dir, "keys", "new", "keys"); r.code != 0 || r.stdout != "" {
		t.Fatalf("keys new keys = exit %d, stdout %q, want exit 0 and the key in the file only: %s", r.code, r.stdout, r.stderr)
	}
	if r := cloakroom(t, dir, "keys", "new", "other"); r.stderr != "made other with its first key\nIt opens no store that there is already: what was sealed with another key file needs that one.\n" {
		t.Errorf("keys new other said %q", r.stderr)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode of a new key file = %v, %v, want 0600", info.Mode(), err)
	}

	before := "# the first\n" + read()
	if err := os.WriteFile(path, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("keys", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if r := cloakroom(t, dir, "keys", "new", "link"); r.code != 0 || !strings.Contains(r.stderr, "added; 2 keys now") {
		t.Fatalf("keys new = exit %d, %q, want exit 0 and the number of keys", r.code, r.stderr)
	}
	after := read()
	if !strings.HasSuffix(after, "=\n"+before) || strings.Count(after, "\n") != 3 {
		t.Errorf("the file with a second key:\n%s\nwant one new line before:\n%s", after, before)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode after a second key = %v, %v, want 0600", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.new")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestKeysNewRefuses proves that what is no key file is never written to.
func TestKeysNewRefuses(t *testing.T) {
	for _, tt := range []struct{ name, file, content, want string }{
		{"a configuration", "config.yaml", minimal, "line 1: not base64"},
		{"a short key", "keys", "c2hvcnQ=\n", "a key has 32 bytes"},
		{"a folder that isn't there", "missing/keys", "", "the folder missing does not exist"},
		{"another one at work", "keys", "", "was cut off: remove that file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if tt.content != "" {
				write(t, dir, tt.file, tt.content)
			}
			if tt.name == "another one at work" {
				write(t, dir, "keys.new", "")
			}
			r := cloakroom(t, dir, "keys", "new", tt.file)
			if r.code != 1 || !strings.Contains(r.stderr, tt.want) {
				t.Errorf("keys new = exit %d, %q, want exit 1 and %q", r.code, r.stderr, tt.want)
			}
			data, _ := os.ReadFile(filepath.Join(dir, tt.file))
			if string(data) != tt.content {
				t.Errorf("the file was changed to %q", data)
			}
		})
	}
}
