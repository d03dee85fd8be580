package web_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/web"
)

// reference returns the reference that a page shows; empty if it shows none.
func (a *answer) reference() string {
	if m := regexp.MustCompile(`"reference">([0-9a-f]{12})<`).FindStringSubmatch(a.body); m != nil {
		return m[1]
	}
	return ""
}

// has fails the test unless the answer has all of wants.
func (a *answer) has(wants ...string) *answer {
	a.Helper()
	for _, want := range wants {
		if !strings.Contains(a.body, want) {
			a.Errorf("%s %s has no %s:\n%s", a.Request.Method, a.Request.URL, want, a.text())
		}
	}
	return a
}

// opens is a page and how it comes about.
type opens struct {
	name string
	do   func(*testing.T, *stand) *answer
}

// everyPage are all the pages there are.
func everyPage() []opens {
	open := func(path string) func(*testing.T, *stand) *answer {
		return func(t *testing.T, s *stand) *answer { return s.browser(t).navigate(crossSite, path) }
	}
	return []opens{
		{"choice", func(t *testing.T, s *stand) *answer { return s.browser(t).navigate(typed, "/bff/login") }},
		{"error", open("/x.js")},
		{"hop", open("/docs/whoami")},
		{"signed-in", open("/bff/signed-in")},
		{"signed-out", open("/bff/signed-out")},
	}
}

// Every page keeps to itself, loads nothing, is complete without script, and is
// built as screen readers want it (M1–M5).
func TestEveryPage(t *testing.T) {
	s := newStand(t, options{providers: []string{"main", "partner"}})
	for _, tt := range everyPage() {
		t.Run(tt.name, func(t *testing.T) {
			a := tt.do(t, s)
			a.has(`<html lang="en" dir="ltr">`, `<title>`, `<body class="`+tt.name+`">`, `<main>`)
			if n := strings.Count(a.body, "<h1"); n != 1 {
				t.Errorf("it has %d headings of the first level", n)
			}
			policy := a.Header.Get("Content-Security-Policy")
			nonce := regexp.MustCompile(`style-src 'nonce-([0-9a-f]{24})'`).FindStringSubmatch(policy)
			if nonce == nil || !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
				t.Fatalf("Content-Security-Policy: %s", policy)
			}
			a.has(`<style nonce="` + nonce[1] + `">`)
			if got, want := strings.Contains(policy, "script-src"), tt.name == "signed-in"; got != want || strings.Contains(a.body, "<script") != want {
				t.Errorf("scripts are allowed = %v, and there are some = %v; want %v", got, strings.Contains(a.body, "<script"), want)
			}
			if found := regexp.MustCompile(`(?:src|href)="(?:https?:)?//|style="|\son[a-z]+=`).FindString(a.text()); found != "" {
				t.Errorf("it has %s", found)
			}
			h := a.Header
			if h.Get("Cache-Control") != "no-store" || h.Get("X-Frame-Options") != "DENY" || h.Get("Content-Language") != "en" || len(a.Cookies()) != 0 {
				t.Errorf("headers %v", h)
			}
		})
	}
}

// A logout ends on a page that says so, and that leads back in only if it is asked
// to. It looks at no session.
func TestSignedOutPage(t *testing.T) {
	s := newStand(t, options{web: func(c *web.Config) { c.Providers[0].PostLogout = "/bff/signed-out" }})
	b := s.signedIn(t, "alice")
	at, err := b.signOut().want(http.StatusSeeOther).Location()
	if err != nil {
		t.Fatal(err)
	}
	back := b.endAt(at)
	b.navigate(crossSite, back.String()).want(http.StatusSeeOther).leads("/bff/signed-out")
	b.navigate(crossSite, "/bff/signed-out").want(http.StatusOK).has("You are signed out", `href="/bff/login"`, `href="/"`)
	b.fetch("GET", "/bff/signed-out").problem(http.StatusForbidden, "not_a_navigation")
}

// A sign-in in a window of its own ends on a page that tells the others and closes
// itself. No other of our addresses can be the end of one (A10).
func TestSignedInPage(t *testing.T) {
	s := newStand(t, options{})
	b := s.browser(t)
	b.signIn("alice", "?return_to=/bff/signed-in").want(http.StatusSeeOther).leads("/bff/signed-in")
	b.navigate(crossSite, "/bff/signed-in").want(http.StatusOK).has(
		"You are signed in", "You may close this window.", `new BroadcastChannel("cloakroom").postMessage({type: "signed-in"})`, "window.close()")
	for _, other := range []string{"/bff/signed-in/", "/bff/signed-in?x=1", "/bff/signed-in%23x", "/bff/signed-out", "/bff/signed-inx"} {
		b.navigate(typed, "/bff/login?return_to="+other).problem(http.StatusBadRequest, "invalid_return_to")
	}
}

