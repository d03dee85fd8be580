package main_test

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session"
)

// The program does its main job: sign in, call, sign out.
func TestServe(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{AccessTTL: time.Minute})
	p := s.serve()
	u := s.user()
	if status, _ := u.send("GET", "/api/whoami"); status != http.StatusUnauthorized {
		t.Errorf("a call without session = %d, want 401", status)
	}
	u.signIn()
	if status, body := u.send("GET", "/api/whoami"); status != http.StatusOK || !strings.Contains(body, `"sub":"u-1001"`) {
		t.Errorf("a call = %d %s", status, body)
	}
	if status, body := u.send("GET", "/"); status != http.StatusOK || body != "<title>app</title>" {
		t.Errorf("the app = %d %s", status, body)
	}
	if status, _ := u.send("OPTIONS", "/api/whoami", "Access-Control-Request-Method", "GET"); status != http.StatusForbidden {
		t.Errorf("a preflight = %d, want 403", status)
	}
	if got := s.raw("OPTIONS * HTTP/1.1\r\nHost: evil.example\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 421 ") {
		t.Errorf("OPTIONS * = %s, want 421", got)
	}
	if status, _ := u.send("POST", "/bff/logout"); status != http.StatusOK || u.name() != "" {
		t.Errorf("logout = %d, then signed in as %q", status, u.name())
	}
	for _, name := range []string{"data/keys", "data/sessions.db"} {
		if info, err := os.Stat(s.file(name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v, want mode 0600", name, info, err)
		}
	}
	p.stop()
	if code := p.wait(); code != 0 {
		t.Errorf("exit %d:\n%s", code, p.stderr)
	}
	// Nothing but log lines, and nothing on standard output.
	for _, line := range strings.Split(strings.TrimSpace(p.stderr.String()), "\n") {
		if !strings.HasPrefix(line, `{"time":"`) {
			t.Errorf("a line that is no log line: %s", line)
		}
	}
	if p.stdout.String() != "" {
		t.Errorf("standard output: %s", p.stdout)
	}
}

// Sessions outlive a stop, and a kill too (J10, R26).
func TestServeRestart(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{AccessTTL: time.Minute})
	p := s.serve()
	u := s.user()
	u.signIn()
	for _, end := range []func(){
		func() { p.stop(); p.wait() },
		func() { p.kill() },
		func() { p.stop(); p.wait() },
	} {
		end()
		p = s.serve()
		if got := u.name(); got != "u-1001" {
			t.Fatalf("after a restart signed in as %q:\n%s", got, p.stderr)
		}
		if status, body := u.send("GET", "/api/whoami"); status != http.StatusOK {
			t.Errorf("after a restart a call = %d %s", status, body)
		}
	}
	if n := len(s.provider.Calls("token")); n != 1 {
		t.Errorf("%d token calls, want 1", n)
	}
}

// A second process on the same file, or a port that is taken, ends the start with
// words that help.
func TestServeRefusesToStart(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	first := s.serve()
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.origin, "http://"))
	_, adminPort, _ := net.SplitHostPort(s.admin)
	otherStore := "store: {bolt: {path: other/sessions.db}}\n"
	tests := []struct {
		name string
		edit []string
		more string
		want []string
	}{
		{"keys that others can read", []string{"127.0.0.1:" + port, "127.0.0.1:0", s.admin, "127.0.0.1:0"}, "",
			[]string{"keys_file", "warning"}},
		{"same store", []string{"127.0.0.1:" + port, "127.0.0.1:0", s.admin, "127.0.0.1:0"}, "",
			[]string{"sessions.db", "in use by another process"}},
		{"same port", []string{s.admin, "127.0.0.1:0"}, otherStore,
			[]string{"cloakroom: listen 127.0.0.1:" + port + ": bind: address already in use\nhint: is another process using this address?"}},
		{"same admin port", []string{"127.0.0.1:" + port, "127.0.0.1:0"}, otherStore,
			[]string{"admin.listen 127.0.0.1:" + adminPort + ": bind: address already in use\nhint: is another process using this address? Change admin.listen"}},
		{"another machine's address", []string{"127.0.0.1:" + port, "192.0.2.1:0", s.admin, "127.0.0.1:0"}, otherStore,
			[]string{"listen 192.0.2.1:0: bind: cannot assign requested address\nhint: this machine has no such address"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			write(t, s.dir, "second.yaml", s.config(tt.edit...)+tt.more)
			if tt.name == "keys that others can read" {
				if err := os.Chmod(filepath.Join(s.dir, "data/keys"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			p := s.run("serve", "-c", "second.yaml")
			if code := p.wait(); code != 1 {
				t.Errorf("exit %d, want 1", code)
			}
			for _, want := range tt.want {
				if !strings.Contains(p.stderr.String(), want) {
					t.Errorf("it says nothing of %q:\n%s", want, p.stderr)
				}
			}
		})
	}
	if status, _ := s.user().send("GET", "/"); status != http.StatusOK {
		t.Errorf("the first one answers %d", status)
	}
	first.stop()
	first.wait()
}

// With another key file the start is refused, and nothing is lost: with the right
// one everybody is signed in still (J5). With a new key before the old one too.
func TestServeKeys(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	p := s.serve()
	u := s.user()
	u.signIn()
	p.stop()
	p.wait()
	right, err := os.ReadFile(s.file("data/keys"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ keys, want string }{
		{session.NewKey() + "\n", "do not open"},
		{"", "data/keys is missing, but"},
	} {
		if write(t, s.dir, "data/keys", tt.keys); tt.keys == "" {
			_ = os.Remove(s.file("data/keys"))
		}
		p = s.run("serve")
		if code := p.wait(); code != 3 || !strings.Contains(p.stderr.String(), tt.want) || !strings.Contains(p.stderr.String(), "restore the key file") {
			t.Errorf("exit %d, want 3 and %q:\n%s", code, tt.want, p.stderr)
		}
	}
	for _, keys := range []string{string(right), session.NewKey() + "\n" + string(right)} {
		write(t, s.dir, "data/keys", keys)
		p = s.serve()
		if got := u.name(); got != "u-1001" {
			t.Errorf("signed in as %q", got)
		}
		p.stop()
		p.wait()
	}
}
