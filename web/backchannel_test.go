package web_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/web"
)

// alice's and bob's sub at the development provider.
const (
	alice = "u-1001"
	bob   = "u-1002"
)

// lastSID is the provider's session of whoever signed in last.
func (s *stand) lastSID() string {
	sid := ""
	for _, secret := range s.providers[0].Secrets() {
		if secret.Kind != "id_token" {
			continue
		}
		payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(secret.Value, ".")[1])
		var claims struct {
			SID string `json:"sid"`
		}
		_ = json.Unmarshal(payload, &claims) // what is no ID token has no sid
		sid = claims.SID
	}
	return sid
}

// signedInAs is signedIn with the provider's name for the session.
func (s *stand) signedInAs(t testing.TB, user string) (b *browser, sid string) {
	t.Helper()
	b = s.signedIn(t, user)
	return b, s.lastSID()
}

// logoutToken makes an honest logout token.
func (s *stand) logoutToken(sub, sid string) string {
	return s.providers[0].LogoutToken(demo.Logout{Client: clientID, Subject: sub, SID: sid})
}

// postLogout sends form as the provider does: no cookies, nothing of a browser.
func (s *stand) postLogout(t testing.TB, form string, headers ...string) *answer {
	t.Helper()
	b := s.browser(t)
	r := b.request("POST", "/bff/backchannel-logout/main", append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
	r.Body, r.ContentLength = readCloser{strings.NewReader(form)}, int64(len(form))
	return b.do(r)
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

func (s *stand) backchannel(t testing.TB, token string) *answer {
	t.Helper()
	return s.postLogout(t, url.Values{"logout_token": {token}}.Encode())
}

// I6, I7: a sid ends that session, a sub all of that user's; nothing to end is a
// success.
func TestBackchannelLogout(t *testing.T) {
	s := newStand(t, options{})
	first, sid := s.signedInAs(t, "alice")
	second, third := s.signedIn(t, "alice"), s.signedIn(t, "bob")
	state := func(want ...bool) {
		t.Helper()
		for i, b := range []*browser{first, second, third} {
			if got := b.user() != ""; got != want[i] {
				t.Errorf("session %d lives: %v, want %v", i+1, got, want[i])
			}
		}
	}
	state(true, true, true)
	a := s.backchannel(t, s.logoutToken(alice, sid)).want(http.StatusOK)
	if a.body != "" || a.Header.Get("Cache-Control") != "no-store" || len(a.Cookies()) != 0 {
		t.Errorf("answer %q with headers %v, want nothing but no-store", a.body, a.Header)
	}
	state(false, true, true)
	first.fetch("GET", "/api/whoami").problem(http.StatusUnauthorized, "signed_out")
	s.backchannel(t, s.logoutToken("", sid)).want(http.StatusOK)
	state(false, true, true)
	s.backchannel(t, s.logoutToken(alice, "")).want(http.StatusOK)
	state(false, false, true)
	s.backchannel(t, s.logoutToken("nobody", "")).want(http.StatusOK)
	state(false, false, true)
	log := s.log.String()
	if got := strings.Count(log, `"provider_logout"`); got != 4 {
		t.Errorf("%d logouts in the log, want 4", got)
	}
	if got := strings.Count(log, `"reason":"backchannel_logout"`) - 4; got != 2 {
		t.Errorf("%d sessions ended for it in the log, want 2", got)
	}
}

// F1: what a browser's request would carry means nothing here; a cookie is not
// even looked at.
func TestBackchannelLogoutNeedsNoBrowser(t *testing.T) {
	s := newStand(t, options{})
	b, sid := s.signedInAs(t, "alice")
	other := s.signedIn(t, "bob")
	s.postLogout(t, url.Values{"logout_token": {s.logoutToken("", sid)}}.Encode(),
		"Origin", "https://evil.example", "Sec-Fetch-Site", crossSite, "Cookie", "__Host-session="+other.cookie("session"),
		"Content-Type", "Application/X-WWW-Form-Urlencoded; charset=UTF-8").want(http.StatusOK)
	if b.user() != "" || other.user() != bob {
		t.Error("it ended the wrong session")
	}
}

// I5, I7: what is refused ends nobody's session, says nothing of the cause, and
// leaves one audit event.
func TestBackchannelLogoutRefused(t *testing.T) {
	s := newStand(t, options{})
	b, sid := s.signedInAs(t, "alice")
	good := s.logoutToken(alice, sid)
	forged := s.providers[0].LogoutToken(demo.Logout{Client: clientID, Subject: alice, Forge: demo.ForgeForeignKey})
	form := "logout_token=" + good
	tests := []struct {
		name, form, reason string
		headers            []string
	}{
		{"no token", "", "malformed_request", nil},
		{"two tokens", form + "&" + form, "malformed_request", nil},
		{"token under another name", "token=" + good, "malformed_request", nil},
		{"no form", `{"logout_token":"` + good + `"}`, "malformed_request", []string{"Content-Type", "application/json"}},
		{"no content type", form, "malformed_request", []string{"Content-Type", ""}},
		{"parts", form, "malformed_request", []string{"Content-Type", "multipart/form-data; boundary=x"}},
		{"broken encoding", form + "&x=%zz", "malformed_request", nil},
		{"too large", form + "&x=" + strings.Repeat("x", 64<<10), "malformed_request", nil},
		{"empty token", "logout_token=", "malformed_token", nil},
		{"forged", "logout_token=" + forged, "bad_signature", nil},
		{"ID token", "logout_token=" + s.idToken(), "typ_refused", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := strings.Count(s.log.String(), `"audit":true`)
			a := s.postLogout(t, tt.form, tt.headers...).problem(http.StatusBadRequest, "logout_refused")
			if a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("Cache-Control = %q, want no-store", a.Header.Get("Cache-Control"))
			}
			wantKeys(t, "the answer", a.json(), "type", "title", "status", "code", "reference")
			log := s.log.String()
			if got := strings.Count(log, `"audit":true`) - before; got != 1 {
				t.Errorf("%d audit events, want 1", got)
			}
			if last := log[strings.LastIndex(log, `"msg":"logout_refused"`):]; !strings.Contains(last, `"reason":"`+tt.reason+`"`) {
				t.Errorf("the event does not say %s: %s", tt.reason, last)
			}
			if b.user() != alice {
				t.Fatal("the session is over")
			}
		})
	}
	c := s.browser(t)
	c.fetch("POST", "/bff/backchannel-logout/other").problem(http.StatusNotFound, "not_found")
	c.navigate(typed, "/bff/backchannel-logout/main?"+form).problem(http.StatusMethodNotAllowed, "method_not_allowed")
	if b.user() != alice {
		t.Error("the session is over")
	}
	s.backchannel(t, good).want(http.StatusOK) // it was good all the time
}

