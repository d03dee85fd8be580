package proxy_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/session"
)

// Whatever the target, nothing panics, the route is the longest that covers it,
// and what is sent is what was matched (G1, G3).
func FuzzRoute(f *testing.F) {
	for _, seed := range []string{
		"/", "/api", "/api/", "/api/x", "/apix", "/api/private/x", "/api/private/../x", "/api//evil", "//evil.example.com/x",
		"/api/%2e%2e/private", "/api/%2fx", "/api/%5cx", `/api/\x`, "/api/x;y", "/api/%00", "/api/x?a=b;c=%zz", "/api/x?", "/api/x?#", "*",
		"http://evil.example.com/api/x", "http://u:p@evil/api/x", "/api/a^b|c", "/api/\xff", "/api/%c0%ae", "/api/x#y", "/api/x?a b",
		"/strip", "/strip/", "/strip//evil.example.com", "/strip?x", "/strip/@evil", "/strip/:80", "/api/%E2%80%8B", "/%61pi/x",
	} {
		f.Add(seed)
	}
	upstream := newRawUpstream(f, nil)
	none := session.Demand{Auth: session.AuthNone}
	bases := map[string]string{"/api": "/a/api", "/api/private": "/b/api/private", "/strip": ""}
	p := newProxy(f,
		proxy.Config{Path: "/api/", Upstream: mustParse(f, upstream.url()+"/a"), Demand: none},
		proxy.Config{Path: "/api/private/", Upstream: mustParse(f, upstream.url()+"/b/"), Demand: none},
		proxy.Config{Path: "/strip/", StripPrefix: "/strip", Upstream: mustParse(f, upstream.url()), Demand: none})
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL, r.Host = u, "evil.example.com"
		path, want := u.EscapedPath(), ""
		for prefix := range bases {
			if (path == prefix || strings.HasPrefix(path, prefix+"/")) && len(prefix) > len(want) {
				want = prefix
			}
		}
		_, h := p.Route(r)
		if (h != nil) != (want != "") {
			t.Fatalf("%q has a route: %v, want %v", path, h != nil, want != "")
		}
		if h == nil {
			return
		}
		w := httptest.NewRecorder()
		before := len(upstream.requests())
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			if len(upstream.requests()) != before {
				t.Fatalf("%q was refused and forwarded", target)
			}
			return
		}
		sent := bases[want] + path[len(want):]
		if sent == "" {
			sent = "/"
		}
		if u.RawQuery != "" || u.ForceQuery {
			sent += "?" + u.RawQuery
		}
		line, fields := upstream.last(t)
		if line != "GET "+sent+" HTTP/1.1" || len(fields["host"]) != 1 || fields["host"][0] != upstream.Addr().String() {
			t.Fatalf("%q was sent as %q to %q, want %q", target, line, fields["host"], sent)
		}
	})
}
