package main_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// J4, R13, experiment 29: a copy of the store that is put back after tokens were
// renewed is noticed. Nobody is signed in by it, and no refresh token of it is
// sent: the provider would take that for theft.
func TestRestoredCopyIsNoticed(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{AccessTTL: 2 * time.Second})
	u, p := s.user(), s.serve()
	u.signIn()
	end := func() {
		t.Helper()
		p.stop()
		if code := p.wait(); code != 0 {
			t.Fatalf("exit code %d:\n%s", code, p.stderr)
		}
	}
	end()
	copied, err := os.ReadFile(s.file("data/sessions.db"))
	if err != nil {
		t.Fatal(err)
	}

	p = s.serve()
	for renewals := 0; renewals == 0; renewals = len(s.provider.Calls("refresh")) {
		if status, body := u.send("GET", "/api/whoami"); status != http.StatusOK {
			t.Fatalf("got %d %s", status, body)
		}
	}
	end()
	sent := len(s.provider.Calls("refresh"))
	if err := os.WriteFile(s.file("data/sessions.db"), copied, 0o600); err != nil {
		t.Fatal(err)
	}

	p = s.serve()
	if status, body := u.send("GET", "/api/whoami"); status != http.StatusUnauthorized || !strings.Contains(body, `"signed_out"`) {
		t.Errorf("with a restored file: got %d %s, want a clean 401", status, body)
	}
	if got := len(s.provider.Calls("refresh")); got != sent {
		t.Errorf("%d refresh tokens of the copy were sent", got-sent)
	}
	if !strings.Contains(p.stderr.String(), `"msg":"store_restored"`) {
		t.Errorf("no event:\n%s", p.stderr)
	}
	u.signIn() // life goes on
	end()
	p = s.serve()
	if got := u.name(); got != "u-1001" {
		t.Errorf("after the next start: signed in as %q", got)
	}
}

// A store that is gone is not the first start: everybody is signed out by it, and
// that is told. What looks after stores calls the file empty, and says what that
// means.
func TestStoreGoneIsTold(t *testing.T) {
	for _, tt := range []struct {
		name string
		lose func(store string) error
	}{
		{"emptied", func(store string) error { return os.Truncate(store, 0) }},
		{"removed", os.Remove},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, demo.ProviderConfig{})
			u, p := s.user(), s.serve()
			u.signIn()
			p.stop()
			p.wait()
			if err := tt.lose(s.file("data/sessions.db")); err != nil {
				t.Fatal(err)
			}
			if tt.name == "emptied" {
				for _, args := range [][]string{{"check"}, {"compact"}, {"backup", "b.db"}} {
					s.storeCommand(1, "data/sessions.db\": empty: there is no store in it\nhint: the next start makes a new one, and everybody signs in again;", args...)
				}
			}
			p = s.serve()
			if got := u.name(); got != "" {
				t.Errorf("signed in as %q", got)
			}
			if !strings.Contains(p.stderr.String(), `"msg":"store_restored"`) || !strings.Contains(p.stderr.String(), `"found":"gone"`) {
				t.Errorf("no event:\n%s", p.stderr)
			}
			u.signIn()
			p.stop()
			p.wait()
			if p = s.serve(); strings.Contains(p.stderr.String(), "store_restored") || u.name() != "u-1001" {
				t.Errorf("after the next start %q is signed in:\n%s", u.name(), p.stderr)
			}
		})
	}
}
