package main_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// TestCustodyOptions proves that what is written in the file reaches whoever
// acts on it.
func TestCustodyOptions(t *testing.T) {
	refused := func(u *user) int {
		status, _ := u.send("GET", "/bff/login", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "none")
		return status
	}
	for _, tt := range []struct {
		name, option string
		try          func(*testing.T, *site)
	}{
		{"sign_ins", "limits: {rates: {sign_ins: 2}}", func(t *testing.T, s *site) { // K2
			for i, want := range []int{http.StatusFound, http.StatusFound, http.StatusTooManyRequests} {
				if got := refused(s.user()); got != want {
					t.Errorf("sign-in %d = %d, want %d", i+1, got, want)
				}
			}
		}},
		{"callbacks", "limits: {rates: {callbacks: 1}}", func(t *testing.T, s *site) { // K2
			for _, want := range []int{http.StatusBadRequest, http.StatusTooManyRequests} {
				if status, body := s.user().send("GET", "/bff/callback?state=x"); status != want {
					t.Errorf("a stray callback = %d %s, want %d", status, body, want)
				}
			}
			s.user().signIn()
			u := s.user()
			callback, err := s.provider.SignIn(u.hc, s.origin+"/bff/login", "bob")
			if err != nil {
				t.Fatal(err)
			}
			if status, body := u.send("GET", strings.TrimPrefix(callback.String(), s.origin)); status != http.StatusTooManyRequests {
				t.Errorf("the second sign-in that comes back = %d %s, want 429", status, body)
			}
		}},
		{"renewals", "limits: {rates: {renewals: 1}}", func(t *testing.T, s *site) { // K2
			u := s.user()
			u.signIn()
			for _, want := range []int{http.StatusOK, http.StatusTooManyRequests} {
				if got, body := u.send("POST", "/bff/session/renew"); got != want {
					t.Errorf("renewal = %d %s, want %d", got, body, want)
				}
			}
		}},
		{"sessions_in_memory", "limits: {sessions_in_memory: 100}", func(t *testing.T, s *site) {
			first := s.user()
			first.signIn()
			for range 100 {
				s.user().signIn()
			}
			for tick := time.Tick(50 * time.Millisecond); ; <-tick { // 101 until a session was unused for a second
				if _, text := s.ask("/metrics", nil); strings.Contains(text, "\ncloakroom_sessions_in_memory 94\n") {
					break
				}
			}
			if status, body := first.send("GET", "/api/whoami"); status != http.StatusOK {
				t.Errorf("a call of the first = %d %s", status, body)
			}
		}},
		{"bind", "session: {bind: strict}", func(t *testing.T, s *site) { // E17
			u := s.user()
			u.signIn()
			if got, body := u.send("GET", "/bff/user", "User-Agent", "Thief/1"); got != http.StatusUnauthorized || u.name() != "" {
				t.Errorf("another browser = %d %s, want 401 and the session's end", got, body)
			}
		}},
		{"max_per_user", "session: {max_per_user: 1}", func(t *testing.T, s *site) { // E13
			first, second := s.user(), s.user()
			first.signIn()
			second.signIn()
			if first.name() != "" || second.name() == "" {
				t.Errorf("the older session is %q's, the newer %q's; want the older ended", first.name(), second.name())
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, demo.ProviderConfig{})
			text := s.config("session: {renew_timeout: 5s}\n", "")
			write(t, s.dir, "config.yaml", text+tt.option+"\n")
			p := s.serve()
			tt.try(t, s)
			p.stop()
			p.wait()
		})
	}
}

// logout_typ is in one of the client's own words.
func TestLogoutTypIsKnown(t *testing.T) {
	for _, word := range []string{"required", "any"} {
		dir := t.TempDir()
		write(t, dir, "config.yaml", strings.Replace(minimal, "client_id: spa", "client_id: spa\n    logout_typ: "+word, 1))
		if r := cloakroom(t, dir, "check"); r.code != 0 {
			t.Errorf("check with logout_typ: %s = exit %d, %q", word, r.code, r.stderr)
		}
	}
}