// idToken is the last one that was issued.
func (s *stand) idToken() string {
	token := ""
	for _, secret := range s.providers[0].Secrets() {
		if secret.Kind == "id_token" {
			token = secret.Value
		}
	}
	return token
}

// I5: a token counts once, also for a session that began after it.
func TestBackchannelLogoutRepeated(t *testing.T) {
	s := newStand(t, options{})
	s.signedIn(t, "alice")
	token := s.logoutToken(alice, "")
	s.backchannel(t, token).want(http.StatusOK)
	s.sleep(time.Second)
	b := s.signedIn(t, "alice")
	for range 2 {
		s.backchannel(t, token).problem(http.StatusBadRequest, "logout_refused")
	}
	if b.user() != alice {
		t.Error("a repeated token ended a new session")
	}
	if !strings.Contains(s.log.String(), `"reason":"repeated"`) {
		t.Error("the log does not say that it was repeated")
	}
}

// I7, K4: a store that can't be written is no success, and the same token is
// good when it can.
func TestBackchannelLogoutStoreFailing(t *testing.T) {
	broken := &brokenStore{}
	s := newStand(t, options{store: func(real session.Store) session.Store {
		broken.Store = real
		return broken
	}})
	b := s.signedIn(t, "alice")
	token := s.logoutToken(alice, "")
	broken.bury.Store(true)
	a := s.backchannel(t, token).problem(http.StatusBadRequest, "logout_failed")
	if strings.Contains(a.body, "sessions.db") || b.user() != "" { // in memory it is over all the same
		t.Errorf("answer %q; the session lives: %v", a.body, b.user() != "")
	}
	if !strings.Contains(s.log.String(), `"msg":"logout_refused"`) || !strings.Contains(s.log.String(), `"reason":"unavailable"`) {
		t.Error("the log does not say that a logout failed")
	}
	broken.bury.Store(false)
	s.backchannel(t, token).want(http.StatusOK)
	if b.user() != "" {
		t.Error("the session lives on")
	}
}

