package main_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session/bolt"
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

// A process has the store open, and nothing listens where the configuration says:
// that is said, not to stop what the command could go with (N2).
func TestAdminListensElsewhere(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	s.serve()
	nobody := "127.0.0.1:" + freePort(t)
	write(t, s.dir, "client.yaml", s.config(s.admin, nobody))
	for _, args := range [][]string{{"keys", "list"}, {"store", "check"}, {"store", "backup", "b.db"}} {
		r := cloakroom(t, s.dir, append(args, "-c", "client.yaml")...)
		want := "a process has data/sessions.db open, but nothing listens at admin.listen (" + nobody +
			")\nhint: is this the configuration that it was started with, or is it just starting or stopping?\n"
		if r.code != 1 || !strings.HasSuffix(r.stderr, want) || strings.Contains(r.stderr, "stop Cloakroom") {
			t.Errorf("%v = exit %d, %q, %q, want exit 1 and %q", args, r.code, r.stdout, r.stderr, want)
		}
	}
}

// While no server of ours can be running, whoever took its address gets no token:
// the commands go without a server.
func TestAdminTokenStaysHere(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	p := s.serve()
	s.user().signIn()
	p.stop()
	p.wait()
	var asked, tokens atomic.Int32
	l, err := net.Listen("tcp", s.admin)
	if err != nil {
		t.Fatal(err)
	}
	impostor := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Authorization") != "" {
			tokens.Add(1)
		}
	})}
	go func() { _ = impostor.Serve(l) }()
	defer func() { _ = impostor.Close() }()
	all := func(code int, want string) {
		t.Helper()
		for _, args := range [][]string{{"keys", "list"}, {"store", "check"}, {"store", "backup", "b.db"}} {
			if r := cloakroom(t, s.dir, args...); r.code != code || !strings.Contains(r.stdout+r.stderr, want) {
				t.Errorf("%v = exit %d, %q, %q, want exit %d and %q", args, r.code, r.stdout, r.stderr, code, want)
			}
		}
	}
	all(0, "")
	if got := asked.Load(); got > 0 {
		t.Errorf("with the store free %d requests were sent, want none", got)
	}
	if err := errors.Join(os.Remove(s.file("b.db")), os.Rename(s.file("data/sessions.db"), s.file("aside"))); err != nil {
		t.Fatal(err)
	}
	all(1, "something listens at admin.listen ("+s.admin+"), but there is no store data/sessions.db\nhint: is this the configuration that it was started with?")
	if got := tokens.Load(); got > 0 {
		t.Errorf("%d requests carried the token, want none", got)
	}

	// Where nobody can tell, a server is asked as ever.
	if err := os.Symlink("sessions.db", s.file("data/sessions.db")); err != nil {
		t.Fatal(err)
	}
	all(1, "")
	if got := tokens.Load(); got != 3 {
		t.Errorf("with a store that can't be looked at %d requests carried the token, want 3", got)
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
			store, err := bolt.Open(bolt.Options{Path: filepath.Join(dir, "data/sessions.db")}) // a server has it
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = store.Close() }()
			if r := cloakroom(t, dir, "keys", "list"); r.code != 1 || !strings.Contains(r.stderr, tt.want) {
				t.Errorf("keys list = exit %d, %q, want exit 1 and %q", r.code, r.stderr, tt.want)
			}
			if leaked.Load() {
				t.Error("the command followed a redirect")
			}
		})
	}
}
