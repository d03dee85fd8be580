package main_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session"
)

// When the keys are lost for good, what the refusal says works: with the store
// moved aside a start makes all that is missing, tickets of before are a clean
// 401, and the same browser signs in again (J5, J6).
func TestKeysLost(t *testing.T) {
	for _, tt := range []struct {
		name string
		lose func(keys string) error
	}{
		{"no key file", os.Remove},
		{"an empty key file", func(keys string) error { return os.Truncate(keys, 0) }},
		{"another key", func(keys string) error { return os.WriteFile(keys, []byte(session.NewKey()+"\n"), 0o600) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, demo.ProviderConfig{})
			p := s.serve()
			u := s.user()
			u.signIn()
			p.stop()
			p.wait()
			if err := tt.lose(s.file("data/keys")); err != nil {
				t.Fatal(err)
			}
			if r := cloakroom(t, s.dir, "check"); r.code != 3 || !strings.Contains(r.stderr, "move the store aside: everybody signs in again") {
				t.Errorf("check = exit %d, %q, %q, want what serve says", r.code, r.stdout, r.stderr)
			}
			for range 2 { // a second attempt finds it as the first one did
				p = s.run("serve")
				if code := p.wait(); code == 0 || !strings.Contains(p.stderr.String(), "move the store aside: everybody signs in again") {
					t.Fatalf("exit %d, want a refusal with a remedy:\n%s", code, p.stderr)
				}
			}
			for _, name := range []string{"data/sessions.db", "data/sessions.db.mark"} {
				if err := os.Rename(s.file(name), s.file(name+".old")); err != nil {
					t.Fatal(err)
				}
			}
			if tt.name == "an empty key file" { // it goes too, says the remedy
				if err := os.Remove(s.file("data/keys")); err != nil {
					t.Fatal(err)
				}
			}
			p = s.serve()
			for _, call := range []struct{ method, path string }{{"GET", "/bff/user"}, {"GET", "/api/whoami"}} {
				if status, body := u.send(call.method, call.path); status != http.StatusUnauthorized || !strings.Contains(body, `"code":"signed_out"`) {
					t.Errorf("%s %s with the old ticket = %d %s, want 401 signed_out", call.method, call.path, status, body)
				}
			}
			if status, body := u.send("GET", "/bff/session"); status != http.StatusOK || !strings.Contains(body, `"authenticated":false`) {
				t.Errorf("/bff/session with the old ticket = %d %s", status, body)
			}
			u.signIn()
			if status, body := u.send("GET", "/api/whoami"); status != http.StatusOK {
				t.Errorf("a call after signing in again = %d %s", status, body)
			}
			for _, level := range []string{`"level":"ERROR"`, `"level":"WARN"`, "panic"} {
				for line := range strings.Lines(p.stderr.String()) {
					if strings.Contains(line, level) && !strings.Contains(line, "public_url is http") {
						t.Errorf("it complains: %s", line)
					}
				}
			}
			p.stop()
			if code := p.wait(); code != 0 {
				t.Errorf("exit %d:\n%s", code, p.stderr)
			}
		})
	}
}
