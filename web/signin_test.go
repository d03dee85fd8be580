package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// The answer to the callback leaks nothing, and nothing of it can be kept (B11,
// E16). It is led on at once, so that the address without the code is the one
// that stays.
func TestCallbackHeaders(t *testing.T) {
	s := newStand(t, options{})
	b := s.browser(t)
	a := b.signIn("alice", "?return_to=/orders").want(http.StatusSeeOther).leads("/orders")
	for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if a.body != "" {
		t.Errorf("the answer has a body: %s", a.body)
	}
	page := b.signIn("alice", "?return_to=/docs/whoami&prompt=login").want(http.StatusOK)
	if page.Header.Get("Cache-Control") != "no-store" || strings.Contains(page.body, "code=") {
		t.Errorf("the page on the way: %v\n%s", page.Header, page.body)
	}
}

// Where return_to needs the ticket, a page in between makes the navigation our
// own, for which a Strict cookie is sent (B12).
func TestCallbackHop(t *testing.T) {
	s := newStand(t, options{})
	for returnTo, hop := range map[string]bool{
		"/docs/whoami?a=1&b=%22": true, "/files/download": true, "/": false, "/orders": false, "/api/whoami": false, "/open/x": false,
	} {
		b := s.browser(t)
		a := b.signIn("alice", "?return_to="+strings.NewReplacer("&", "%26", "%", "%25").Replace(returnTo))
		if !hop {
			a.want(http.StatusSeeOther).leads(returnTo)
			continue
		}
		a.want(http.StatusOK).leads("")
		want := `http-equiv="refresh" content="0;url=` + strings.ReplaceAll(returnTo, "&", "&amp;") + `"`
		if !strings.Contains(a.body, want) {
			t.Errorf("the page has no %s:\n%s", want, a.body)
		}
		if a.set("__Host-session") == nil {
			t.Error("the page sets no session cookie")
		}
	}
}

