package main

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// TestProbeCallback proves that only the callback of this browser's sign-in is
// believed, that nothing else is sent to the provider, and that the right one
// still counts afterwards (A3, A7).
func TestProbeCallback(t *testing.T) {
	p := newProbing(t, demo.ProviderConfig{})
	p.start(nil)
	callback := p.walk()
	edited := func(edit func(url.Values)) string {
		u, q := *callback, callback.Query()
		edit(q)
		u.RawQuery = q.Encode()
		return u.String()
	}
	stranger, _ := cookiejar.New(nil) // never fails without options
	forger, _ := cookiejar.New(nil)
	forger.SetCookies(callback, []*http.Cookie{{Name: "cloakroom-probe", Value: "x", Path: "/"}})
	own := p.hc.Jar
	for _, tt := range []struct {
		name, address string
		jar           http.CookieJar
	}{
		{"wrong state", edited(func(q url.Values) { q.Set("state", "x") }), own},
		{"no state", edited(func(q url.Values) { q.Del("state") }), own},
		{"two states", edited(func(q url.Values) { q.Add("state", "x") }), own},
		{"another issuer", edited(func(q url.Values) { q.Set("iss", "https://evil.example") }), own},
		{"no code", edited(func(q url.Values) { q.Del("code") }), own},
		{"no query", p.origin + "/bff/callback/main?%zz", own},
		{"another browser", callback.String(), stranger},
		{"another cookie", callback.String(), forger},
	} {
		p.hc.Jar = tt.jar
		if status, body := p.get(tt.address); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s, want 400", tt.name, status, body)
		}
	}
	p.hc.Jar = own
	if calls := p.provider.Calls("token"); len(calls) != 0 {
		t.Errorf("%d calls to the token endpoint, want none", len(calls))
	}
	if status, body := p.get(callback.String()); status != http.StatusOK {
		t.Errorf("the right callback = %d %s, want 200", status, body)
	}
	if code := p.end(); code != exitOK {
		t.Errorf("exit %d, want 0:\n%s", code, p.stderr)
	}
}

// A sign-in that the provider refuses may be begun again; of two that are begun
// the later one counts.
func TestProbeSignInAgain(t *testing.T) {
	p := newProbing(t, demo.ProviderConfig{})
	p.start(nil)
	denied, err := p.provider.Deny(p.hc, p.origin+"/bff/login")
	if err != nil {
		t.Fatal(err)
	}
	if status, body := p.get(denied.String()); status != http.StatusForbidden {
		t.Errorf("a refusal = %d %s, want 403", status, body)
	}
	if !strings.Contains(p.stderr.String(), "access_denied") {
		t.Errorf("it says\n%s\nwant the refusal", p.stderr)
	}
	earlier := p.walk()
	p.hc.Jar, _ = cookiejar.New(nil)
	later := p.walk()
	if status, _ := p.get(earlier.String()); status != http.StatusBadRequest {
		t.Errorf("the earlier callback = %d, want 400", status)
	}
	if status, _ := p.get(later.String()); status != http.StatusOK {
		t.Errorf("the later callback = %d, want 200", status)
	}
	if code := p.end(); code != exitOK {
		t.Errorf("exit %d, want 0:\n%s", code, p.stderr)
	}
}

// TestProbeServesNothingElse proves that nothing but the way to the provider and
// back is there while a probe listens.
func TestProbeServesNothingElse(t *testing.T) {
	p := newProbing(t, demo.ProviderConfig{})
	p.start(nil)
	for _, tt := range []struct{ method, path, host string }{
		{"GET", "/", ""}, {"GET", "/bff/user", ""}, {"GET", "/api/", ""}, {"GET", "/bff/login/", ""},
		{"GET", "/bff/callback", ""}, // the other provider's
		{"GET", "/bff/callback/other", ""},
		{"POST", "/bff/login", ""}, {"HEAD", "/bff/login", ""}, {"POST", "/bff/callback/main", ""},
		{"OPTIONS", "/bff/login", ""},
		{"GET", "/bff/login", "evil.example"},
	} {
		r, err := http.NewRequest(tt.method, p.origin+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = tt.host
		res, err := p.hc.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusNotFound || len(res.Cookies()) != 0 {
			t.Errorf("%s %s at %q = %d with cookies %v, want 404 and none", tt.method, tt.path, tt.host, res.StatusCode, res.Cookies())
		}
	}
	p.stop()
	p.nothing(p.end(), "stopped", "try again")
}

// The cookie is not for scripts and not for other sites' calls.
func TestProbeCookie(t *testing.T) {
	p := newProbing(t, demo.ProviderConfig{})
	p.start(nil)
	res, err := p.hc.Get(p.origin + "/bff/login")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	cookies := res.Cookies()
	if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode || cookies[0].Path != "/" || cookies[0].MaxAge <= 0 {
		t.Errorf("cookies %v, want one: HttpOnly, Lax, for /, short-lived", cookies)
	}
	p.stop()
	p.nothing(p.end(), "stopped", "try again")
	cfg := mustLoad(p)
	cfg.PublicURL = mustURL("https://app.example.com")
	if c := newDoor(&probe{cfg: cfg}).cookie; c.Name != "__Host-probe" || !c.Secure {
		t.Errorf("cookie under https = %v, want __Host- and Secure", c)
	}
}
