package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// signOut posts the app's form.
func (b *browser) signOut() *answer {
	b.Helper()
	return b.do(b.request("POST", "/bff/logout", "Origin", b.s.origin, "Sec-Fetch-Site", ourOrigin, "Sec-Fetch-Mode", "navigate",
		"Sec-Fetch-Dest", "document", "Sec-Fetch-User", "?1", "Accept", "text/html"))
}

// Logout ends the session here, tells the provider, and leads the browser on to
// end its session there (I1, I2, I3).
func TestLogout(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	ticket := b.cookie("session")
	a := b.signOut().want(http.StatusSeeOther)
	at, err := a.Location()
	if err != nil {
		t.Fatal(err)
	}
	q := at.Query()
	if !strings.HasPrefix(at.String(), s.providers[0].URL+"/logout?") {
		t.Errorf("it leads to %s", at)
	}
	wantKeys(t, "the end-session URL", anyMap(q), "id_token_hint", "client_id", "post_logout_redirect_uri", "state")
	if q.Get("client_id") != clientID || q.Get("post_logout_redirect_uri") != "https://example.com/bff/logout/callback" ||
		len(q.Get("state")) < 22 || strings.Count(q.Get("id_token_hint"), ".") != 2 {
		t.Errorf("it leads to %v", q)
	}
	if b.cookie("session") != "" {
		t.Error("the cookie is still there")
	}
	if got := a.Header.Values("Clear-Site-Data"); len(got) != 1 || got[0] != `"cache", "storage"` {
		t.Errorf("Clear-Site-Data = %q", got) // I11
	}
	b.hold("__Host-session", ticket)
	if b.user() != "" {
		t.Error("the old ticket still opens the session")
	}
	b.fetch("GET", "/api/whoami").problem(http.StatusUnauthorized, "signed_out")
	if err := s.providers[0].WaitDone("revocation", 1, 5*time.Second); err != nil {
		t.Error(err)
	}
	back := b.endAt(at)
	b.navigate(crossSite, back.String()).want(http.StatusSeeOther).leads("/bye")
	if strings.Count(s.log.String(), `"reason":"logout"`) != 1 {
		t.Error("the log does not say once that it was a logout")
	}
}

func anyMap(q url.Values) map[string]any {
	m := map[string]any{}
	for k := range q {
		m[k] = nil
	}
	return m
}

// endAt ends the session at the provider and returns where that leads.
func (b *browser) endAt(at *url.URL) *url.URL {
	b.Helper()
	c := *b.idp
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := c.Get(at.String())
	if err != nil {
		b.Fatal(err)
	}
	_ = res.Body.Close()
	back, err := res.Location()
	if err != nil {
		b.Fatalf("the provider answers %s: %v", res.Status, err)
	}
	return back
}

// A page's own call is told where to go instead.
func TestLogoutJSON(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	a := b.fetch("POST", "/bff/logout").want(http.StatusOK).leads("")
	wantKeys(t, "the answer", a.json(), "logout_url")
	if got := a.json()["logout_url"].(string); !strings.HasPrefix(got, s.providers[0].URL+"/logout?") {
		t.Errorf("logout_url = %s", got)
	}
	if a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Clear-Site-Data") != `"cache", "storage"` || b.user() != "" {
		t.Errorf("headers %v", a.Header)
	}
	// An old browser's form and call tell themselves apart by Accept.
	b = s.signedIn(t, "bob")
	b.do(b.request("POST", "/bff/logout", "Origin", s.origin, "Accept", "text/html")).want(http.StatusSeeOther)
	b = s.signedIn(t, "bob")
	b.do(b.request("POST", "/bff/logout", "X-CSRF", "1", "Accept", "application/json")).want(http.StatusOK)
}

// Signing out twice, or without a session, is harmless, and always clears the
// cookie.
func TestLogoutTwice(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	ticket := b.cookie("session")
	b.signOut().want(http.StatusSeeOther)
	for _, value := range []string{ticket, "nonsense", ""} {
		if value != "" {
			b.hold("__Host-session", value)
		}
		a := b.signOut().want(http.StatusSeeOther).leads("/bye")
		if c := a.set("__Host-session"); c == nil || c.Value != "" || b.cookie("session") != "" {
			t.Errorf("with %.10q the cookie is not cleared: %v", value, a.Cookies())
		}
		if a.Header.Get("Clear-Site-Data") != "" {
			t.Errorf("with %.10q the app's data goes, though no session ended", value)
		}
	}
	if got := b.fetch("POST", "/bff/logout").want(http.StatusOK).json()["logout_url"]; got != "/bye" {
		t.Errorf("logout_url = %v, want /bye", got)
	}
	if n := strings.Count(s.log.String(), `"session_ended"`); n != 1 {
		t.Errorf("%d sessions ended, want 1", n)
	}
}

// The provider being down keeps nobody signed in (I1).
func TestLogoutProviderDown(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	c := s.signedIn(t, "bob")
	tickets := []string{b.cookie("session"), c.cookie("session")}
	s.providers[0].SetFaults(demo.Faults{Revocation: demo.Fault{DropBefore: true}, Discovery: demo.Fault{DropBefore: true}, EndSession: demo.Fault{DropBefore: true}})
	s.providers[0].Close()
	b.signOut().want(http.StatusSeeOther)
	c.fetch("POST", "/bff/logout").want(http.StatusOK)
	for i, one := range []*browser{b, c} {
		if one.cookie("session") != "" {
			t.Error("the cookie is still there")
		}
		one.hold("__Host-session", tickets[i])
		if one.user() != "" {
			t.Error("the session lives on")
		}
	}
}

// A provider without an end-session endpoint is no trouble.
func TestLogoutNoEndSession(t *testing.T) {
	s := newStand(t, options{})
	s.providers[0].SetFaults(demo.Faults{Discovery: demo.Fault{EditMetadata: func(m map[string]any) { delete(m, "end_session_endpoint") }}})
	b := s.signedIn(t, "alice")
	b.signOut().want(http.StatusSeeOther).leads("/bye")
	if b.user() != "" || strings.Contains(s.log.String(), `"level":"WARN"`) {
		t.Errorf("log:\n%s", s.log)
	}
}

// The way back from the provider is good once, in the browser that went (I3).
func TestLogoutCallback(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	at, _ := b.signOut().Location()
	state := at.Query().Get("state")
	for _, query := range []string{"", "?state=", "?state=x", "?state=" + state[:10], "?state=" + state + "x", "?state=" + state + "&state=" + state} {
		b.navigate(crossSite, "/bff/logout/callback"+query).problem(http.StatusBadRequest, "logout_state").leads("")
	}
	s.browser(t).navigate(crossSite, "/bff/logout/callback?state="+state).problem(http.StatusBadRequest, "logout_state")
	b.navigate(crossSite, "/bff/logout/callback?state="+state).want(http.StatusSeeOther).leads("/bye")
	b.navigate(crossSite, "/bff/logout/callback?state="+state).problem(http.StatusBadRequest, "logout_state")
	// A login cookie's value is no state.
	b.begin("")
	for _, c := range b.jar() {
		b.hold("__Host-logout", c.Value)
	}
	b.navigate(crossSite, "/bff/logout/callback?state=x").problem(http.StatusBadRequest, "logout_state")
}
