package web_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/web"
)

// M1–M5, M7: whatever the answer is, it has the headers that keep it to itself and out
// of caches, and those that tell browsers how to come here.
func TestHeadersOfEveryStatus(t *testing.T) {
	o := options{web: func(c *web.Config) {
		c.SPA, c.HSTS = fstest.MapFS{
			"index.html": {Data: []byte("<title>app</title>")}, "about.html": {Data: []byte("<title>about</title>")},
			"assets/index-BX3kf9Qa.js": {Data: []byte("let a")}, "assets/logo.svg": {Data: []byte("<svg/>")}, "app.js": {Data: []byte("let b")}, "main-BX3kf9Qb.js": {Data: []byte("let c")},
		}, web.HSTSSubdomains
		c.App.Immutable = []string{"/assets/"}
		route := c.Route
		c.Route = func(r *http.Request) (session.Demand, http.Handler) {
			if r.URL.Path == "/panics" {
				return session.Demand{Auth: session.AuthNone, Documents: session.DocumentsAllow}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("x") })
			}
			return route(r)
		}
	}}
	s := newStand(t, o)
	b, out := s.signedIn(t, "alice"), s.browser(t)
	tag := b.fetch("GET", "/app.js").Header.Get("ETag")
	hashed := b.fetch("GET", "/assets/index-BX3kf9Qa.js").Header.Get("ETag")
	const forEver, ask = "public, max-age=31536000, immutable", "no-cache"
	tests := []struct {
		name   string
		a      *answer
		status int
		cache  string
		page   bool
	}{
		{"200 page", b.navigate(typed, "/"), 200, "no-store", true}, {"200 page of a path", out.navigate(typed, "/a/b"), 200, "no-store", true},
		{"200 page by name", b.fetch("GET", "/about.html"), 200, "no-store", true},
		{"200 hashed", b.fetch("GET", "/main-BX3kf9Qb.js"), 200, forEver, false}, {"200 below immutable", b.fetch("GET", "/assets/logo.svg"), 200, forEver, false},
		{"200 file", b.fetch("GET", "/app.js"), 200, ask, false}, {"206 file", b.fetch("GET", "/app.js", "Range", "bytes=0-1"), 206, ask, false},
		{"304 file", b.fetch("GET", "/app.js", "If-None-Match", tag), 304, ask, false}, {"304 hashed", b.fetch("GET", "/assets/index-BX3kf9Qa.js", "If-None-Match", hashed), 304, forEver, false},
		{"412 hashed", b.fetch("GET", "/assets/index-BX3kf9Qa.js", "If-Match", tag), 412, ask, false},
		{"302", b.navigate(typed, "/bff/login"), 302, "no-store", false}, {"303", out.signIn("bob", ""), 303, "no-store", false},
		{"401", s.browser(t).fetch("GET", "/bff/user"), 401, "no-store", false}, {"401 route", s.browser(t).fetch("GET", "/api/whoami"), 401, "no-store", false},
		{"404 below immutable", b.fetch("GET", "/assets/missing.js"), 404, "no-store", false}, {"404 hashed", b.fetch("GET", "/x-BX3kf9Qa.js"), 404, "no-store", false},
		{"404 page", b.navigate(typed, "/missing.js"), 404, "no-store", true}, {"404 under the API", b.fetch("GET", "/account/a.js"), 404, "no-store", false},
		{"405", b.fetch("POST", "/app.js"), 405, "no-store", false}, {"400", b.fetch("GET", "/a%2fb"), 400, "no-store", false},
		{"500", b.fetch("GET", "/panics"), 500, "no-store", false}, {"500 page", b.navigate(typed, "/panics"), 500, "no-store", true},
	}
	for _, tt := range tests {
		want := map[string]string{
			"Strict-Transport-Security": "max-age=31536000; includeSubDomains", "X-Content-Type-Options": "nosniff", "Cache-Control": tt.cache,
		}
		if tt.page {
			want["X-Frame-Options"], want["Cross-Origin-Opener-Policy"], want["Cross-Origin-Resource-Policy"] = "DENY", "same-origin", "same-origin"
			want["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
		}
		if tt.a.StatusCode != tt.status {
			t.Errorf("%s = %d", tt.name, tt.a.StatusCode)
		}
		for name, value := range want {
			if got := tt.a.Header.Values(name); len(got) != 1 || got[0] != value {
				t.Errorf("%s: %s = %q, want %q", tt.name, name, got, value)
			}
		}
		csp := tt.a.Header.Get("Content-Security-Policy")
		for _, directive := range []string{"default-src '", "base-uri 'none'", "frame-ancestors 'none'", "form-action '"} {
			if tt.page && !strings.Contains(csp, directive) {
				t.Errorf("%s: the policy %q lacks %s", tt.name, csp, directive)
			}
		}
		if tt.page && (tt.a.Header.Get("Referrer-Policy") == "" || strings.Contains(csp, "unsafe")) {
			t.Errorf("%s: Referrer-Policy %q, policy %q", tt.name, tt.a.Header.Get("Referrer-Policy"), csp)
		}
	}
}

