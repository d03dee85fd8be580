package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// Without a session a call is told so, in a way that a page can tell from the
// API's own 401; it is never led away (G14).
func TestProxiedSignedOut(t *testing.T) {
	s := newStand(t, options{})
	b := s.browser(t)
	for _, path := range []string{"/api/whoami", "/docs/whoami", "/files/x", "/quiet/x"} {
		for _, method := range []string{"GET", "POST", "DELETE", "HEAD"} {
			a := b.fetch(method, path).want(http.StatusUnauthorized).leads("")
			challenge := a.Header.Get("WWW-Authenticate")
			if challenge == "" || strings.HasPrefix(challenge, "Basic") || strings.HasPrefix(challenge, "Bearer") || strings.HasPrefix(challenge, "Negotiate") {
				t.Errorf("%s %s: WWW-Authenticate %q", method, path, challenge)
			}
			if got := a.Header.Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("%s %s: Content-Type %q", method, path, got)
			}
			if method != "HEAD" {
				a.problem(http.StatusUnauthorized, "signed_out")
				if a.json()["login_url"] != "/bff/login" {
					t.Errorf("problem %s", a.body)
				}
			}
			if len(a.Cookies()) != 0 {
				t.Errorf("it sets %v", a.Cookies())
			}
		}
	}
	b.fetch("GET", "/opt/public/x").want(http.StatusOK)
	if n := len(s.api.Requests()); n != 1 {
		t.Errorf("%d calls of the API, want 1", n)
	}
	if got := s.api.Requests()[0].Token(); got != "" {
		t.Error("a token went with a call without session")
	}
}

// A navigation to a page that needs a session goes to sign in and comes back
// (design, section 4). One that came from another site is first made to come
// from here, once.
func TestProxiedDocuments(t *testing.T) {
	s := newStand(t, options{})
	b := s.browser(t)
	const page = "/docs/whoami?a=1&b=2"

	for _, site := range []string{typed, ourOrigin, sameSite} {
		b.navigate(site, page).want(http.StatusFound).leads("/bff/login?return_to=%2Fdocs%2Fwhoami%3Fa%3D1%26b%3D2")
	}
	hop := b.navigate(crossSite, page).want(http.StatusOK).leads("")
	if !strings.Contains(hop.body, `http-equiv="refresh" content="0;url=/docs/whoami?a=1&amp;b=2"`) {
		t.Errorf("the page in between:\n%s", hop.text())
	}
	if hop.Header.Get("Cache-Control") != "no-store" || len(hop.Cookies()) != 0 {
		t.Errorf("the page in between: %v", hop.Header)
	}
	// That page navigates from here, and a reload of what follows keeps its site.
	login := b.navigate(ourOrigin, page).want(http.StatusFound)
	at, err := login.Location()
	if err != nil {
		t.Fatal(err)
	}
	b.signIn("alice", "?"+at.RawQuery).want(http.StatusOK)
	for _, site := range []string{ourOrigin, crossSite, typed} {
		b.navigate(site, page).want(http.StatusOK)
	}
	if n := len(s.api.Requests()); n != 3 {
		t.Errorf("%d calls of the API, want 3", n)
	}
	long := "/docs/x?" + strings.Repeat("a", 2000)
	s.browser(t).navigate(typed, long).want(http.StatusFound).leads("/bff/login")
}

// What a browser would show or run is refused on routes for calls (G12).
func TestProxiedDestinations(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	refused := map[string]bool{
		"document": true, "iframe": true, "frame": true, "embed": true, "object": true, "fencedframe": true,
		"script": true, "style": true, "xslt": true, "worker": true, "sharedworker": true, "serviceworker": true,
		"audioworklet": true, "paintworklet": true,
		"empty": false, "image": false, "audio": false, "video": false, "font": false, "track": false, "": false,
	}
	for _, path := range []string{"/api/whoami", "/opt/whoami", "/open/public/x", "/docs/whoami", "/files/whoami"} {
		for dest, no := range refused {
			if dest == "document" && (strings.HasPrefix(path, "/docs") || strings.HasPrefix(path, "/files")) {
				no = false
			}
			before := len(s.api.Requests())
			a := b.fetch("GET", path, "Sec-Fetch-Dest", dest, "Sec-Fetch-Mode", "no-cors")
			if !no {
				a.want(http.StatusOK)
				continue
			}
			a.problem(http.StatusForbidden, "not_a_document")
			if len(s.api.Requests()) != before {
				t.Errorf("%s as %s reached the API", path, dest)
			}
		}
	}
	// A page that a user opens by its address gets a page.
	b.navigate(typed, "/api/whoami").problem(http.StatusForbidden, "not_a_document")
	// Nor are our own endpoints for calls; who types an address comes from no other site.
	b.navigate(typed, "/bff/user").problem(http.StatusForbidden, "not_a_document")
	b.navigate(crossSite, "/bff/user").problem(http.StatusForbidden, "cross_site")
	// A route for calls sends no navigation to sign in, however it comes.
	for _, dest := range []string{"empty", ""} {
		s.browser(t).navigate(ourOrigin, "/api/whoami", "Sec-Fetch-Dest", dest).problem(http.StatusUnauthorized, "signed_out").leads("")
	}
}

