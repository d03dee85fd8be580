package web_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// The truth table of F1–F3: Sec-Fetch-Site × Origin × X-CSRF × method, for each
// kind of address. What is wanted is computed from the rules as the design
// states them, not as the code does.
type csrfCase struct {
	site, origin, header, method string
	path                         string
}

// passes is section 4 of the design, "CSRF", in its own order.
func (c csrfCase) passes() bool {
	if strings.HasPrefix(c.path, "/open/") {
		return true // no session is ever looked at
	}
	if c.origin != "" && c.origin != "https://example.com" {
		return false // an Origin that is present must always match
	}
	if c.site != "" {
		return c.site == "same-origin"
	}
	if c.origin != "" {
		return true
	}
	return c.header == "1"
}

func TestCSRF(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	var cases []csrfCase
	for _, site := range []string{"", "same-origin", "same-site", "cross-site", "none", "Same-Origin", "x"} {
		for _, origin := range []string{
			"", "https://example.com", "http://example.com", "https://evil.example", "https://sub.example.com", "null", "https://example.com:444",
		} {
			for _, header := range []string{"", "1", "0"} {
				for _, at := range []struct{ method, path string }{
					{"GET", "/bff/user"}, {"GET", "/bff/session"}, {"POST", "/bff/session/renew"},
					{"GET", "/api/whoami"}, {"HEAD", "/api/whoami"}, {"POST", "/api/whoami"}, {"DELETE", "/api/whoami"},
					{"GET", "/opt/whoami"}, {"PUT", "/opt/whoami"}, {"GET", "/docs/whoami"}, {"POST", "/docs/whoami"},
					{"POST", "/open/public/x"}, {"GET", "/open/public/x"},
				} {
					cases = append(cases, csrfCase{site, origin, header, at.method, at.path})
				}
			}
		}
	}
	for _, c := range cases {
		before := len(s.api.Requests())
		a := b.do(b.request(c.method, c.path, "Sec-Fetch-Site", c.site, "Origin", c.origin, "X-CSRF", c.header))
		what := fmt.Sprintf("%+v", c)
		reached := len(s.api.Requests()) > before
		switch {
		case c.passes() && a.StatusCode != http.StatusOK:
			t.Errorf("%s = %d, want 200", what, a.StatusCode)
		case !c.passes() && a.StatusCode != http.StatusForbidden:
			t.Errorf("%s = %d, want 403", what, a.StatusCode)
		case !c.passes() && reached:
			t.Errorf("%s reached the API", what)
		case !c.passes() && c.method != "HEAD" && a.json()["code"] != "cross_site":
			t.Errorf("%s: %s", what, a.body)
		}
	}
	t.Logf("%d cases", len(cases))
}

// Headers that come twice prove nothing.
func TestCSRFTwice(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	for _, header := range []http.Header{
		{"Sec-Fetch-Site": {"same-origin", "cross-site"}},
		{"Sec-Fetch-Site": {"same-origin", "same-origin"}},
		{"Origin": {"https://example.com", "https://evil.example"}},
		{"Origin": {"https://example.com", "https://example.com"}, "Sec-Fetch-Site": {"same-origin"}},
		{"Sec-Fetch-Site": {""}, "X-Csrf": {"1"}},
		{"Origin": {""}, "X-Csrf": {"1"}},
	} {
		for _, path := range []string{"/bff/session/renew", "/api/whoami"} {
			r := b.request("POST", path)
			for name, values := range header {
				r.Header[name] = values
			}
			b.do(r).problem(http.StatusForbidden, "cross_site")
		}
	}
}

