package web_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/web"
)

// K2: whoever shares an address, and a page that somebody there has open, keeps
// nobody from finishing a sign-in by what is no sign-in of its own.
func TestOthersKeepNobodyFromSigningIn(t *testing.T) {
	const office = "192.0.2.7"
	forged := "/bff/callback?state=abcdefghijklmnop&code=x"
	image := []string{"Accept", "image/*", "Sec-Fetch-Site", crossSite, "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}
	plain := []string{"Sec-Fetch-Site", "", "Sec-Fetch-Mode", "", "Sec-Fetch-Dest", ""}
	tests := []struct {
		name    string
		method  string
		target  string
		headers []string
	}{
		{"images of another site", "GET", forged, image},
		{"its frames", "GET", forged, []string{"Sec-Fetch-Site", crossSite, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}},
		{"its links", "GET", forged, []string{"Sec-Fetch-Site", crossSite, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}},
		{"images in an old browser", "GET", forged, plain},
		{"broken callbacks", "GET", "/bff/callback?%zz", plain},
		{"ways back from a logout", "GET", "/bff/logout/callback?state=x", plain},
		{"images of that", "GET", "/bff/logout/callback?state=x", image},
		{"forms as a provider's logout", "POST", "/bff/backchannel-logout/main", plain},
		{"frames as a provider's logout", "GET", "/bff/frontchannel-logout/main", plain},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStand(t, limited(web.Rates{Callbacks: 3}, options{}))
			colleague := s.browser(t)
			callback := colleague.approve(colleague.begin(""), "alice")
			for range 10 {
				a := s.browser(t).fetch(tt.method, tt.target, append(at(office), tt.headers...)...)
				if a.StatusCode < 400 {
					t.Fatalf("the flood is answered %d", a.StatusCode)
				}
			}
			colleague.navigate(crossSite, callback.String(), at(office)...).want(http.StatusSeeOther)
			if colleague.user() != "u-1001" {
				t.Error("not signed in")
			}
		})
	}
}

// K2: what a page fetches, as images of other sites are, is no way back from a
// provider: it is refused before anything is looked at, and uses nothing up.
func TestReturnsAreNavigations(t *testing.T) {
	s := newStand(t, limited(web.Rates{Callbacks: 1}, options{}))
	b := s.browser(t)
	callback := b.approve(b.begin(""), "alice").String()
	for _, target := range []string{callback, "/bff/logout/callback?state=x"} {
		for _, site := range []string{crossSite, sameSite, ourOrigin} {
			b.fetch("GET", target, "Sec-Fetch-Site", site, "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image").
				problem(http.StatusForbidden, "not_a_navigation")
		}
	}
	b.navigate(crossSite, "/bff/logout/callback?state=x").problem(http.StatusBadRequest, "logout_state")
	b.navigate(crossSite, callback, "Sec-Fetch-Dest", "empty").want(http.StatusSeeOther) // by a service worker
}

// K2: whoever has a sign-in of its own can't wear out store or provider with it,
// nor anybody at another address. A sign-in that has to wait is not lost.
func TestFinishedSignInsAreLimited(t *testing.T) {
	var store countingStore
	s := newStand(t, limited(web.Rates{Callbacks: 3}, options{
		store: func(real session.Store) session.Store { store.Store = real; return &store },
	}))
	var waiting [2]*browser
	var callbacks [2]string
	for i := range waiting {
		waiting[i] = s.browser(t)
		callbacks[i] = waiting[i].approve(waiting[i].begin(""), "alice").String()
	}
	b := s.browser(t)
	callback := b.approve(b.begin(""), "bob").String()
	cookies := b.jar()
	replay := func() *answer {
		again := s.browser(t)
		for _, c := range cookies {
			again.hold(c.Name, c.Value)
		}
		return again.navigate(crossSite, callback, at("192.0.2.7")...)
	}
	for range 3 {
		replay().want(http.StatusSeeOther)
	}
	asked := store.writes.Load()
	for range 10 {
		replay().tooMany(20 * time.Second)
	}
	waiting[0].navigate(crossSite, callbacks[0], at("192.0.2.7")...).tooMany(20 * time.Second)
	if n := store.writes.Load() - asked; n != 0 {
		t.Errorf("the store was asked %d times all the same", n)
	}
	waiting[1].navigate(crossSite, callbacks[1], at("192.0.2.8")...).want(http.StatusSeeOther)
	s.sleep(20 * time.Second)
	waiting[0].navigate(crossSite, callbacks[0], at("192.0.2.7")...).want(http.StatusSeeOther)
	// Once it is finished, opening it again costs nothing and is not counted.
	for range 10 {
		waiting[0].navigate(ourOrigin, callbacks[0], at("192.0.2.7")...).want(http.StatusSeeOther)
	}
}

// K2, I9: logouts by the browser are charged for what is refused of them, once
// each; a flood of those keeps no honest one out.
func TestFrontchannelLogoutFlood(t *testing.T) {
	s := newStand(t, options{web: func(c *web.Config) { c.Rates.Callbacks = 3 }})
	b, sid := s.signedInAs(t, "alice")
	iss := s.providers[0].URL
	for range 10 {
		b.frame(frontchannelQuery(iss, "of-nobody")).want(http.StatusOK)
	}
	for range 3 {
		b.frame("").problem(http.StatusBadRequest, "logout_refused")
	}
	for range 10 {
		b.frame("").problem(http.StatusTooManyRequests, "too_many_requests")
	}
	if n := s.events("logout_refused", ""); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
	b.frame(frontchannelQuery(iss, sid)).want(http.StatusOK)
	if b.user() != "" {
		t.Error("the session lives on")
	}
}