// M4: for which hosts, and with https only.
func TestHSTS(t *testing.T) {
	for kind, want := range map[web.HSTS]string{
		"": "max-age=31536000", web.HSTSHost: "max-age=31536000",
		web.HSTSSubdomains: "max-age=31536000; includeSubDomains", web.HSTSPreload: "max-age=63072000; includeSubDomains; preload",
	} {
		with := func(c *web.Config) { c.HSTS = kind }
		if got := newStand(t, options{web: with}).browser(t).fetch("GET", "/x.js").Header.Get("Strict-Transport-Security"); got != want {
			t.Errorf("%q: %q, want %q", kind, got, want)
		}
		if got := newStand(t, options{web: with, plain: true}).browser(t).fetch("GET", "/x.js").Header.Get("Strict-Transport-Security"); got != "" {
			t.Errorf("%q with http: %q", kind, got)
		}
	}
}

// What the operator sets goes on pages and files of the app, and on nothing else.
func TestOwnHeaders(t *testing.T) {
	s := newStand(t, options{web: func(c *web.Config) {
		c.App.Headers = map[string]string{"permissions-policy": "camera=(self)", "X-Frame-Options": "", "Cross-Origin-Embedder-Policy": "require-corp"}
	}})
	b := s.browser(t)
	for name, a := range map[string]*answer{"page": b.navigate(typed, "/"), "file": b.fetch("GET", "/app.js")} {
		for header, want := range map[string]string{"Permissions-Policy": "camera=(self)", "X-Frame-Options": "", "Cross-Origin-Embedder-Policy": "require-corp"} {
			if got := strings.Join(a.Header.Values(header), " | "); got != want {
				t.Errorf("%s: %s = %q, want %q", name, header, got, want)
			}
		}
	}
	for name, a := range map[string]*answer{"error": b.navigate(typed, "/x.js"), "endpoint": b.fetch("GET", "/bff/session")} {
		if a.Header.Get("Cross-Origin-Embedder-Policy") != "" || name == "error" && a.Header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: %v", name, a.Header)
		}
	}
}

// CSP Level 3, 7.1: a nonce is new with every answer, and the same in header and page.
func TestNonce(t *testing.T) {
	const html = `<script nonce="{nonce}" src="/a.js"></script><style nonce="{nonce}"></style><p>{nonce}</p>`
	s := newStand(t, options{web: func(c *web.Config) {
		c.SPA = fstest.MapFS{"index.html": {Data: []byte(html)}, "index.html.br": {Data: []byte("encoded")}, "a.js": {Data: []byte(`nonce="{nonce}"`)}}
		c.App.CSP = "script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; object-src 'none'"
	}})
	b := s.browser(t)
	seen := map[string]bool{}
	for range 3 {
		a := b.navigate(typed, "/orders", "Accept-Encoding", "br", "Range", "bytes=0-3", "If-None-Match", "*").want(http.StatusOK)
		csp := a.Header.Get("Content-Security-Policy")
		m := regexp.MustCompile(`^script-src 'nonce-([A-Za-z0-9_-]{22})'; style-src 'nonce-([A-Za-z0-9_-]{22})'; object-src 'none'$`).FindStringSubmatch(csp)
		if m == nil || m[1] != m[2] || seen[m[1]] {
			t.Fatalf("policy %q", csp)
		}
		seen[m[1]] = true
		want := fmt.Sprintf(`<script nonce="%[1]s" src="/a.js"></script><style nonce="%[1]s"></style><p>{nonce}</p>`, m[1])
		if a.body != want || a.ContentLength != int64(len(want)) || a.Header.Get("Content-Encoding") != "" || a.Header.Get("ETag") != "" {
			t.Errorf("page %q with %v, want %q", a.body, a.Header, want)
		}
		if a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("a page with a nonce may be kept: %v", a.Header)
		}
	}
	if head := b.do(b.request("HEAD", "/", "Accept", "text/html")).want(http.StatusOK); head.body != "" || head.ContentLength <= 0 {
		t.Errorf("HEAD: %v", head.Header)
	}
	if a := b.fetch("GET", "/a.js"); a.body != `nonce="{nonce}"` {
		t.Errorf("a script was rewritten: %q", a.body)
	}
}