// Another site's form can neither call nor sign out (F1, F5, I4).
func TestCSRFForms(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	form := []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-User", "?1",
		"Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html"}
	for _, from := range []struct{ site, origin string }{{crossSite, "https://evil.example"}, {sameSite, "https://sub.example.com"}, {crossSite, "null"}} {
		for _, path := range []string{"/bff/logout", "/bff/session/renew", "/api/orders", "/docs/orders", "/opt/orders"} {
			a := b.do(b.request("POST", path, append(form, "Sec-Fetch-Site", from.site, "Origin", from.origin)...))
			if a.StatusCode != http.StatusForbidden || len(a.Cookies()) != 0 {
				t.Errorf("a form of %s to %s = %d, cookies %v", from.origin, path, a.StatusCode, a.Cookies())
			}
		}
	}
	// Signing out is no GET, however it is disguised.
	for _, header := range [][]string{nil, {"X-HTTP-Method-Override", "POST"}, {"X-Method-Override", "POST"}, {"X-HTTP-Method", "POST"}} {
		for _, path := range []string{"/bff/logout", "/bff/logout?_method=POST"} {
			a := b.navigate(crossSite, path, header...)
			a.want(http.StatusMethodNotAllowed)
			if len(a.Cookies()) != 0 {
				t.Errorf("GET %s sets %v", path, a.Cookies())
			}
			b.fetch("GET", path, header...).want(http.StatusMethodNotAllowed)
		}
	}
	if b.user() == "" || len(s.api.Requests()) != 0 {
		t.Errorf("signed in %v, %d calls of the API", b.user() != "", len(s.api.Requests()))
	}
	// Neither does an override change what the API is asked for.
	b.fetch("GET", "/api/whoami", "X-HTTP-Method-Override", "DELETE").want(http.StatusOK)
	if got := s.api.Requests()[0]; got.Method != "GET" || got.Header.Get("X-Http-Method-Override") != "" {
		t.Errorf("the API saw %s %v", got.Method, got.Header)
	}
}

// Another origin gets no access and no answer to whether it might (F4).
func TestPreflight(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	for _, origin := range []string{"https://evil.example", "https://sub.example.com", "null", s.origin} {
		for _, path := range []string{"/api/whoami", "/opt/whoami", "/open/public/x", "/docs/whoami", "/bff/user", "/bff/logout", "/", "/app.js"} {
			a := b.do(b.request("OPTIONS", path, "Origin", origin, "Access-Control-Request-Method", "POST",
				"Access-Control-Request-Headers", "x-csrf", "Sec-Fetch-Site", crossSite, "Sec-Fetch-Mode", "cors"))
			for name := range a.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("the answer to %s from %s has %s", path, origin, name)
				}
			}
			if a.StatusCode == http.StatusOK {
				t.Errorf("the answer to %s from %s is 200", path, origin)
			}
		}
	}
	if n := len(s.api.Requests()); n != 0 {
		t.Errorf("%d preflights reached the API", n)
	}
	// A plain cross-origin answer names no origin either.
	a := b.fetch("GET", "/api/whoami", "Origin", "https://evil.example", "Sec-Fetch-Site", crossSite)
	if a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("headers %v", a.Header)
	}
}

// A WebSocket handshake needs our Origin, wherever it goes (F6).
func TestCSRFWebSocket(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	tests := []struct {
		name, path   string
		origin, site string
		status       int
	}{
		{"ours", "/api/ws", "https://example.com", "", 101},
		{"ours, said twice over", "/api/ws", "https://example.com", "same-origin", 101},
		{"none", "/api/ws", "", "", 403},
		{"none, but same-origin", "/api/ws", "", "same-origin", 403},
		{"another site", "/api/ws", "https://evil.example", "", 403},
		{"a sibling", "/api/ws", "https://sub.example.com", "", 403},
		{"another scheme", "/api/ws", "http://example.com", "", 403},
		{"another port", "/api/ws", "https://example.com:8443", "", 403},
		{"opaque", "/api/ws", "null", "", 403},
		{"in another case", "/api/ws", "https://EXAMPLE.com", "", 403},
		{"a list", "/api/ws", "https://example.com https://evil.example", "", 403},
		{"ours, yet cross-site", "/api/ws", "https://example.com", "cross-site", 403},
		{"another site, without session", "/open/ws", "https://evil.example", "", 403},
		{"no session", "/opt/ws", "https://evil.example", "", 403},
		{"our endpoint", "/bff/user", "https://evil.example", "", 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := len(s.api.Requests())
			header := http.Header{"X-Csrf": {"1"}}
			for name, value := range map[string]string{"Origin": tt.origin, "Sec-Fetch-Site": tt.site} {
				if value != "" {
					header.Set(name, value)
				}
			}
			c, res, err := websocket.Dial(t.Context(), "wss://example.com"+tt.path, &websocket.DialOptions{HTTPClient: b.hc, HTTPHeader: header})
			if err == nil {
				_ = c.CloseNow()
			}
			if res == nil || res.StatusCode != tt.status {
				t.Fatalf("handshake: %v, %v, want %d", res, err, tt.status)
			}
			if tt.status == http.StatusForbidden {
				// It is refused here, before a route or the API sees it.
				if body, _ := io.ReadAll(res.Body); !strings.Contains(string(body), `"code":"cross_site"`) {
					t.Errorf("the answer is %s", body)
				}
			}
			if reached := len(s.api.Requests()) > before; reached != (tt.status == 101) {
				t.Errorf("reached the API = %v", reached)
			}
		})
	}
}
