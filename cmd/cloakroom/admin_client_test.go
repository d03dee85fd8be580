package main_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// A command that asks a running server says what is wrong when it can't, and
// what to do; it needs none of the service's secrets.
func TestAdminClient(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	s.serve()
	noSecret := strings.Replace(s.config(), "client_secret: "+canary, "client_secret: '${NOT_SET_HERE}'", 1)
	for _, tt := range []struct {
		name, config string
		code         int
		want         []string
	}{
		{"without the service's secrets", noSecret, 0, []string{"no: it seals"}},
		{"another token", s.config(s.admin, s.admin+`", token_file: "other`), 1,
			[]string{"the server refuses the token in ", "is this the configuration that it was started with?"}},
		{"no token", s.config(s.admin, s.admin+`", token_file: "missing`), 1,
			[]string{"the server runs, but admin.token_file (missing) can't be used", "is this the configuration"}},
		{"a folder as token", s.config(s.admin, s.admin+`", token_file: "data`), 1,
			[]string{"is a directory", "with which the server was started"}},
		{"a short token", s.config(s.admin, s.admin+`", token_file: "short`), 1, []string{"has 5 characters"}},
		{"an address that can't be read", s.config(s.admin, "${NOT_SET_HERE}"), 3, []string{"admin.listen", "NOT_SET_HERE"}},
		{"no configuration", "", 3, []string{"name another with --config"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			write(t, s.dir, "other", strings.Repeat("A", 43))
			write(t, s.dir, "short", "short")
			write(t, s.dir, "client.yaml", tt.config)
			if tt.config == "" {
				_ = os.Remove(s.file("client.yaml"))
			}
			r := cloakroom(t, s.dir, "keys", "list", "-c", "client.yaml")
			for _, want := range tt.want {
				if r.code != tt.code || !strings.Contains(r.stdout+r.stderr, want) {
					t.Errorf("keys list = exit %d, %q, %q, want exit %d and %q", r.code, r.stdout, r.stderr, tt.code, want)
				}
			}
			if strings.Contains(r.stderr, "AAAA") || strings.Contains(r.stderr, s.token()) {
				t.Error("it printed a token")
			}
		})
	}
}

// What listens at admin.listen may be somebody else: the answer is doubted, and
// the token goes no further.
func TestAdminClientElsewhere(t *testing.T) {
	var leaked atomic.Bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked.Store(true) }))
	defer elsewhere.Close()
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"another program", http.NotFound, "answers 404\nhint: is it Cloakroom"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, "answers 307"},
		{"a page", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, "the server's answer can't be read"},
		{"a problem", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(500)
			_, _ = w.Write([]byte(`{"title":"It did not work","detail":"the disk"}`))
		}, "the server answers: It did not work (the disk)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			other := httptest.NewServer(tt.answer)
			defer other.Close()
			dir := t.TempDir()
			write(t, dir, "config.yaml", minimal+"admin: {listen: '"+other.Listener.Addr().String()+"'}\n")
			write(t, dir, "data/admin-token", strings.Repeat("A", 43))
			if r := cloakroom(t, dir, "keys", "list"); r.code != 1 || !strings.Contains(r.stderr, tt.want) {
				t.Errorf("keys list = exit %d, %q, want exit 1 and %q", r.code, r.stderr, tt.want)
			}
			if leaked.Load() {
				t.Error("the command followed a redirect")
			}
		})
	}
}
