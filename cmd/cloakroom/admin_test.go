package main_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// The admin listener tells whether the process is well, to this machine only and
// to no page in a browser on it (G18).
func TestAdmin(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	s.serve()
	authorized := header("Authorization", "Bearer "+s.token())
	tests := []struct {
		name, path string
		edit       func(*http.Request)
		status     int
		body       string
	}{
		{"health", "/healthz", nil, 200, "ok\n"},
		{"readiness", "/readyz", nil, 200, `{"status":"ready","store":"ok","providers":{"main":"ok"}}` + "\n"},
		{"nothing else", "/", authorized, 404, ""},
		{"no sessions", "/bff/user", authorized, 404, ""},
		{"by localhost", "/healthz", func(r *http.Request) { r.Host = "localhost:1" }, 200, ""},
		{"by IPv6", "/healthz", func(r *http.Request) { r.Host = "[::1]:9090" }, 200, ""},
		{"rebound name", "/healthz", func(r *http.Request) { r.Host = "evil.example" }, 403, `{"title":"Ask by a loopback address","status":403,"code":"wrong_host"`},
		{"name that begins well", "/readyz", func(r *http.Request) { r.Host = "127.0.0.1.evil.example" }, 403, `{"title":"Ask by a loopback address","status":403,"code":"wrong_host"`},
		{"other address", "/readyz", func(r *http.Request) { r.Host = "192.0.2.1" }, 403, `{"title":"Ask by a loopback address","status":403,"code":"wrong_host"`},
		{"other site", "/healthz", header("Sec-Fetch-Site", "cross-site"), 403, `{"title":"Pages of other sites can't ask here","status":403,"code":"cross_site"`},
		{"sibling", "/healthz", header("Sec-Fetch-Site", "same-site"), 403, `{"title":"Pages of other sites can't ask here","status":403,"code":"cross_site"`},
		{"typed", "/healthz", header("Sec-Fetch-Site", "none"), 200, ""},
		{"write", "/healthz", func(r *http.Request) { r.Method = "POST" }, 405, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if status, body := s.ask(tt.path, tt.edit); status != tt.status || !strings.HasPrefix(body, tt.body) {
				t.Errorf("GET %s = %d %q, want %d %q", tt.path, status, body, tt.status, tt.body)
			}
		})
	}
	// The public listener has none of it.
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/keys", "/debug/pprof/"} {
		if status, body := s.user().send("GET", path); status != http.StatusNotFound || strings.Contains(body, "ready") {
			t.Errorf("the public listener answers %s with %d", path, status)
		}
	}
	if r := cloakroom(t, s.dir, "health"); r.code != 0 || r.stdout != "ok\n" {
		t.Errorf("health = exit %d %q %q", r.code, r.stdout, r.stderr)
	}
	// Without its provider it is ready still, and says what is missing.
	s.provider.Close()
	if status, body := s.ask("/readyz", nil); status != http.StatusOK {
		t.Errorf("/readyz = %d %s", status, body)
	}
}

// header sets one header of a request.
func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// Everything but health and metrics asks for the token: without it nobody learns
// even what there is (G18, N3).
func TestAdminToken(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	p := s.serve()
	token := s.token()
	bearer := func(value string) func(*http.Request) { return header("Authorization", value) }
	authorized := bearer("Bearer " + token)
	also := func(a, b func(*http.Request)) func(*http.Request) { return func(r *http.Request) { a(r); b(r) } }
	for _, tt := range []struct {
		name, path string
		edit       func(*http.Request)
		status     int
		body       string
	}{
		{"whether there is anything else", "/nothing", nil, 401, `{"title":`},
		{"nothing with the token", "/nothing", authorized, 404, `{"title":"There is nothing here","status":404,"code":"not_found","detail":"there are GET /healthz, `},
		{"metrics", "/metrics", nil, 200, "# HELP"},
		{"keys without a token", "/keys", nil, 401, `{"title":`},
		{"a backup without a token", "/store/backup", func(r *http.Request) { r.Method = "POST" }, 401, `{"title":`},
		{"keys", "/keys", authorized, 200, `{"absolute":`},
		{"another token", "/keys", bearer("Bearer " + strings.Repeat("A", 43)), 401, `{"title":`},
		{"an empty token", "/keys", bearer("Bearer "), 401, ""},
		{"another scheme", "/keys", bearer("Basic " + token), 401, ""},
		{"a scheme in another case", "/keys", bearer("bearer " + token), 200, ""},
		{"the token and more", "/keys", bearer("Bearer " + token + "A"), 401, ""},
		{"another site with the token", "/keys", also(authorized, header("Sec-Fetch-Site", "cross-site")), 403, `{"title":"Pages of other sites can't ask here","status":403,"code":"cross_site"`},
		{"a rebound name with the token", "/keys", also(authorized, func(r *http.Request) { r.Host = "evil.example" }), 403, `{"title":"Ask by a loopback address","status":403,"code":"wrong_host"`},
		{"a path like an open one", "/healthz/", nil, 401, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if status, body := s.ask(tt.path, tt.edit); status != tt.status || !strings.HasPrefix(body, tt.body) {
				t.Errorf("%s = %d %q, want %d %q", tt.path, status, body, tt.status, tt.body)
			}
		})
	}
	// One line for each kind, and a count of all.
	text := p.stderr.String()
	for _, want := range []string{
		`"code":"admin_token","listener":"admin","method":"GET","path":"/nothing","host":"` + s.admin + `","client":"127.0.0.1","times":1}`,
		`"code":"cross_site","listener":"admin","method":"GET","path":"/keys","host":"` + s.admin + `","client":"127.0.0.1","times":1}`,
		`"code":"wrong_host","listener":"admin","method":"GET","path":"/keys","host":"evil.example","client":"127.0.0.1","times":1}`,
	} {
		if strings.Count(text, want) != 1 || strings.Count(text, `"listener":"admin"`) != 3 {
			t.Errorf("the log does not tell once, and of nothing else, of %s:\n%s", want, text)
		}
	}
	if strings.Contains(text, token) {
		t.Errorf("the log holds the token:\n%s", text)
	}
	_, metrics := s.ask("/metrics", nil)
	for _, want := range []string{`cloakroom_refusals_total{code="admin_token"} 8`, `cloakroom_refusals_total{code="wrong_host"} 1`, `cloakroom_refusals_total{code="cross_site"} 1`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics don't say %s", want)
		}
	}
}

// A provider that was down from the start leaves those who are signed in alone.
func TestAdminProviderDown(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	p := s.serve()
	u := s.user()
	u.signIn()
	p.stop()
	p.wait()
	s.provider.SetFaults(demo.Faults{Discovery: demo.Fault{Reply: &demo.Reply{Status: 503}}})
	s.serve()
	if status, body := s.ask("/readyz", nil); status != http.StatusOK || !strings.Contains(body, `"main":"unreachable"`) || !strings.Contains(body, `"status":"ready"`) {
		t.Errorf("/readyz = %d %s", status, body)
	}
	if status, _ := u.send("GET", "/api/whoami"); status != http.StatusOK || u.name() != "u-1001" {
		t.Errorf("a call = %d, signed in as %q", status, u.name())
	}
}
