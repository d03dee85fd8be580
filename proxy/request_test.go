package proxy_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/session"
)

// What a browser must not decide, it does not decide (G4, G5, G7, G8, C3). Each
// row is sent to the proxy as it stands.
func TestRequestHeaders(t *testing.T) {
	tests := []struct {
		name   string
		header []string // lines
		field  string   // in lower case
		want   []string // at upstream
	}{
		{"authorization", []string{"Authorization: Bearer mine"}, "authorization", []string{"Bearer alice-1"}},
		{"authorization thrice", []string{"Authorization: a", "authorization: b", "AUTHORIZATION: c"}, "authorization", []string{"Bearer alice-1"}},
		{"authorization, underscore twin", []string{"X_Authorization: a", "Authorization_: b"}, "authorization", []string{"Bearer alice-1"}},
		{"proxy-authorization", []string{"Proxy-Authorization: Basic eA=="}, "proxy-authorization", nil},
		{"dpop", []string{"DPoP: proof"}, "dpop", nil},
		{"ours named in Connection", []string{"Connection: Authorization, X-User, X-Forwarded-For, Cookie"}, "authorization", []string{"Bearer alice-1"}},
		{"identity named in Connection", []string{"Connection: X-User"}, "x-user", []string{"alice"}},
		{"forwarding named in Connection", []string{"Connection: X-Forwarded-For"}, "x-forwarded-for", []string{"127.0.0.1"}},
		{"theirs named in Connection", []string{"Connection: X-Theirs", "X-Theirs: 1"}, "x-theirs", nil},
		{"theirs, not named", []string{"X-Theirs: 1", "X-Theirs: 2"}, "x-theirs", []string{"1", "2"}},
		{"keep-alive", []string{"Keep-Alive: timeout=5"}, "keep-alive", nil},
		{"TE", []string{"TE: gzip, trailers", "Connection: TE"}, "te", []string{"trailers"}},
		{"TE without trailers", []string{"TE: gzip"}, "te", nil},
		{"own cookie", nil, "cookie", nil},
		{"forwarded", []string{"Forwarded: for=1.1.1.1"}, "forwarded", []string{`for=127.0.0.1;host="app.example.com";proto=https`}},
		{"x-forwarded-for", []string{"X-Forwarded-For: 1.1.1.1"}, "x-forwarded-for", []string{"127.0.0.1"}},
		{"x-forwarded-host", []string{"X-Forwarded-Host: evil"}, "x-forwarded-host", []string{"app.example.com"}},
		{"x-forwarded-proto", []string{"X-Forwarded-Proto: http"}, "x-forwarded-proto", []string{"https"}},
		{"identity", []string{"X-User: bob"}, "x-user", []string{"alice"}},
		{"identity in another case", []string{"x-uSER: bob"}, "x-user", []string{"alice"}},
		{"identity that the user has no claim for", []string{"Employee: 1"}, "employee", nil},
		{"identity of another route", []string{"Badge: 1"}, "badge", nil},
		{"user agent", []string{"User-Agent: me"}, "user-agent", []string{"me"}},
		{"no user agent", nil, "user-agent", nil},
		{"accept-encoding", []string{"Accept-Encoding: br"}, "accept-encoding", []string{"br"}},
		{"no accept-encoding", nil, "accept-encoding", nil},
	}
	for _, name := range []string{
		"X-Real-IP", "True-Client-IP", "CF-Connecting-IP", "X-Original-URL", "X-Rewrite-URL", "X-Auth-Request-User", "X-User-Id",
		"X-Username", "X-HTTP-Method-Override", "X-Method-Override", "X-CSRF", "X-Session-Activity", "X-Forwarded-Port", "X-Forwarded-Prefix",
		"X-Forwarded-Server", "X-Forwarded-Ssl", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Access-Token",
		"X-Forwarded-Client-Cert", "Remote-User", "X-Remote-User", "SSL-Client-Cert", "Client-Cert", "Proxy", "Proxy-Connection",
		"X_User", "X_Forwarded_For", "x_real_ip", "X.User", "Access-Control-Request-Headers", "Sec-WebSocket-Key", "X-Accel-Mapping",
	} {
		tests = append(tests, struct {
			name   string
			header []string
			field  string
			want   []string
		}{name, []string{name + ": 1"}, strings.ToLower(name), nil})
	}
	upstream := newRawUpstream(t, nil)
	s := newStand(t,
		proxy.Config{Path: "/api/", Upstream: mustParse(t, upstream.url()), Headers: map[string]string{"X-User": "sub", "Employee": "employee"}},
		proxy.Config{Path: "/other/", Upstream: mustParse(t, upstream.url()), Headers: map[string]string{"badge": "sub"}})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := "GET /api/x HTTP/1.1\r\nHost: app\r\nCookie: __Host-session=alice\r\nConnection: close\r\n" +
				strings.Join(append(tt.header, "\r\n"), "\r\n")
			if got := send(t, s.Listener.Addr().String(), raw); !strings.HasPrefix(got, "HTTP/1.1 200") {
				t.Fatalf("got %q, want 200", got)
			}
			_, fields := upstream.last(t)
			if got := fields[tt.field]; !slices.Equal(got, tt.want) {
				t.Errorf("upstream got %s %q, want %q", tt.field, got, tt.want)
			}
			if got := fields["authorization"]; len(got) != 1 {
				t.Errorf("upstream got Authorization %q, want exactly one", got)
			}
		})
	}
}

