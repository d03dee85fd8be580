package proxy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/session"
)

const invalidToken = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nWWW-Authenticate: Negotiate YWJj==, Bearer realm=\"a, b=\\\"c\\\"\", error=\"invalid_token\"\r\n\r\nno"

// A token that upstream calls invalid is renewed once and the call repeated
// once, where that is safe (C10).
func TestRetry(t *testing.T) {
	onlySecond := func(_ int, head string) string {
		if strings.Contains(head, "Bearer alice-2") {
			return plainAnswer
		}
		return invalidToken
	}
	never := func(int, string) string { return invalidToken }
	plain401 := func(int, string) string {
		return "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nWWW-Authenticate: Basic realm=\"Bearer error=\\\"invalid_token\\\"\"\r\n\r\n"
	}
	tests := []struct {
		name     string
		answer   func(int, string) string
		token    string
		method   string
		body     string
		err      error // of the renewal
		status   int
		calls    int
		renewals int32
	}{
		{"renewed", onlySecond, "", "GET", "", nil, 200, 2, 1},
		{"small body", onlySecond, "", "POST", "a=b", nil, 200, 2, 1},
		{"largest body", onlySecond, "", "PUT", strings.Repeat("x", 1000), nil, 200, 2, 1},
		{"body too large to keep", onlySecond, "", "POST", strings.Repeat("x", 1001), nil, 401, 1, 1},
		{"still invalid", never, "", "GET", "", nil, 401, 2, 1},
		{"another complaint", plain401, "", "GET", "", nil, 401, 1, 0},
		{"ID token", never, proxy.TokenID, "GET", "", nil, 401, 1, 0},
		{"no token", never, proxy.TokenNone, "GET", "", nil, 401, 1, 0},
		{"renewal refused", never, "", "GET", "", session.ErrRefused, 401, 1, 1},
		{"provider down", never, "", "GET", "", errors.New("down"), 503, 1, 1},
		{"provider down, body too large", never, "", "POST", strings.Repeat("x", 1001), errors.New("down"), 401, 1, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			upstream := newRawUpstream(t, tt.answer)
			s := newStandWith(t, proxy.Options{
				BufferForReplay: 1000,
				Routes:          []proxy.Config{{Path: "/api", Upstream: mustParse(t, upstream.url()), Token: tt.token}},
			})
			s.provider.err = tt.err
			res, _ := s.do(t, tt.method, "/api/x", tt.body)
			if res.StatusCode != tt.status {
				t.Errorf("got status %d, want %d", res.StatusCode, tt.status)
			}
			if got := len(upstream.requests()); got != tt.calls {
				t.Errorf("upstream got %d calls, want %d", got, tt.calls)
			}
			if got := s.provider.renewals.Load(); got != tt.renewals {
				t.Errorf("got %d renewals, want %d", got, tt.renewals)
			}
			for i, body := range upstream.bodies() {
				if body != tt.body {
					t.Errorf("call %d had body %.20q, want %.20q", i+1, body, tt.body)
				}
			}
		})
	}
}

// An upstream that never likes any token causes one renewal, not one a call.
func TestRetryCooldown(t *testing.T) {
	upstream := newRawUpstream(t, func(int, string) string { return invalidToken })
	s := newStand(t, proxy.Config{Path: "/api", Upstream: mustParse(t, upstream.url())})
	for range 5 {
		s.do(t, "GET", "/api", "")
	}
	if got := s.provider.renewals.Load(); got != 1 {
		t.Errorf("got %d renewals, want 1", got)
	}
	if got := len(upstream.requests()); got != 6 {
		t.Errorf("upstream got %d calls, want 6", got)
	}
}

// Challenges are passed on without what makes a browser ask for a password
// (G14).
func TestChallenges(t *testing.T) {
	tests := []struct{ name, status, sent, want string }{
		{"basic", "401", "Basic realm=\"x\"", "Upstream"},
		{"negotiate", "401", "Negotiate", "Upstream"},
		{"none", "401", "", "Upstream"},
		{"bearer", "401", `Bearer error="invalid_request"`, `Upstream error="invalid_request"`},
		{"scope", "403", `Bearer scope="a b" , ERROR=insufficient_scope`, `Upstream error="insufficient_scope", scope="a b"`},
		{"after another", "403", `Basic realm="a,\"Bearer error=x", bearer error="insufficient_scope"`, `Upstream error="insufficient_scope"`},
		{"token68 first", "403", `Negotiate abc=, Bearer error="e"`, `Upstream error="e"`},
		{"escape in a value", "403", `Bearer error="a\"b"`, ""},
		{"no end", "403", `Bearer error="a`, ""},
		{"parameter first", "403", `error="a", Bearer`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			line := ""
			if tt.sent != "" {
				line = "WWW-Authenticate: " + tt.sent + "\r\n"
			}
			upstream := newRawUpstream(t, func(int, string) string {
				return "HTTP/1.1 " + tt.status + " No\r\nContent-Length: 0\r\n" + line + "\r\n"
			})
			s := newStand(t, proxy.Config{Path: "/api", Upstream: mustParse(t, upstream.url())})
			res, _ := s.do(t, "GET", "/api", "")
			if got := strings.Join(res.Header["Www-Authenticate"], "|"); got != tt.want {
				t.Errorf("got challenge %q, want %q", got, tt.want)
			}
		})
	}
}

// A demand for stronger authentication is not answered with a renewal (C11).
func TestStepUp(t *testing.T) {
	tests := []struct {
		name, sent string
		want       session.StepUp
	}{
		{"level", `Bearer error="insufficient_user_authentication", acr_values="gold silver"`, session.StepUp{Provider: "main", ACRValues: "gold silver"}},
		{"age", `Bearer error="insufficient_user_authentication", max_age=5`, session.StepUp{Provider: "main", MaxAge: "5"}},
		{"neither", `Bearer error="insufficient_user_authentication"`, session.StepUp{Provider: "main"}},
		{"nonsense", `Bearer error="insufficient_user_authentication", max_age="-1", acr_values="a\\b"`, session.StepUp{Provider: "main"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			upstream := newRawUpstream(t, func(int, string) string {
				return "HTTP/1.1 401 No\r\nContent-Length: 0\r\nWWW-Authenticate: " + tt.sent + "\r\n\r\n"
			})
			s := newStand(t, proxy.Config{Path: "/api", Upstream: mustParse(t, upstream.url())})
			s.do(t, "GET", "/api", "")
			got, ok := errors.AsType[*session.StepUp](s.lastErr())
			if !ok || *got != tt.want {
				t.Errorf("got %v, want %v", s.lastErr(), &tt.want)
			}
			if n := s.provider.renewals.Load(); n != 0 {
				t.Errorf("got %d renewals, want 0", n)
			}
		})
	}
}