// An ID token that is not for this sign-in gives no session (B6; the table of
// all its faults is package oidc's).
func TestCallbackBadTokens(t *testing.T) {
	s := newStand(t, options{})
	claim := func(name string, value any) demo.Fault {
		return demo.Fault{EditIDToken: func(c map[string]any) { c[name] = value }}
	}
	tests := []struct {
		name  string
		fault demo.Fault
	}{
		{"nonce of another", claim("nonce", "x")},
		{"nonce missing", demo.Fault{EditIDToken: func(c map[string]any) { delete(c, "nonce") }}},
		{"audience of another", claim("aud", "other")},
		{"one more audience", claim("aud", []string{clientID, "other"})},
		{"issuer of another", claim("iss", "https://evil.example")},
		{"expired", claim("exp", 1)},
		{"unsigned", demo.Fault{Forge: demo.ForgeNone}},
		{"signed with the secret", demo.Fault{Forge: demo.ForgeHMACSecret}},
		{"signed by somebody else", demo.Fault{Forge: demo.ForgeForeignKey}},
		{"no ID token", demo.Fault{EditToken: func(m map[string]any) { delete(m, "id_token") }}},
		{"token type", demo.Fault{EditToken: func(m map[string]any) { m["token_type"] = "mac" }}},
		{"code refused", demo.Fault{Error: "invalid_grant", ErrorDescription: "secret detail"}},
		{"not JSON", demo.Fault{ReplyAfter: &demo.Reply{Body: []byte("<html>secret detail</html>")}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := s.browser(t)
			revoked := len(s.providers[0].Calls("revocation"))
			s.providers[0].FailNext("code", tt.fault)
			callback := b.approve(b.begin("?return_to=/orders"), "alice")
			a := b.navigate(crossSite, callback.String()).problem(http.StatusBadGateway, "sign_in_failed")
			if a.set("__Host-session") != nil || b.user() != "" {
				t.Error("a session began")
			}
			if strings.Contains(a.body, "secret detail") {
				t.Error("the page shows what the provider wrote")
			}
			calls := len(s.providers[0].Calls("token"))
			b.navigate(crossSite, callback.String()).want(http.StatusSeeOther).leads("/orders")
			if n := len(s.providers[0].Calls("token")); n != calls {
				t.Error("the code was redeemed again")
			}
			if tt.fault.EditIDToken != nil || tt.fault.Forge != 0 {
				// Tokens that came and were not accepted are not left lying about.
				if err := s.providers[0].Wait("revocation", revoked+1, 5*time.Second); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// When the provider's answer is lost the code may be spent: it is never sent
// again, only a new sign-in helps (B13).
func TestCallbackAnswerLost(t *testing.T) {
	for name, fault := range map[string]demo.Fault{
		"dropped after the commit": {DropAfter: true},
		"dropped before":           {DropBefore: true},
		"error 500":                {Reply: &demo.Reply{Status: 500, Body: []byte("stack trace")}},
		"too slow":                 {DelayAfter: 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, options{})
			b := s.browser(t)
			s.providers[0].FailNext("code", fault)
			callback := b.approve(b.begin("?return_to=/orders"), "alice")
			a := b.navigate(crossSite, callback.String()).problem(http.StatusServiceUnavailable, "sign_in_interrupted")
			if !strings.Contains(a.body, `href="/bff/login?return_to=%2Forders"`) {
				t.Errorf("the page has no link to sign in and go on:\n%s", a.text())
			}
			if strings.Contains(a.body, "stack trace") {
				t.Error("the page shows what the provider wrote")
			}
			b.navigate(crossSite, callback.String()).want(http.StatusSeeOther)
			if n := len(s.providers[0].Calls("token")); n != 1 {
				t.Errorf("%d token calls, want 1", n)
			}
			b.signIn("alice", "").want(http.StatusSeeOther)
			if b.user() != "u-1001" {
				t.Error("a new sign-in does not help")
			}
		})
	}
}

// A provider that is down is told with 503, to pages as a page, and is noticed
// when it is back.
func TestLoginProviderDown(t *testing.T) {
	s := newStand(t, options{})
	s.providers[0].SetFaults(demo.Faults{Discovery: demo.Fault{DropBefore: true}})
	b := s.browser(t)
	a := b.navigate(typed, "/bff/login?return_to=/orders").problem(http.StatusServiceUnavailable, "unavailable")
	if a.Header.Get("Retry-After") == "" || a.Header.Get("Location") != "" {
		t.Errorf("headers %v", a.Header)
	}
	if n := len(b.jar()); n != 0 {
		t.Errorf("%d cookies are set", n)
	}
	s.providers[0].SetFaults(demo.Faults{})
	s.sleep(10 * time.Second)
	b.signIn("alice", "").want(http.StatusSeeOther)
}

// Every sign-in makes a new ticket (B10). The one before serves the same user's
// other tabs a little longer, and another user not at all.
func TestSignInReplacesTheSession(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	old := s.browser(t)
	old.hold("__Host-session", b.cookie("session"))
	b.signIn("alice", "?prompt=login").want(http.StatusSeeOther)
	if b.cookie("session") == old.cookie("session") {
		t.Fatal("the ticket is the same")
	}
	s.sleep(29 * time.Second)
	if old.user() != "u-1001" || b.user() != "u-1001" {
		t.Error("a replaced ticket must serve for 30 s")
	}
	s.sleep(2 * time.Second)
	if got := old.user(); got != "" || b.user() != "u-1001" {
		t.Errorf("after 31 s the replaced ticket is %q's", got)
	}
	if n := len(s.providers[0].Calls("revocation")); n != 0 {
		t.Errorf("%d revocations: the same user's grant must live on", n)
	}

	b2 := s.signedIn(t, "alice")
	old.hold("__Host-session", b2.cookie("session"))
	b2.signIn("bob", "?prompt=login").want(http.StatusSeeOther)
	if got := old.user(); got != "" {
		t.Errorf("after bob signed in the old ticket is still %q's", got)
	}
	if b2.user() != "u-1002" {
		t.Error("bob is not signed in")
	}
	if err := s.providers[0].WaitDone("revocation", 1, 5*time.Second); err != nil {
		t.Error(err)
	}
}

// The ticket that is ended is the one presented at the start: a cross-site
// callback has none (design, section 2).
func TestSignInReplacesWithoutStrictCookie(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	old := s.browser(t)
	old.hold("__Host-session", b.cookie("session"))
	callback := b.approve(b.begin("?prompt=login"), "bob")
	strict := s.browser(t)
	for _, c := range b.jar() {
		if c.Name != "__Host-session" {
			strict.hold(c.Name, c.Value)
		}
	}
	strict.navigate(crossSite, callback.String()).want(http.StatusSeeOther)
	if old.user() != "" || strict.user() != "u-1002" {
		t.Error("the session before was not ended")
	}
}

// A value that somebody planted never becomes a session (B10, E3).
func TestSignInFixation(t *testing.T) {
	s := newStand(t, options{})
	attacker := s.signedIn(t, "bob")
	for _, planted := range []string{"planted", attacker.cookie("session")} {
		b := s.browser(t)
		b.hold("__Host-session", planted)
		b.signIn("alice", "?prompt=login").want(http.StatusSeeOther)
		if b.cookie("session") == planted || b.user() != "u-1001" {
			t.Error("the planted value lives on")
		}
		if attacker.user() == "u-1001" {
			t.Error("the attacker is signed in as alice")
		}
	}
}
