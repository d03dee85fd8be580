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

// The longest path wins, at a segment's end, and what was matched is what is
// forwarded (G1, G3).
func TestRoutes(t *testing.T) {
	upstream := newRawUpstream(t, nil)
	none := session.Demand{Auth: session.AuthNone}
	s := newStand(t,
		proxy.Config{Path: "/api/", Upstream: mustParse(t, upstream.url()+"/all/"), Demand: none},
		proxy.Config{Path: "/api/private", Upstream: mustParse(t, upstream.url()+"/private"), StripPrefix: "/api/private/", Demand: none},
		proxy.Config{Path: "/api/private/open/", Upstream: mustParse(t, upstream.url()), StripPrefix: "/api", Demand: none},
		proxy.Config{Path: "/plain", Upstream: mustParse(t, upstream.url()), StripPrefix: "/plain", Demand: none})
	tests := []struct{ target, want string }{ // want "" is no route
		{"/api", "/all/api"},
		{"/api/", "/all/api/"},
		{"/api/x", "/all/api/x"},
		{"/apix", ""},
		{"/", ""},
		{"/API/x", ""},
		{"/api/privat", "/all/api/privat"},
		{"/api/private", "/private"},
		{"/api/private/", "/private/"},
		{"/api/private/x", "/private/x"},
		{"/api/private2", "/all/api/private2"},
		{"/api/private/open", "/private/open"},
		{"/api/private/open/x", "/private/open/x"},
		{"/plain", "/"},
		{"/plain/", "/"},
		{"/plain/x", "/x"},
		{"/plain?a=b", "/?a=b"},
		{"/plain/x?", "/x?"},
		{"/plain/x?a=b;c=%zz&d=e+f&g='<>\"", "/x?a=b;c=%zz&d=e+f&g='<>\""},
		{"/plain/a%20b", "/a%20b"},
		{"/plain/%C3%A9", "/%C3%A9"},
		{"/plain/a!$&'()*+,=:@b", "/a!$&'()*+,=:@b"},
		{"/plain/[x]", "/[x]"},
		{"http://evil.example.com/plain/x", "/x"},
		{"http://evil.example.com@127.0.0.1/plain/x", "/x"},
		{"http://evil.example.com/", ""},
	}
	for _, tt := range tests {
		t.Run(tt.target, func(t *testing.T) {
			before := len(upstream.requests())
			got := send(t, s.Listener.Addr().String(), "GET "+tt.target+" HTTP/1.1\r\nHost: evil.example.com\r\n"+
				"X-Original-URL: /other\r\nX-Rewrite-URL: /other\r\nConnection: close\r\n\r\n")
			if tt.want == "" {
				if !strings.HasPrefix(got, "HTTP/1.1 404") || len(upstream.requests()) != before {
					t.Errorf("got %q, want 404 and no call", got)
				}
				return
			}
			line, fields := upstream.last(t)
			if want := "GET " + tt.want + " HTTP/1.1"; line != want {
				t.Errorf("upstream got %q, want %q", line, want)
			}
			if host := fields["host"]; len(host) != 1 || host[0] != upstream.Addr().String() {
				t.Errorf("upstream got Host %q, want its own", host)
			}
		})
	}
}

// A target that would not arrive as it was matched is not forwarded.
func TestTargetRefused(t *testing.T) {
	upstream := newRawUpstream(t, nil)
	p := newProxy(t, proxy.Config{
		Path: "/", Upstream: mustParse(t, upstream.url()), Demand: session.Demand{Auth: session.AuthNone},
	})
	for _, u := range []url.URL{
		{Path: "//evil.example.com/x"},
		{Path: "/x", RawQuery: "a b"},
		{Path: "/x", RawQuery: "a HTTP/1.1\r\nX: y"},
		{Path: "/x", RawQuery: "a#b"},
		{Path: "/x", RawQuery: "\x00"},
	} {
		t.Run(u.String(), func(t *testing.T) {
			w := httptest.NewRecorder()
			r := httptest.NewRequest("GET", "/", nil)
			r.URL = &u
			_, h := p.Route(r)
			h.ServeHTTP(w, r)
			if w.Code != http.StatusBadRequest {
				t.Errorf("got status %d, want 400", w.Code)
			}
		})
	}
	if n := len(upstream.requests()); n != 0 {
		t.Errorf("upstream got %d requests, want 0", n)
	}
}

// Host is the upstream's, or the public one if that is asked for (G1).
func TestHostPublic(t *testing.T) {
	upstream := newRawUpstream(t, nil)
	s := newStand(t, proxy.Config{Path: "/api", Upstream: mustParse(t, upstream.url()), Host: proxy.HostPublic})
	s.do(t, "GET", "/api", "")
	if _, fields := upstream.last(t); fields["host"][0] != "app.example.com" {
		t.Errorf("upstream got Host %q, want app.example.com", fields["host"])
	}
}

// Methods are the route's; preflights, TRACE and CONNECT are nobody's (G2, F4).
func TestMethods(t *testing.T) {
	tests := []struct {
		name, method string
		methods      []string
		header       string
		want         string
	}{
		{"by default", "PATCH", nil, "", "200"},
		{"options by default", "OPTIONS", nil, "", "405"},
		{"options allowed", "OPTIONS", []string{"OPTIONS"}, "", "200"},
		{"preflight", "OPTIONS", []string{"OPTIONS"}, "Access-Control-Request-Method: GET\r\n", "405"},
		{"not on the list", "POST", []string{"GET"}, "", "405"},
		{"another case", "get", nil, "", "405"},
		{"unknown", "FOO", nil, "", "405"},
		{"trace", "TRACE", nil, "", "405"},
		{"override", "GET", []string{"GET"}, "X-HTTP-Method-Override: DELETE\r\n", "200"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			upstream := newRawUpstream(t, nil)
			s := newStand(t, proxy.Config{
				Path: "/api", Upstream: mustParse(t, upstream.url()), Methods: tt.methods, Demand: session.Demand{Auth: session.AuthNone},
			})
			got := send(t, s.Listener.Addr().String(),
				tt.method+" /api HTTP/1.1\r\nHost: app\r\n"+tt.header+"Content-Length: 0\r\nConnection: close\r\n\r\n")
			if !strings.HasPrefix(got, "HTTP/1.1 "+tt.want) {
				t.Fatalf("got %q, want %s", got, tt.want)
			}
			if tt.want == "200" {
				return
			}
			if len(upstream.requests()) != 0 || s.code() != proxy.CodeMethodNotAllowed {
				t.Errorf("got code %q and %d calls, want %s and none", s.code(), len(upstream.requests()), proxy.CodeMethodNotAllowed)
			}
		})
	}
}

// newProxy returns a Proxy without a server in front.
func newProxy(t testing.TB, routes ...proxy.Config) *proxy.Proxy {
	t.Helper()
	p, err := proxy.New(proxy.Options{
		Routes: routes, PublicURL: mustParse(t, publicURL),
		OwnCookie: func(string) bool { return false },
		Fail:      (&stand{}).fail,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}
