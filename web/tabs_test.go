package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// With several providers a sign-in that names none gets a page to choose; each
// has a callback of its own (H2).
func TestLoginSeveralProviders(t *testing.T) {
	s := newStand(t, options{providers: []string{"main", "partner"}})
	b := s.browser(t)

	a := b.navigate(typed, "/bff/login?return_to=/orders&prompt=login").want(http.StatusOK)
	for _, want := range []string{
		"Sign in at main", "Sign in at partner",
		`href="/bff/login?prompt=login&amp;provider=partner&amp;return_to=%2Forders"`,
	} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the page has no %s:\n%s", want, a.body)
		}
	}
	if n := len(b.jar()); n != 0 {
		t.Errorf("the page set %d cookies", n)
	}
	for i, provider := range []string{"main", "partner"} {
		for _, query := range []string{"?provider=" + provider, "?iss=" + url.QueryEscape(s.providers[i].URL)} {
			at := b.begin(query)
			if !strings.HasPrefix(at.String(), s.providers[i].URL+"/") {
				t.Errorf("%s leads to %s", query, at)
			}
		}
	}
	b.navigate(typed, "/bff/login?provider=main&iss="+url.QueryEscape(s.providers[1].URL)).
		problem(http.StatusBadRequest, "unknown_provider")
	b.navigate(typed, "/bff/login?provider=MAIN").problem(http.StatusBadRequest, "unknown_provider")

	b.signIn("bob", "?provider=partner&return_to=/orders").want(http.StatusSeeOther).leads("/orders")
	if got := b.fetch("GET", "/bff/session").json()["provider"]; got != "partner" {
		t.Errorf("provider = %v, want partner", got)
	}
	if n := len(s.providers[0].Calls("code")); n != 0 {
		t.Errorf("the other provider was asked %d times", n)
	}
}

// A callback that comes in at another provider's address is refused: that
// provider may have sent it (H1, H2, H5).
func TestCallbackOfAnotherProvider(t *testing.T) {
	s := newStand(t, options{providers: []string{"main", "partner"}})
	b := s.browser(t)
	forMain := b.approve(b.begin("?provider=main"), "alice")
	forPartner := b.approve(b.begin("?provider=partner"), "alice")
	tests := []struct {
		name string
		path string
		q    url.Values
	}{
		{"main's answer at partner's address", "/bff/callback/partner", forMain.Query()},
		{"partner's answer at main's address", "/bff/callback", forPartner.Query()},
		{"no such provider", "/bff/callback/other", forMain.Query()},
		{"main under its name", "/bff/callback/main", forMain.Query()},
		{"with a slash", "/bff/callback/", forMain.Query()},
		{"partner's code for main's request", "/bff/callback", url.Values{
			"state": forMain.Query()["state"], "code": forPartner.Query()["code"], "iss": forPartner.Query()["iss"],
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := b.navigate(crossSite, tt.path+"?"+tt.q.Encode())
			if a.StatusCode < 400 || a.set("__Host-session") != nil {
				t.Errorf("answer %d, cookies %v", a.StatusCode, a.Cookies())
			}
		})
	}
	if n := len(s.providers[0].Calls("code")) + len(s.providers[1].Calls("code")); n != 0 {
		t.Errorf("%d codes were sent", n)
	}
	b.navigate(crossSite, forPartner.String()).want(http.StatusSeeOther)
}

// Sign-ins in several tabs do not disturb each other (A7).
func TestLoginInterleaved(t *testing.T) {
	s := newStand(t, options{})
	b := s.browser(t)
	var callbacks []*url.URL
	for _, tab := range []string{"/a", "/b", "/c"} {
		callbacks = append(callbacks, b.approve(b.begin("?return_to="+tab), "alice"))
	}
	for i, want := range map[int]string{1: "/b", 2: "/c", 0: "/a"} {
		b.navigate(crossSite, callbacks[i].String()).want(http.StatusSeeOther).leads(want)
	}
	if b.user() == "" {
		t.Error("nobody is signed in after three sign-ins")
	}
	if n := len(s.providers[0].Calls("code")); n != 3 {
		t.Errorf("%d codes were redeemed, want 3", n)
	}
}

// Sign-ins that nobody finishes leave few and small cookies, the newest (A7, E5).
func TestLoginCookiesAreBounded(t *testing.T) {
	s := newStand(t, options{})
	for _, returnTo := range []string{"/", "/" + strings.Repeat("a", 1023)} {
		b := s.browser(t)
		var last *url.URL
		for range 100 {
			last = b.begin("?return_to=" + returnTo)
			s.sleep(time.Second)
			if n, size := b.loginCookies(); n > 5 || size > 6<<10 {
				t.Fatalf("%d cookies of %d bytes, want at most 5 of 6144", n, size)
			}
		}
		if n, _ := b.loginCookies(); n < 2 {
			t.Errorf("%d sign-ins are left, want some", n)
		}
		b.navigate(crossSite, b.approve(last, "alice").String()).want(http.StatusSeeOther).leads(returnTo)
	}
}

// With everything at its longest the cookie still fits a browser (E5).
func TestLoginCookieSize(t *testing.T) {
	s := newStand(t, options{providers: []string{"main", strings.Repeat("p", 32)}})
	b := s.signedIn2(t)
	query := "?provider=" + strings.Repeat("p", 32) + "&return_to=/" + strings.Repeat("a", 1023) + "&max_age=31622400&prompt=login" +
		"&acr_values=" + strings.Repeat("x", 128) + "+" + strings.Repeat("y", 127) + "&login_hint=" + strings.Repeat("h", 256) + "&ui_locales=" + strings.Repeat("de", 64)
	a := b.navigate(ourOrigin, "/bff/login"+query).want(http.StatusFound)
	for _, line := range a.Header.Values("Set-Cookie") {
		if len(line) > 4096 {
			t.Errorf("a cookie has %d bytes", len(line))
		}
	}
	u, _ := a.Location()
	callback := b.approve(u, "bob")
	b.navigate(crossSite, callback.String()).want(http.StatusSeeOther).leads("/" + strings.Repeat("a", 1023))
}

// signedIn2 is signedIn where there are several providers.
func (s *stand) signedIn2(t testing.TB) *browser {
	t.Helper()
	b := s.browser(t)
	b.signIn("alice", "?provider=main").want(http.StatusSeeOther)
	return b
}

// It is the oldest sign-ins that make room for new ones (A7).
func TestLoginKeepsTheNewest(t *testing.T) {
	s := newStand(t, options{})
	b := s.browser(t)
	var begun []*url.URL
	for range 8 {
		begun = append(begun, b.begin("?return_to=/orders"))
		s.sleep(time.Second)
	}
	for i, at := range begun {
		want := http.StatusSeeOther
		if i < 3 {
			want = http.StatusBadRequest
		}
		b.navigate(crossSite, b.approve(at, "alice").String()).want(want)
	}
}
