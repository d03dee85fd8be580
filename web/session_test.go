package web_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// keys returns the sorted member names of an object.
func keys(m any) []string {
	object, _ := m.(map[string]any)
	return slices.Sorted(maps.Keys(object))
}

func wantKeys(t *testing.T, what string, got any, want ...string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(keys(got), want) {
		t.Errorf("%s has %v, want %v", what, keys(got), want)
	}
}

// /bff/user tells an allow-list of claims, and no token (N6).
func TestUser(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	a := b.fetch("GET", "/bff/user").want(http.StatusOK)
	body := a.json()
	wantKeys(t, "user", body, "sub", "name", "preferred_username", "email", "email_verified", "picture", "bff")
	wantKeys(t, "user.bff", body["bff"], "provider", "session", "scope", "acr", "auth_time")
	wantKeys(t, "user.bff.session", body["bff"].(map[string]any)["session"], "started_at", "idle_expires_in", "absolute_expires_in")
	if body["sub"] != "u-1001" || body["bff"].(map[string]any)["provider"] != "main" {
		t.Errorf("user = %v", body)
	}
	if got := a.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control = %q", got)
	}
	if len(a.Cookies()) != 0 {
		t.Errorf("it sets %v", a.Cookies())
	}

	out := s.browser(t).fetch("GET", "/bff/user").problem(http.StatusUnauthorized, "signed_out")
	wantKeys(t, "problem", out.json(), "type", "title", "status", "code", "login_url", "reference")
	if out.json()["login_url"] != "/bff/login" || out.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("problem %v, headers %v", out.json(), out.Header)
	}
}

// /bff/session tells how long is left; being signed out is an answer.
func TestSession(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	s.sleep(10 * time.Minute)
	a := b.fetch("GET", "/bff/session").want(http.StatusOK)
	body := a.json()
	wantKeys(t, "session", body, "authenticated", "provider", "session", "token")
	wantKeys(t, "session.token", body["token"], "expires_in", "renewable")
	times := body["session"].(map[string]any)
	for name, want := range map[string]float64{"idle_expires_in": 20 * 60, "absolute_expires_in": 12*3600 - 10*60} {
		if got := times[name].(float64); got > want || got < want-20 {
			t.Errorf("%s = %v, want about %v", name, got, want)
		}
	}
	if got := body["token"].(map[string]any)["expires_in"].(float64); got != 0 {
		t.Errorf("the token has expired, yet expires_in = %v", got)
	}
	if a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", a.Header)
	}

	out := s.browser(t).fetch("GET", "/bff/session").want(http.StatusOK)
	wantKeys(t, "signed out", out.json(), "authenticated", "login_url")
	if out.json()["authenticated"] != false {
		t.Errorf("signed out: %s", out.body)
	}
}

// POST /bff/session/renew fetches a token, though not at will (K1), and counts
// as activity.
func TestRenew(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	refreshes := func() int { return len(s.providers[0].Calls("refresh")) }

	b.fetch("POST", "/bff/session/renew").want(http.StatusOK)
	if refreshes() != 0 {
		t.Error("a new token was renewed at once")
	}
	s.sleep(2 * time.Minute)
	for range 5 {
		a := b.fetch("POST", "/bff/session/renew").want(http.StatusOK)
		if got := a.json()["token"].(map[string]any)["expires_in"].(float64); got < 280 {
			t.Errorf("after a renewal the token has %v s left", got)
		}
	}
	if refreshes() != 1 {
		t.Errorf("%d renewals, want 1", refreshes())
	}
	s.sleep(29 * time.Minute)
	b.fetch("POST", "/bff/session/renew").want(http.StatusOK)
	s.sleep(29 * time.Minute)
	if b.user() == "" {
		t.Error("a renewal was no activity")
	}
	s.browser(t).fetch("POST", "/bff/session/renew").problem(http.StatusUnauthorized, "signed_out")
	b.fetch("GET", "/bff/session/renew").want(http.StatusMethodNotAllowed)

	s.providers[0].RevokeFamilies("")
	s.sleep(4 * time.Minute)
	b.fetch("POST", "/bff/session/renew").problem(http.StatusUnauthorized, "signed_out")
	if b.user() != "" {
		t.Error("the session outlives its refused refresh token")
	}
}

