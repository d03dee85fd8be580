package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/cloakroom/cloakroom/web"
)

// recorder is an app's server that remembers what it was asked, and answers with
// the headers that it is told.
type recorder struct {
	mu     sync.Mutex
	asked  []*http.Request
	header http.Header
}

func (rec *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.asked = append(rec.asked, r)
	for name, values := range rec.header {
		w.Header()[name] = values
	}
	_, _ = io.WriteString(w, "content")
}

// last returns the last request and forgets all.
func (rec *recorder) last() *http.Request {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if len(rec.asked) == 0 {
		return nil
	}
	r := rec.asked[len(rec.asked)-1]
	rec.asked = nil
	return r
}

func (rec *recorder) answers(headers ...string) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.header = http.Header{}
	for i := 0; i < len(headers); i += 2 {
		rec.header.Set(headers[i], headers[i+1])
	}
}

func recorded(t *testing.T, app web.AppConfig) (*stand, *recorder) {
	t.Helper()
	rec := &recorder{}
	server := httptest.NewServer(rec)
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return newStand(t, withAppServer(u, app)), rec
}

// What a development server is asked for arrives as it was sent, from wherever it is
// asked, and with nothing of the session (G5).
func TestAppServerRequests(t *testing.T) {
	s, rec := recorded(t, web.AppConfig{})
	b := s.signedIn(t, "alice")
	b.hold("theme", "dark")
	rec.answers("Content-Type", "text/javascript", "Set-Cookie", "__Host-session=x; Path=/; Secure")
	for _, target := range []string{
		"/@vite/client", "/node_modules/.vite/deps/react.js?v=1", "/@id/__x00__x", "/@react-refresh", "/src/App.tsx?t=1764333000000",
		"/@fs/home/dev/app/node_modules/vite/dist/client/env.mjs", "/src/icon.svg?import&react", "/orders/17", "/.vite/x", "/@id/virtual:uno.css",
	} {
		for what, headers := range map[string][]string{
			"script":    {"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script"},
			"style":     {"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "style"},
			"worker":    {"Sec-Fetch-Mode", "same-origin", "Sec-Fetch-Dest", "worker"},
			"page":      {"Sec-Fetch-Site", typed, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"},
			"elsewhere": {"Sec-Fetch-Site", crossSite, "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script"},
		} {
			a := b.fetch("GET", target, headers...)
			a.want(http.StatusOK)
			r := rec.last()
			if r == nil || r.RequestURI != target {
				t.Fatalf("%s of %s arrives as %v", what, target, r)
			}
			if r.Header.Get("Cookie") != "" || r.Header.Get("Authorization") != "" {
				t.Errorf("%s of %s arrives with %v", what, target, r.Header)
			}
			if len(a.Cookies()) != 0 || a.Header.Get("Cross-Origin-Resource-Policy") != "same-origin" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s of %s comes back with %v", what, target, a.Header)
			}
		}
	}
	b.fetch("GET", "/bff/session").want(http.StatusOK)
	if rec.last() != nil {
		t.Error("an endpoint of ours went to the app's server")
	}
}

// Other sites change nothing there and connect to nothing, and nobody else gets in
// by another way.
func TestAppServerGuard(t *testing.T) {
	s, rec := recorded(t, web.AppConfig{})
	b := s.browser(t)
	ws := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-Fetch-Site", "", "Sec-Fetch-Mode", "", "Sec-Fetch-Dest", ""}
	tests := []struct {
		name    string
		method  string
		headers []string
		status  int // 200: it passes
	}{
		{"our page's call", "POST", nil, 200},
		{"another site's form", "POST", []string{"Sec-Fetch-Site", crossSite, "Origin", "https://evil.example"}, 403},
		{"a sibling's call", "DELETE", []string{"Sec-Fetch-Site", sameSite, "Origin", "https://x.example.com"}, 403},
		{"a tool", "POST", []string{"Sec-Fetch-Site", "", "Origin", ""}, 403},
		{"a preflight", "OPTIONS", []string{"Sec-Fetch-Site", crossSite, "Origin", "https://evil.example", "Access-Control-Request-Method", "PUT"}, 403},
		{"another site's WebSocket", "GET", append([]string{"Origin", "https://evil.example"}, ws...), 403},
		{"a WebSocket of nobody", "GET", ws, 403},
		{"a sibling's WebSocket", "GET", append(append([]string{"Origin", "https://example.com"}, ws...), "Sec-Fetch-Site", sameSite), 403},
		{"our WebSocket", "GET", append([]string{"Origin", "https://example.com", "Sec-WebSocket-Protocol", "vite-hmr"}, ws...), 200},
		{"another upgrade", "GET", []string{"Connection", "Upgrade", "Upgrade", "h2c"}, 400},
	}
	for _, tt := range tests {
		a := b.fetch(tt.method, "/__open-in-editor", tt.headers...)
		r := rec.last()
		if a.StatusCode != tt.status || (r != nil) != (tt.status == 200) {
			t.Errorf("%s = %d %s, arrived: %v; want %d", tt.name, a.StatusCode, a.text(), r != nil, tt.status)
		}
		if tt.name == "our WebSocket" && r != nil && (r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Sec-WebSocket-Protocol") != "vite-hmr") {
			t.Errorf("the handshake arrives as %v", r.Header)
		}
	}
}

// Its pages are documents of this origin: they have our headers, and a policy of
// their own, of the configuration or the least one.
func TestAppServerPages(t *testing.T) {
	const own, least = "default-src 'self' 'unsafe-inline'", "frame-ancestors 'none'; object-src 'none'; base-uri 'self'"
	tests := []struct {
		name          string
		configured    string
		kind, policy  string
		want          string
		cache, wantCC string
	}{
		{name: "a page without a policy", kind: "text/html", want: least, cache: "public, max-age=60", wantCC: "no-store"},
		{name: "a page with one", kind: "Text/HTML;charset=utf-8", policy: own, want: own, cache: "no-cache", wantCC: "no-store"},
		{name: "a page, with ours configured", configured: "default-src 'self'", kind: "text/html", policy: own, want: "default-src 'self'", wantCC: "no-store"},
		{name: "XHTML", kind: "application/xhtml+xml", want: least, wantCC: "no-store"},
		{name: "a script", kind: "text/javascript", want: "", cache: "max-age=31536000,immutable", wantCC: "max-age=31536000,immutable"},
		{name: "a script that says nothing of caches", kind: "text/javascript", want: "", wantCC: "private, no-store"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, rec := recorded(t, web.AppConfig{CSP: tt.configured, Headers: map[string]string{"x-robots-tag": "noindex", "X-Frame-Options": ""}})
			headers := []string{"Content-Type", tt.kind, "X-Frame-Options", "ALLOWALL", "Cdn-Cache-Control", "max-age=60", "Etag", `"x"`}
			if tt.policy != "" {
				headers = append(headers, "Content-Security-Policy", tt.policy)
			}
			if tt.cache != "" {
				headers = append(headers, "Cache-Control", tt.cache)
			}
			rec.answers(headers...)
			a := s.browser(t).navigate(typed, "/x").want(http.StatusOK)
			want := map[string]string{
				"Content-Security-Policy": tt.want, "Cache-Control": tt.wantCC, "X-Robots-Tag": "noindex", "X-Frame-Options": "",
				"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin",
			}
			if tt.wantCC == "no-store" {
				want["Referrer-Policy"], want["Cross-Origin-Opener-Policy"], want["Cdn-Cache-Control"] = "same-origin", "same-origin", ""
			}
			for name, value := range want {
				if got := strings.Join(a.Header.Values(name), " | "); got != value {
					t.Errorf("%s = %q, want %q", name, got, value)
				}
			}
			if a.body != "content" {
				t.Errorf("body %q", a.body)
			}
		})
	}
}

// A server that isn't running is said to be that, with a page of our own.
func TestAppServerDown(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	u, _ := url.Parse(server.URL)
	server.Close()
	s := newStand(t, withAppServer(u, web.AppConfig{CSP: "default-src 'self'"}))
	b := s.browser(t)
	a := b.navigate(typed, "/orders").problem(http.StatusBadGateway, "upstream_unreachable")
	if !strings.Contains(a.body, "spa.upstream") || !strings.Contains(a.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("the page is %s with %v", a.text(), a.Header)
	}
	b.fetch("GET", "/x.js").problem(http.StatusBadGateway, "upstream_unreachable")
	if a := s.signedIn(t, "alice").fetch("GET", "/api/whoami"); a.StatusCode != http.StatusOK {
		t.Errorf("an API beside it = %d", a.StatusCode)
	}
}
