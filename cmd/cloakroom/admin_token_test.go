package main_test

import (
	"os"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// The admin token is made at the first start, for its owner's eyes only, and
// stays the same from then on. Nobody's token is printed (N1).
func TestAdminTokenMade(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	p := s.serve()
	token := s.token()
	info, err := os.Stat(s.file("data/admin-token"))
	if err != nil || info.Mode().Perm() != 0o600 || len(token) != 43 {
		t.Errorf("the token's file: %v, %v, %d characters, want mode 0600 and 43", info.Mode(), err, len(token))
	}
	p.stop()
	p.wait()
	s.serve()
	if s.token() != token {
		t.Error("a restart made another token")
	}
	other := newSite(t, demo.ProviderConfig{})
	other.serve()
	if other.token() == token {
		t.Error("two servers made the same token")
	}
}

// A token that can be guessed or can't be sent is refused before anything
// starts, one that others may read is warned of, and none is printed.
func TestAdminTokenRefused(t *testing.T) {
	const good = "an-operators-own-token-0123456789-abcdef"
	for _, tt := range []struct {
		name, token string
		mode        os.FileMode
		code        int
		said        string
	}{
		{"good", good + "\n", 0o600, 0, ""},
		{"readable by others", good, 0o644, 0, "warning"},
		{"empty", "", 0o600, 3, "the token has 0 characters, want 32 or more; is this really the admin token's file? If so, remove it"},
		{"a line's end", "\n", 0o600, 3, "has 0 characters"},
		{"too short", good[:31], 0o600, 3, "the token has 31 characters"},
		{"just long enough", good[:32], 0o600, 0, ""},
		{"two lines", good + "\n" + good, 0o600, 3, "must be one line of ASCII text without spaces"},
		{"a space", good + " x", 0o600, 3, "without spaces"},
		{"binary", good + "\x00\xff", 0o600, 3, "without spaces"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "config.yaml", minimal)
			write(t, dir, "data/admin-token", tt.token)
			if err := os.Chmod(dir+"/data/admin-token", tt.mode); err != nil {
				t.Fatal(err)
			}
			r := cloakroom(t, dir, "check")
			if r.code != tt.code || !strings.Contains(r.stderr, tt.said) || (tt.said == "") != (r.stderr == "") {
				t.Errorf("check = exit %d, %q, want exit %d and %q", r.code, r.stderr, tt.code, tt.said)
			}
			if r.stderr != "" && !strings.Contains(r.stderr, "admin.token_file: ") {
				t.Errorf("check does not name the option: %q", r.stderr)
			}
			if strings.Contains(r.stdout+r.stderr, good[:20]) {
				t.Error("check printed the token")
			}
		})
	}
}
