package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/web"
)

// gatedFiles is an app with several pages.
func gatedFiles() fstest.MapFS {
	return fstest.MapFS{
		"index.html": {Data: []byte("<title>app</title>")}, "about.html": {Data: []byte("<title>about</title>")},
		"welcome/index.html": {Data: []byte("<title>welcome</title>")}, "app.js": {Data: []byte("let a")}, "old.xhtml": {Data: []byte("<html/>")},
		"about.html.br": {Data: []byte("<title>about")}, "old.xhtml.gz": {Data: []byte("<title>app")}, "app.js.br": {Data: []byte("br of app")},
	}
}

// appServer is a server that has the app's files, with a fallback of its own, as
// development servers have.
func appServer(t testing.TB) *url.URL {
	t.Helper()
	files := gatedFiles()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		if name == "" || strings.HasSuffix(name, "/") {
			name += "index.html"
		}
		kind, file := "text/html; charset=utf-8", files[name]
		switch {
		case strings.HasSuffix(name, ".js"):
			kind = "text/javascript"
		case strings.HasSuffix(name, ".br"), strings.HasSuffix(name, ".gz"):
			kind = "application/octet-stream"
		case strings.HasSuffix(name, ".xhtml"):
			kind = "application/xhtml+xml"
		}
		if file == nil && !strings.Contains(name, ".") {
			file = files["index.html"]
		}
		if file == nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("X-Of-The-Server", "yes")
		w.Header().Set("Content-Length", fmt.Sprint(len(file.Data)))
		if r.Method != http.MethodHead {
			_, _ = w.Write(file.Data)
		}
	}))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// withAppServer leads what no route names to upstream, as cmd/cloakroom does.
func withAppServer(upstream *url.URL, app web.AppConfig) options {
	return options{
		web: func(c *web.Config) { c.SPA, c.App = nil, app },
		routes: func(routes []proxy.Config) []proxy.Config {
			return append(routes, proxy.Config{
				Path: "/", Upstream: upstream, Token: proxy.TokenNone, Cache: proxy.CacheUpstream,
				Demand: session.Demand{Auth: session.AuthNone, Documents: session.DocumentsApp, WebSocket: true},
			})
		},
	}
}

// gated runs test for an app in a folder and for one on a server.
func gated(t *testing.T, test func(t *testing.T, s *stand)) {
	app := web.AppConfig{Gate: true, Public: []string{"/welcome/", "/legal"}}
	t.Run("files", func(t *testing.T) {
		o := options{web: func(c *web.Config) { c.SPA, c.App = gatedFiles(), app }}
		o.limits = oftenRotating
		test(t, newStand(t, o))
	})
	t.Run("upstream", func(t *testing.T) {
		o := withAppServer(appServer(t), app)
		o.limits = oftenRotating
		test(t, newStand(t, o))
	})
}

func oftenRotating(l *session.Limits) { l.RotateEvery = 5 * time.Minute }

// Without a session a page is not shown in any way, and what is no page is.
func TestGateSignedOut(t *testing.T) {
	gated(t, func(t *testing.T, s *stand) {
		b := s.browser(t)
		for _, path := range []string{"/", "/index.html", "/about.html", "/orders/17?x=1", "/old.xhtml", "/welcomed", "/legally", "/about.html.br", "/old.xhtml.gz"} {
			login := "/bff/login?return_to=" + url.QueryEscape(path)
			for _, site := range []string{typed, ourOrigin, sameSite} {
				b.navigate(site, path).want(http.StatusFound).leads(login)
			}
			// B12: a ticket may have been held back, so it is asked for once more from here.
			if a := b.navigate(crossSite, path).want(http.StatusOK); !strings.Contains(a.body, "0;url="+strings.ReplaceAll(path, "&", "&amp;")) || strings.Contains(a.body, "<title>app") {
				t.Errorf("%s from another site: %s", path, a.text())
			}
			for what, a := range map[string]*answer{
				"fetch": b.fetch("GET", path, "Accept", "text/html"), "HEAD": b.fetch("HEAD", path, "Accept", "text/html"),
				"frame":       b.navigate(ourOrigin, path, "Sec-Fetch-Dest", "iframe"),
				"old browser": b.do(b.request("GET", path, "Accept", "text/html")),
				"ranged":      b.fetch("GET", path, "Accept", "text/html", "Range", "bytes=0-3"),
			} {
				if isMissing := a.StatusCode == http.StatusNotFound; isMissing && what == "fetch" {
					continue // of a folder, a path that names no file is a page to navigations only
				}
				if a.StatusCode != http.StatusUnauthorized && a.StatusCode != http.StatusNotFound ||
					strings.Contains(a.body, "<title>app") || strings.Contains(a.body, "<title>about") || a.Header.Get("X-Of-The-Server") != "" {
					t.Errorf("%s of %s = %d %s %v", what, path, a.StatusCode, a.text(), a.Header)
				}
				if a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
					t.Errorf("%s of %s: headers %v", what, path, a.Header)
				}
			}
		}
		b.fetch("GET", "/about.html").problem(http.StatusUnauthorized, "signed_out")
		if a := b.fetch("GET", "/app.js").want(http.StatusOK); a.body != "let a" {
			t.Errorf("a script = %q", a.body)
		}
		if a := b.fetch("GET", "/app.js.br").want(http.StatusOK); a.body != "br of app" {
			t.Errorf("a compressed script = %q", a.body)
		}
		for _, path := range []string{"/welcome", "/welcome/", "/welcome/x", "/legal", "/legal/terms"} {
			if a := b.navigate(crossSite, path).want(http.StatusOK); !strings.HasPrefix(a.body, "<title>") {
				t.Errorf("%s, which is public, = %s", path, a.text())
			}
		}
		b.fetch("GET", "/missing.js").want(http.StatusNotFound)
	})
}