// Our cookies and the browser's credentials go no further (G4, G5).
func TestProxiedCookies(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	b.hold("theme", "dark")
	b.begin("")
	b.fetch("GET", "/api/whoami", "Authorization", "Bearer forged").want(http.StatusOK)
	b.fetch("GET", "/open/public/x", "Authorization", "Bearer forged").want(http.StatusOK)
	for i, r := range s.api.Requests() {
		if r.Header.Get("Cookie") != "" || strings.Contains(r.Header.Get("Authorization"), "forged") {
			t.Errorf("call %d has %v", i, r.Header)
		}
	}
	if s.api.Requests()[0].Token() == "" || s.api.Requests()[1].Token() != "" {
		t.Error("the token belongs to the first call and to no other")
	}
}

// An API that wants a better sign-in is passed on as where to get it (C11).
func TestProxiedStepUp(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	tests := []struct{ challenge, login string }{
		{`Bearer error="insufficient_user_authentication", acr_values="gold silver", max_age="60"`, "/bff/login?acr_values=gold+silver&max_age=60"},
		{`Bearer error="insufficient_user_authentication", max_age="0"`, "/bff/login?max_age=0"},
		{`Bearer error="insufficient_user_authentication"`, "/bff/login"},
		{`Bearer error="insufficient_user_authentication", acr_values="a&return_to=//evil"`, "/bff/login?acr_values=a%26return_to%3D%2F%2Fevil"},
	}
	for _, tt := range tests {
		s.api.Handle("/stepup", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", tt.challenge)
			w.WriteHeader(http.StatusUnauthorized)
		}))
		a := b.fetch("GET", "/api/stepup").problem(http.StatusUnauthorized, "step_up_required")
		if got := a.json()["login_url"]; got != tt.login {
			t.Errorf("login_url = %v, want %v", got, tt.login)
		}
	}
	if n := len(s.providers[0].Calls("refresh")); n != 0 {
		t.Errorf("%d renewals, want none", n)
	}
	a := b.navigate(ourOrigin, "/docs/stepup").problem(http.StatusUnauthorized, "step_up_required")
	if !strings.Contains(a.body, `href="/bff/login?acr_values=a%26`) {
		t.Errorf("the page has no link:\n%s", a.text())
	}
}

// A provider that is down ends no session; one that says no does (D7).
func TestProxiedRenewal(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	s.providers[0].SetFaults(demo.Faults{Refresh: demo.Fault{Reply: &demo.Reply{Status: 503, Body: []byte("maintenance of db-7")}}})
	s.sleep(6 * time.Minute)
	for range 3 {
		a := b.fetch("GET", "/api/whoami").problem(http.StatusServiceUnavailable, "unavailable")
		if a.Header.Get("Retry-After") == "" || strings.Contains(a.body, "db-7") || len(a.Cookies()) != 0 {
			t.Errorf("headers %v, body %s", a.Header, a.body)
		}
	}
	page := b.navigate(ourOrigin, "/docs/whoami?x=1").problem(http.StatusServiceUnavailable, "unavailable")
	if !strings.Contains(page.body, `href="/docs/whoami?x=1"`) {
		t.Errorf("the page has no way to try again:\n%s", page.text())
	}
	if b.user() == "" {
		t.Fatal("the session is over")
	}
	s.providers[0].SetFaults(demo.Faults{})
	s.sleep(time.Minute)
	b.fetch("GET", "/api/whoami").want(http.StatusOK)

	s.providers[0].RevokeFamilies("")
	s.sleep(6 * time.Minute)
	b.fetch("GET", "/api/whoami").problem(http.StatusUnauthorized, "signed_out")
	if b.user() != "" {
		t.Error("the session outlives its refused refresh token")
	}
	if strings.Count(s.log.String(), `"reason":"renewal_refused"`) != 1 {
		t.Error("the log does not say once that the renewal was refused")
	}
}
