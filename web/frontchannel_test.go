package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session"
)

// frame opens a front-channel logout URL as the provider's page does: another
// site's frame, which gets no cookies.
func (b *browser) frame(query string) *answer {
	b.Helper()
	c := b.s.browser(b)
	return c.navigate(crossSite, "/bff/frontchannel-logout/main"+query, "Sec-Fetch-Dest", "iframe", "Sec-Fetch-User", "")
}

func frontchannelQuery(iss, sid string) string {
	return "?" + url.Values{"iss": {iss}, "sid": {sid}}.Encode()
}

// I9: the session that is named ends, and no other; nobody learns whether there
// was one; only the provider's pages may frame the answer.
func TestFrontchannelLogout(t *testing.T) {
	s := newStand(t, options{})
	b, sid := s.signedInAs(t, "alice")
	other := s.signedIn(t, "alice")
	iss := s.providers[0].URL
	var pages []*answer
	for _, one := range []string{sid, sid, "of-nobody"} {
		pages = append(pages, b.frame(frontchannelQuery(iss, one)).want(http.StatusOK))
	}
	if b.user() != "" || other.user() != alice {
		t.Errorf("the session lives: %v, the other one: %v", b.user() != "", other.user() != "")
	}
	for i, a := range pages {
		h := a.Header
		if h.Get("Cache-Control") != "no-store" || h.Get("X-Frame-Options") != "" || len(a.Cookies()) != 0 ||
			h.Get("Content-Security-Policy") != "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors "+iss {
			t.Errorf("answer %d has headers %v", i, h)
		}
		h.Del("Date")
		if a.body != pages[0].body || len(h) != len(pages[0].Header) {
			t.Errorf("answer %d tells whether there was a session", i)
		}
	}
	// One line for the logout that meant somebody, and one for the session.
	if got := strings.Count(s.log.String(), `"reason":"frontchannel_logout"`); got != 2 {
		t.Errorf("%d lines in the log, want 2", got)
	}
}

// I9: a cookie that a browser sends all the same is not looked at.
func TestFrontchannelLogoutIgnoresCookies(t *testing.T) {
	s := newStand(t, options{})
	b, sid := s.signedInAs(t, "alice")
	other := s.signedIn(t, "bob")
	other.navigate(crossSite, "/bff/frontchannel-logout/main"+frontchannelQuery(s.providers[0].URL, sid)).want(http.StatusOK)
	if b.user() != "" || other.user() != bob {
		t.Error("it ended the wrong session")
	}
}

// I9: the logout page is at another origin than the issuer.
func TestFrontchannelLogoutFrameAncestors(t *testing.T) {
	s := newStand(t, options{})
	s.providers[0].SetFaults(demo.Faults{Discovery: demo.Fault{EditMetadata: func(m map[string]any) { m["end_session_endpoint"] = "https://id.example/out" }}})
	b := s.signedIn(t, "alice")
	a := b.frame(frontchannelQuery(s.providers[0].URL, "x")).want(http.StatusOK)
	if got := a.Header.Get("Content-Security-Policy"); !strings.HasSuffix(got, "; frame-ancestors "+s.providers[0].URL+" https://id.example") {
		t.Errorf("Content-Security-Policy = %s", got)
	}
}

// I9: both or none, of this provider, once each.
func TestFrontchannelLogoutRefused(t *testing.T) {
	s := newStand(t, options{})
	b, sid := s.signedInAs(t, "alice")
	iss := url.QueryEscape(s.providers[0].URL)
	for _, query := range []string{
		"", "?sid=" + sid, "?iss=" + iss, "?iss=&sid=" + sid, "?iss=" + iss + "&sid=", "?iss=" + iss + "/&sid=" + sid,
		"?iss=https://evil.example&sid=" + sid, "?iss=" + iss + "&iss=" + iss + "&sid=" + sid,
		"?iss=" + iss + "&sid=" + sid + "&sid=" + sid, "?iss=" + iss + "&sid=" + sid + ";x=1",
		"?iss=" + iss + "&sid=" + strings.Repeat("x", 256),
	} {
		b.frame(query).problem(http.StatusBadRequest, "logout_refused")
	}
	b.navigate(crossSite, "/bff/frontchannel-logout/other"+frontchannelQuery(s.providers[0].URL, sid)).problem(http.StatusNotFound, "not_found")
	b.fetch("POST", "/bff/frontchannel-logout/main"+frontchannelQuery(s.providers[0].URL, sid)).problem(http.StatusMethodNotAllowed, "method_not_allowed")
	if b.user() != alice {
		t.Error("the session is over")
	}
}

// K4: a store that can't be written is no success.
func TestFrontchannelLogoutStoreFailing(t *testing.T) {
	broken := &brokenStore{}
	s := newStand(t, options{store: func(real session.Store) session.Store {
		broken.Store = real
		return broken
	}})
	b, sid := s.signedInAs(t, "alice")
	broken.bury.Store(true)
	b.frame(frontchannelQuery(s.providers[0].URL, sid)).problem(http.StatusServiceUnavailable, "unavailable")
	broken.bury.Store(false)
	b.frame(frontchannelQuery(s.providers[0].URL, sid)).want(http.StatusOK)
	if b.user() != "" {
		t.Error("the session lives on")
	}
}