// From the typed address through the sign-in to the same place, without a loop
// (B12).
func TestGateSignIn(t *testing.T) {
	gated(t, func(t *testing.T, s *stand) {
		b := s.browser(t)
		login := b.navigate(typed, "/orders/17?x=1").want(http.StatusFound)
		begun := b.navigate(typed, login.Header.Get("Location")).want(http.StatusFound)
		at, err := begun.Location()
		if err != nil {
			t.Fatal(err)
		}
		back := b.navigate(crossSite, b.approve(at, "alice").String()).want(http.StatusOK)
		if !strings.Contains(back.body, "0;url=/orders/17?x=1") {
			t.Fatalf("the callback answers %s", back.text())
		}
		if a := b.navigate(ourOrigin, "/orders/17?x=1").want(http.StatusOK); a.body != "<title>app</title>" {
			t.Errorf("the page = %s", a.text())
		}
		for _, path := range []string{"/", "/about.html", "/welcome/"} {
			b.navigate(typed, path).want(http.StatusOK)
			b.fetch("GET", path, "Accept", "text/html").want(http.StatusOK)
			b.fetch("HEAD", path, "Accept", "text/html").want(http.StatusOK)
		}
		if b.navigate(crossSite, "/").want(http.StatusOK).body != "<title>app</title>" {
			t.Error("with the ticket at hand a hop was made")
		}
		// A public page needs no hop.
		b2 := s.browser(t)
		b2.signIn("bob", "?return_to=/welcome/").want(http.StatusSeeOther).leads("/welcome/")
	})
}

// A page is a file like any other: it keeps no session from idling out, and sets no
// ticket.
func TestGateIsNoActivity(t *testing.T) {
	gated(t, func(t *testing.T, s *stand) {
		b := s.browser(t)
		b.signIn("alice", "").want(http.StatusOK)
		for range 4 {
			s.sleep(8 * time.Minute)
			if a := b.navigate(typed, "/"); len(a.Cookies()) > 0 {
				t.Errorf("the page set %v", a.Cookies())
			}
		}
		b.navigate(typed, "/").want(http.StatusFound)
	})
}

// A server may answer with a page in many ways: whoever is signed out gets it by none
// of them, and no part of one.
func TestGateOfWhatServersSend(t *testing.T) {
	const secret = "members only"
	for name, tt := range map[string]struct {
		header http.Header
		kind   string
		ranges string
		socket bool
	}{
		"several ranges":       {kind: "text/html", ranges: "bytes=0-3,4-11"},
		"a handshake":          {kind: "text/html", socket: true},
		"a list of types":      {kind: "text/html,x"},
		"the last of a list":   {kind: "text/plain, text/html"},
		"a comment":            {kind: "text/html(x)"},
		"capitals and a blank": {kind: "TEXT/HTML ;a"},
		"XML":                  {kind: "application/xml"},
		"a feed":               {kind: "application/atom+xml"},
		"trailers":             {kind: "text/html", header: http.Header{"Trailer": {"X-Secret"}}},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for name, values := range tt.header {
					w.Header()[name] = values
				}
				w.Header().Set("Content-Type", tt.kind)
				w.Header().Set("Cache-Control", "public, max-age=600")
				if tt.header == nil {
					http.ServeContent(w, r, "", time.Time{}, strings.NewReader(secret))
					return
				}
				_, _ = w.Write([]byte(secret))
				w.Header().Set("X-Secret", secret)
			}))
			t.Cleanup(server.Close)
			s := newStand(t, withAppServer(parse(server.URL), web.AppConfig{Gate: true}))
			b := s.browser(t)
			headers := []string{"Range", tt.ranges}
			if tt.socket {
				headers = []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
					"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Origin", s.origin}
			}
			a := b.do(b.request("GET", "/x", headers...))
			if a.StatusCode != http.StatusUnauthorized || strings.Contains(a.body, secret) || a.Trailer.Get("X-Secret") != "" ||
				!strings.Contains(a.Header.Get("Cache-Control"), "no-store") {
				t.Errorf("%d %s, headers %v, trailers %v", a.StatusCode, a.text(), a.Header, a.Trailer)
			}
		})
	}
}

// M1: XML and drawings can be opened as documents of this origin: then they run
// nothing.
func TestMarkupIsInert(t *testing.T) {
	files := fstest.MapFS{"index.html": {Data: []byte("<title>app</title>")}, "a.svg": {Data: []byte("<svg/>")}, "a.xml": {Data: []byte("<a/>")}, "a.js": {Data: []byte("1")}}
	server := httptest.NewServer(http.FileServerFS(files))
	t.Cleanup(server.Close)
	for name, o := range map[string]options{
		"files":    {web: func(c *web.Config) { c.SPA = files }},
		"upstream": withAppServer(parse(server.URL), web.AppConfig{}),
	} {
		b := newStand(t, o).browser(t)
		for _, path := range []string{"/a.svg", "/a.xml"} {
			if csp := b.navigate(typed, path).want(http.StatusOK).Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "sandbox; default-src 'none'") {
				t.Errorf("%s: %s has the policy %q", name, path, csp)
			}
		}
		if csp := b.fetch("GET", "/a.js").want(http.StatusOK).Header.Get("Content-Security-Policy"); csp != "" {
			t.Errorf("%s: a script has the policy %q", name, csp)
		}
	}
}
