package web_test

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/web"
)

// appFolder is a built app as it lies on a disk, with what must not get out.
func appFolder(t *testing.T) fs.FS {
	t.Helper()
	base := t.TempDir()
	dir := filepath.Join(base, "dist")
	for name, content := range map[string]string{
		"dist/index.html": "<title>app</title>", "dist/app.js": "let a", "dist/style.css": "b{}", "dist/data.bin": "0123456789",
		"dist/docs2/index.html": "<title>docs2</title>", "dist/.env": "SECRET", "dist/.git/config": "SECRET", "dist/a/.b/c.txt": "SECRET",
		"dist/.well-known/security.txt": "Contact", "dist/ä.txt": "umlaut", "dist/a b.txt": "blank", "outside.txt": "SECRET", "dist/empty/x.txt": "x",
	} {
		path := filepath.Join(base, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{
		"out.txt": "../outside.txt", "out": "..", "absolute.txt": filepath.Join(base, "outside.txt"), "loop.txt": "loop.txt", "in.js": "app.js",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root.FS()
}

// A path is a file, or the app's page for navigations, or nothing; never a page
// under the name of a script (M7).
func TestFiles(t *testing.T) {
	s := newStand(t, options{web: func(c *web.Config) { c.SPA = appFolder(t) }})
	const page = "<title>app</title>"
	tests := []struct {
		path       string
		navigation string // body of the answer; "": 404
		call       string
	}{
		{"/", page, page}, {"/index.html", page, page}, {"/app.js", "let a", "let a"}, {"/in.js", "let a", "let a"},
		{"/docs2/", "<title>docs2</title>", "<title>docs2</title>"}, {"/docs2", page, ""},
		{"/orders", page, ""}, {"/orders/17", page, ""}, {"/orders/", page, ""}, {"/orders?x=1", page, ""}, {"/empty/", page, ""}, {"/empty", page, ""},
		{"/missing.js", "", ""}, {"/missing.css", "", ""}, {"/orders/x.js", "", ""}, {"/orders/app.js", "", ""}, {"/index.htm", "", ""},
		{"/account/a.js", "", ""}, {"/missing.js/", "", ""}, {"/v1.2/x", page, ""}, {"/a.b/", "", ""},
		{"/.env", "", ""}, {"/.git/config", "", ""}, {"/.git/", "", ""}, {"/a/.b/c.txt", "", ""}, {"/.hidden", "", ""},
		{"/.well-known/security.txt", "Contact", "Contact"}, {"/.well-known/missing", "", ""},
		{"/out.txt", "", ""}, {"/out/outside.txt", "", ""}, {"/absolute.txt", "", ""}, {"/loop.txt", "", ""}, {"/out/", page, ""}, {"/out", page, ""},
		{"/app.js/x", page, ""}, {"/app.js/x.js", "", ""}, {"/index.html/", "", ""}, {"/" + strings.Repeat("x", 300), page, ""}, {"/" + strings.Repeat("x", 300) + ".js", "", ""},
		{"/%C3%A4.txt", "umlaut", "umlaut"}, {"/a%20b.txt", "blank", "blank"}, {"/a%3Ab", page, ""},
	}
	for _, tt := range tests {
		t.Run(name(tt.path), func(t *testing.T) {
			b := s.browser(t)
			for _, one := range []struct {
				what string
				a    *answer
				want string
			}{
				{"navigation", b.navigate(typed, tt.path), tt.navigation},
				{"call", b.fetch("GET", tt.path), tt.call},
				{"script", b.fetch("GET", tt.path, "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script"), tt.call},
				{"old browser's call", b.do(b.request("GET", tt.path, "Accept", "*/*")), tt.call},
			} {
				status := http.StatusOK
				if one.want == "" {
					status = http.StatusNotFound
				}
				if one.a.StatusCode != status || one.want != "" && one.a.body != one.want || strings.Contains(one.a.body, "SECRET") {
					t.Errorf("%s = %d %.40q, want %d %q", one.what, one.a.StatusCode, one.a.text(), status, one.want)
				}
				if len(one.a.Cookies()) != 0 || one.a.StatusCode == 404 && one.a.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s: headers %v", one.what, one.a.Header)
				}
			}
		})
	}
}

// The files look at no cookie (design, section 2).
func TestFilesWithoutSession(t *testing.T) {
	s := newStand(t, options{})
	b := s.browser(t)
	b.hold("__Host-session", "broken")
	if a := b.navigate(crossSite, "/"); a.StatusCode != http.StatusOK || len(a.Cookies()) != 0 {
		t.Errorf("the page = %d, cookies %v", a.StatusCode, a.Cookies())
	}
}

// HEAD, ranges and conditions work; nothing is written (F5).
func TestFilesMethods(t *testing.T) {
	s := newStand(t, options{web: func(c *web.Config) { c.SPA = appFolder(t) }})
	b := s.browser(t)
	head := b.fetch("HEAD", "/data.bin").want(http.StatusOK)
	if head.body != "" || head.Header.Get("Content-Length") != "10" {
		t.Errorf("HEAD: %v %q", head.Header, head.body)
	}
	if a := b.fetch("GET", "/data.bin", "Range", "bytes=2-4").want(http.StatusPartialContent); a.body != "234" {
		t.Errorf("range: %q", a.body)
	}
	b.fetch("GET", "/data.bin", "Range", "bytes=20-").want(http.StatusRequestedRangeNotSatisfiable)
	b.fetch("GET", "/data.bin", "If-Modified-Since", head.Header.Get("Last-Modified")).want(http.StatusNotModified)
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "FOO"} {
		a := b.fetch(method, "/data.bin").problem(http.StatusMethodNotAllowed, "method_not_allowed")
		if got := a.Header.Get("Allow"); got != "GET, HEAD" {
			t.Errorf("%s: Allow %q", method, got)
		}
		b.fetch(method, "/orders").want(http.StatusMethodNotAllowed)
	}
}

// Each kind of answer has the headers that keep it to itself (M1–M5).
func TestHeaders(t *testing.T) {
	s := newStand(t, options{})
	plain := newStand(t, options{plain: true})
	b := s.signedIn(t, "alice")
	out := s.browser(t)
	answers := map[string]*answer{
		"page": b.navigate(typed, "/"), "page of a path": b.navigate(typed, "/orders"), "script": b.fetch("GET", "/app.js"),
		"redirect": b.navigate(typed, "/bff/login"), "401": out.fetch("GET", "/bff/user"), "404": b.fetch("GET", "/x.js"),
		"error page": b.navigate(typed, "/x.js"), "403": b.fetch("GET", "/bff/user", "Sec-Fetch-Site", crossSite), "200": b.fetch("GET", "/bff/user"),
		"API": b.fetch("GET", "/api/whoami"), "405": b.fetch("POST", "/app.js"), "hop": out.navigate(crossSite, "/docs/x"),
	}
	for name, a := range answers {
		want := map[string]string{"X-Content-Type-Options": "nosniff", "Strict-Transport-Security": "max-age=31536000"}
		document := strings.HasPrefix(a.Header.Get("Content-Type"), "text/html")
		if document {
			want["X-Frame-Options"], want["Cross-Origin-Opener-Policy"] = "DENY", "same-origin"
			want["Cross-Origin-Resource-Policy"], want["Referrer-Policy"], want["Cache-Control"] = "same-origin", "same-origin", "no-store"
			if name == "hop" || name == "error page" {
				want["Referrer-Policy"] = "no-referrer" // it may stand at a callback's address (B11)
			}
		}
		for header, value := range want {
			if got := a.Header.Values(header); len(got) != 1 || got[0] != value {
				t.Errorf("%s: %s = %q, want %q", name, header, got, value)
			}
		}
		csp := a.Header.Get("Content-Security-Policy")
		if wants := document || name == "API"; (csp != "") != wants || wants && !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: Content-Security-Policy %q", name, csp)
		}
		if document && (strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") || !strings.Contains(csp, "base-uri 'none'")) {
			t.Errorf("%s: Content-Security-Policy %q", name, csp)
		}
		for _, header := range []string{"Server", "X-Powered-By"} {
			if a.Header.Get(header) != "" {
				t.Errorf("%s: it names its server", name)
			}
		}
	}
	// M3: a form that signs out is led on to the provider.
	csp := answers["page"].Header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "form-action 'self' "+s.providers[0].URL) || !strings.Contains(csp, "object-src 'none'") || !strings.Contains(csp, "default-src 'self'") {
		t.Errorf("the app's policy is %q", csp)
	}
	if got := plain.browser(t).navigate(typed, "/").Header.Get("Strict-Transport-Security"); got != "" {
		t.Errorf("http says Strict-Transport-Security %q", got)
	}
	own := newStand(t, options{web: func(c *web.Config) { c.App.CSP = "default-src 'none'" }})
	if got := own.browser(t).navigate(typed, "/").Header.Get("Content-Security-Policy"); got != "default-src 'none'" {
		t.Errorf("a policy of one's own becomes %q", got)
	}
}

// Without an app what no route names does not exist.
func TestNoFiles(t *testing.T) {
	s := newStand(t, options{web: func(c *web.Config) { c.SPA = nil }})
	b := s.browser(t)
	b.navigate(typed, "/").problem(http.StatusNotFound, "not_found")
	b.fetch("POST", "/x").problem(http.StatusNotFound, "not_found")
}