// H3: a provider speaks for its own users only.
func TestBackchannelLogoutOfAnotherProvider(t *testing.T) {
	s := newStand(t, options{providers: []string{"main", "other"}})
	b := s.browser(t)
	b.signIn("alice", "?provider=main").want(http.StatusSeeOther)
	foreign := s.providers[1].LogoutToken(demo.Logout{Client: clientID, Subject: alice})
	s.backchannel(t, foreign).problem(http.StatusBadRequest, "logout_refused")
	pretending := s.providers[1].LogoutToken(demo.Logout{Client: clientID, Subject: alice, Edit: func(claims, _ map[string]any) { claims["iss"] = s.providers[0].URL }})
	s.backchannel(t, pretending).problem(http.StatusBadRequest, "logout_refused")
	if b.user() != alice {
		t.Error("another provider ended the session")
	}
}

// K2: a flood of refused logouts fills no log, and keeps no honest one out.
func TestBackchannelLogoutFlood(t *testing.T) {
	s := newStand(t, options{web: func(c *web.Config) { c.Rates.Callbacks = 4 }})
	b := s.signedIn(t, "alice") // is counted apart
	for range 4 {
		s.backchannel(t, "x").problem(http.StatusBadRequest, "logout_refused")
	}
	for range 20 {
		s.backchannel(t, "x").problem(http.StatusTooManyRequests, "too_many_requests")
	}
	if got := strings.Count(s.log.String(), `"logout_refused","audit"`); got != 4 {
		t.Errorf("%d events in the log, want 4", got)
	}
	s.backchannel(t, s.logoutToken(alice, "")).want(http.StatusOK)
	if b.user() != "" {
		t.Error("the session lives on")
	}
}

// The provider's own logout reaches us by itself.
func TestProviderLogout(t *testing.T) {
	var s *stand
	s = newStand(t, options{provider: func(c *demo.ProviderConfig) {
		c.Clients[0].BackchannelLogoutURI = "https://example.com/bff/backchannel-logout/main"
		c.Backchannel = &http.Client{Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
			return s.browser(t).hc.Transport.RoundTrip(r)
		})}
	}})
	b := s.signedIn(t, "alice")
	if err := s.providers[0].Logout(t.Context(), alice, ""); err != nil {
		t.Error(err)
	}
	if b.user() != "" {
		t.Error("the session lives on")
	}
	// And after a sign-out here it finds nothing to end.
	b = s.signedIn(t, "bob")
	at, err := b.signOut().want(http.StatusSeeOther).Location()
	if err != nil {
		t.Fatal(err)
	}
	b.endAt(at)
	if err := s.providers[0].WaitDone("backchannel_logout", 2, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	for _, call := range s.providers[0].Calls("backchannel_logout") {
		if call.Status != http.StatusOK {
			t.Errorf("the provider was answered %d", call.Status)
		}
	}
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