// An error page offers what helps, and leads back to where one was.
func TestErrorPageLeadsOn(t *testing.T) {
	s := newStand(t, options{})
	fail := func(target string, err error) *answer {
		r := httptest.NewRequest("GET", target, nil)
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		w := httptest.NewRecorder()
		s.server.Fail(w, r, err)
		return &answer{w.Result(), t, w.Body.String()}
	}
	first := regexp.MustCompile(`<a class="button" href="([^"]*)">([^<]*)<`)
	for _, tt := range []struct {
		name, target string
		err          error
		link, text   string
	}{
		{"a claim rule", "/docs/x?a=1", session.ErrNotPermitted, "/bff/login?prompt=login&amp;return_to=%2Fdocs%2Fx%3Fa%3D1", "Sign in as another user"},
		{"a claim rule at sign-in", "/bff/callback?code=x", &web.Refusal{Status: 403, Code: "not_permitted"}, "/bff/login?prompt=login", "Sign in as another user"},
		{"step-up", "/docs/x", &session.StepUp{ACRValues: "mfa", MaxAge: "60"}, "/bff/login?acr_values=mfa&amp;max_age=60&amp;return_to=%2Fdocs%2Fx", "Confirm"},
		{"signed out", "/docs/x", &web.Refusal{Status: 500, Code: "internal"}, "/docs/x", "Try again"},
		{"an API that is down", "/docs/x?a=b", &web.Refusal{Status: 502, Code: "upstream_unreachable"}, "/docs/x?a=b", "Try again"},
		{"a callback at a bad time", "/bff/callback?code=x", &web.Refusal{Status: 503, Code: "unavailable"}, "/", "Go to the start page"},
		{"a wrong parameter", "/bff/login?max_age=x", &web.Refusal{Status: 400, Code: "invalid_parameter"}, "/", "Go to the start page"},
		{"a code from elsewhere", "/x", &web.Refusal{Status: 418, Code: "teapot"}, "/", "Go to the start page"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := fail(tt.target, tt.err)
			m := first.FindStringSubmatch(a.body)
			if m == nil || m[1] != tt.link || m[2] != tt.text {
				t.Errorf("the first way on is %q, want %s to %s:\n%s", m, tt.text, tt.link, a.text())
			}
			a.has(`href="/">Go to the start page<`)
		})
	}
}

// A sign-in that ends with an error can be begun again towards the same page, in a
// window of its own too.
func TestErrorPageBeginsAgain(t *testing.T) {
	s := newStand(t, options{})
	b := s.browser(t)
	s.providers[0].FailNext("authorize", demo.Fault{Error: "access_denied"})
	b.navigate(crossSite, b.approve(b.begin("?return_to=/bff/signed-in"), "alice").String()).
		problem(http.StatusForbidden, "sign_in_access_denied").
		has("The sign-in was cancelled or not allowed.", "You can sign in again whenever you like.", `href="/bff/login?return_to=%2Fbff%2Fsigned-in">Sign in again<`)
}

// The page to choose a provider keeps what the login asks for; what it can't ask
// for is refused before anybody chooses (A10).
func TestChoicePage(t *testing.T) {
	s := newStand(t, options{providers: []string{"main", "partner"}})
	b := s.browser(t)
	a := b.navigate(typed, "/bff/login?return_to=/a%3Fb%3Dc&acr_values=mfa&max_age=0&login_hint=x%22y&ui_locales=fr").want(http.StatusOK)
	a.has(`href="/bff/login?acr_values=mfa&amp;login_hint=x%22y&amp;max_age=0&amp;provider=main&amp;return_to=%2Fa%3Fb%3Dc&amp;ui_locales=fr"`, "Connexion")
	if main, partner := strings.Index(a.body, "at main"), strings.Index(a.body, "at partner"); main < 0 || partner < main {
		t.Error("the providers do not stand in the order of the configuration")
	}
	b.navigate(typed, "/bff/login?return_to=//evil.example").problem(http.StatusBadRequest, "invalid_return_to")
}