// Cookies pass by name, and our own never (G5).
func TestRequestCookies(t *testing.T) {
	tests := []struct{ name, sent, want string }{
		{"allowed", "lang=de", "lang=de"},
		{"one of several", "a=1; lang=de; b=2; theme=x y", "lang=de; theme=x y"},
		{"no spaces", "a=1;lang=de;theme=1", "lang=de; theme=1"},
		{"another case", "Lang=de", ""},
		{"no name", "lang; =lang", ""},
		{"inside a value", "a=1,lang=de", ""},
		{"twice", "lang=de; lang=en", "lang=de; lang=en"},
	}
	upstream := newRawUpstream(t, nil)
	s := newStand(t, proxy.Config{Path: "/api", Upstream: mustParse(t, upstream.url()), Cookies: []string{"lang", "theme"}})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.do(t, "GET", "/api/x", "", "Cookie", tt.sent)
			_, fields := upstream.last(t)
			if got := strings.Join(fields["cookie"], "|"); got != tt.want {
				t.Errorf("upstream got Cookie %q, want %q", got, tt.want)
			}
		})
	}
}

// Claims become headers only as they are.
func TestIdentityHeaders(t *testing.T) {
	tests := []struct {
		claim string
		want  []string
	}{
		{"sub", []string{"alice"}},
		{"iss", []string{"https://id.example.com"}},
		{"email", []string{"alice@example.com"}},
		{"age", []string{"42"}},
		{"ok", []string{"true"}},
		{"groups", []string{"a,b"}},
		{"name", []string{"Alíce"}},
		{"evil", nil},
		{"pad", nil},
		{"odd", nil},
		{"obj", nil},
		{"missing", nil},
	}
	upstream := newRawUpstream(t, nil)
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			s := newStand(t, proxy.Config{
				Path: "/api", Upstream: mustParse(t, upstream.url()), Headers: map[string]string{"X-Auth-Claim": tt.claim},
			})
			s.do(t, "GET", "/api", "", "X-Auth-Claim", "forged")
			_, fields := upstream.last(t)
			if got := fields["x-auth-claim"]; !slices.Equal(got, tt.want) {
				t.Errorf("upstream got %q, want %q", got, tt.want)
			}
			if got := fields["x-admin"]; got != nil {
				t.Errorf("a claim made a header of its own: %q", got)
			}
		})
	}
}

// Which token goes upstream, if any.
func TestToken(t *testing.T) {
	tests := []struct {
		name   string
		auth   session.Auth
		token  string
		cookie string
		status int
		want   []string
	}{
		{"access token", session.AuthRequired, proxy.TokenAccess, "alice", 200, []string{"Bearer alice-1"}},
		{"by default", "", "", "bob", 200, []string{"Bearer bob-1"}},
		{"ID token", session.AuthRequired, proxy.TokenID, "alice", 200, []string{"Bearer alice-id"}},
		{"no token", session.AuthRequired, proxy.TokenNone, "alice", 200, nil},
		{"no session", session.AuthRequired, proxy.TokenAccess, "nobody", 401, nil},
		{"no session, no token", session.AuthRequired, proxy.TokenNone, "nobody", 401, nil},
		{"optional, signed in", session.AuthOptional, proxy.TokenAccess, "alice", 200, []string{"Bearer alice-1"}},
		{"optional, signed out", session.AuthOptional, proxy.TokenAccess, "nobody", 200, nil},
		{"public, signed in", session.AuthNone, proxy.TokenAccess, "alice", 200, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			upstream := newRawUpstream(t, nil)
			s := newStand(t, proxy.Config{
				Path: "/api", Upstream: mustParse(t, upstream.url()), Token: tt.token, Demand: session.Demand{Auth: tt.auth},
			})
			r, err := http.NewRequest("GET", s.URL+"/api/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Cookie", "__Host-session="+tt.cookie)
			r.Header.Set("Authorization", "Bearer forged")
			res, err := s.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != tt.status {
				t.Fatalf("got status %d, want %d", res.StatusCode, tt.status)
			}
			if tt.status != 200 {
				if n := len(upstream.requests()); n != 0 {
					t.Errorf("upstream got %d requests, want 0", n)
				}
				return
			}
			if _, fields := upstream.last(t); !slices.Equal(fields["authorization"], tt.want) {
				t.Errorf("upstream got Authorization %q, want %q", fields["authorization"], tt.want)
			}
		})
	}
}