// A session ends when nothing is done, and in any case in the end; what pages do
// by themselves is nothing (E7, E8, C13).
func TestIdle(t *testing.T) {
	type call func(b *browser) *answer
	get := func(path string, headers ...string) call {
		return func(b *browser) *answer { return b.fetch("GET", path, headers...) }
	}
	tests := []struct {
		name  string
		call  call
		alive bool
	}{
		{"a call of the API", get("/api/whoami"), true},
		{"a call where a session is optional", get("/opt/whoami"), true},
		{"a page", func(b *browser) *answer { return b.navigate(ourOrigin, "/docs/whoami") }, true},
		{"renew", func(b *browser) *answer { return b.fetch("POST", "/bff/session/renew") }, true},
		{"asking for the session", get("/bff/session"), false},
		{"asking for the user", get("/bff/user"), false},
		{"a file of the app", get("/app.js"), false},
		{"the app's page", func(b *browser) *answer { return b.navigate(ourOrigin, "/") }, false},
		{"a call that says it is none", get("/api/whoami", "X-Session-Activity", "none"), false},
		{"a call on a route that is none", get("/quiet/whoami"), false},
		{"a call without session", get("/open/public/x"), false},
		{"an event stream", get("/api/public/x", "Accept", "text/event-stream"), false},
		{"a refused call", get("/api/whoami", "Sec-Fetch-Site", crossSite), false},
	}
	s := newStand(t, options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := s.signedIn(t, "alice")
			for range 3 {
				s.sleep(14 * time.Minute)
				tt.call(b)
			}
			if got := b.user() != ""; got != tt.alive {
				t.Errorf("after 42 minutes of it alive = %v, want %v", got, tt.alive)
			}
		})
	}
}

// A WebSocket is no activity, and closes when its session idles out (E8, E12).
func TestIdleWebSocket(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	s.sleep(20 * time.Minute)
	header := http.Header{"Origin": {s.origin}}
	c, _, err := websocket.Dial(t.Context(), "wss://example.com/api/ws", &websocket.DialOptions{HTTPClient: b.hc, HTTPHeader: header})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	say := func(text string) {
		t.Helper()
		if err := c.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	say("hello")
	s.sleep(9 * time.Minute)
	say("still there")
	s.sleep(2 * time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var closed error
	for closed == nil {
		_, _, closed = c.Read(ctx)
	}
	if b.user() != "" || ctx.Err() != nil {
		t.Errorf("the session lives on; the WebSocket ended with %v", closed)
	}
}

// However busy, a session ends absolutely (E7, D10).
func TestAbsoluteEnd(t *testing.T) {
	s := newStand(t, options{limits: func(l *session.Limits) { l.Idle, l.Absolute = 30*time.Minute, 2*time.Hour }})
	b := s.signedIn(t, "alice")
	for range 5 {
		s.sleep(20 * time.Minute)
		b.fetch("GET", "/api/whoami").want(http.StatusOK)
	}
	times := b.fetch("GET", "/bff/session").json()["session"].(map[string]any)
	if times["idle_expires_in"].(float64) > times["absolute_expires_in"].(float64) {
		t.Errorf("idle end after the absolute one: %v", times)
	}
	s.sleep(21 * time.Minute)
	b.fetch("GET", "/api/whoami").problem(http.StatusUnauthorized, "signed_out")
	if !strings.Contains(s.log.String(), `"reason":"absolute"`) {
		t.Error("the log has no end for that reason")
	}
	if b.cookie("session") == "" {
		t.Error("a refusal cleared the cookie")
	}
}

// Providers fetch our public keys without cookie or header; with a secret as
// credential there are none.
func TestJWKS(t *testing.T) {
	s := newStand(t, options{})
	b := s.browser(t)
	a := b.do(b.request("GET", "/bff/jwks")).want(http.StatusOK)
	if got := strings.TrimSpace(a.body); got != `{"keys":[]}` {
		t.Errorf("keys: %s", got)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s = newStand(t, options{client: func(c *oidc.Config) { c.ClientSecret, c.PrivateKey = "", key }})
	b = s.browser(t)
	body := b.do(b.request("GET", "/bff/jwks")).want(http.StatusOK).json()
	list, _ := body["keys"].([]any)
	if len(list) != 1 {
		t.Fatalf("keys: %v", body)
	}
	if public, _ := list[0].(map[string]any); public["kty"] != "EC" || public["x"] == nil || public["d"] != nil {
		t.Errorf("keys: %v", body)
	}
}
