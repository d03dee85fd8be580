package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// keepGroups is what a configuration with a rule on groups makes of a client.
func keepGroups(c *oidc.Config) { c.Keep = []string{"groups"} }

// strong are routes that demand something of the sign-in or of the user.
func strong(routes []proxy.Config) []proxy.Config {
	add := func(path string, d session.Demand) {
		d.Auth = session.AuthRequired
		routes = append(routes, proxy.Config{Path: path, Upstream: routes[0].Upstream, StripPrefix: strings.TrimSuffix(path, "/"), Demand: d})
	}
	add("/gold/", session.Demand{ACRValues: []string{"gold", "platinum"}, WebSocket: true})
	add("/recent/", session.Demand{MaxAge: 10 * time.Minute})
	add("/golden-page/", session.Demand{ACRValues: []string{"gold"}, Documents: session.DocumentsAllow})
	add("/admin/", session.Demand{Require: []session.Rule{{Claim: "groups", Any: []string{"admin", "root"}}}, Documents: session.DocumentsAllow})
	return routes
}

// A route that demands a stronger or more recent sign-in says so to calls, with the
// login that gives it; that replaces the session and satisfies the route. Nothing
// reaches the API before, and no token is renewed (C11, B7, B10).
func TestRouteStepUp(t *testing.T) {
	s := newStand(t, options{routes: strong})
	b := s.signedIn(t, "alice")
	before := b.cookie("session")
	b.fetch("GET", "/api/whoami").want(http.StatusOK)
	a := b.fetch("POST", "/gold/whoami").problem(http.StatusUnauthorized, "step_up_required")
	if got := a.json()["login_url"]; got != "/bff/login?acr_values=gold+platinum" {
		t.Fatalf("login_url = %v", got)
	}
	b.fetch("GET", "/recent/whoami").want(http.StatusOK)
	s.sleep(11 * time.Minute)
	a = b.fetch("GET", "/recent/whoami").problem(http.StatusUnauthorized, "step_up_required")
	if got := a.json()["login_url"]; got != "/bff/login?max_age=600" {
		t.Fatalf("login_url = %v", got)
	}
	ws := b.do(b.request("GET", "/gold/ws", "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
		"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Origin", s.origin))
	ws.problem(http.StatusUnauthorized, "step_up_required")
	if n := len(s.api.Requests()); n != 2 {
		t.Errorf("the API was called %d times, want 2", n)
	}
	b.signIn("alice", "?acr_values=gold+platinum&max_age=600&return_to=/orders%3Fpage%3D2").want(http.StatusSeeOther).leads("/orders?page=2")
	b.fetch("POST", "/gold/whoami").want(http.StatusOK)
	b.fetch("GET", "/recent/whoami").want(http.StatusOK)
	if b.cookie("session") == before {
		t.Error("the session was not replaced")
	}
}

// A navigation is led to the sign-in that is missing and back to the same place. What
// the provider says of it is checked: a weaker or older one is refused, and does not
// go round in circles.
func TestNavigationStepUp(t *testing.T) {
	s := newStand(t, options{routes: strong})
	b := s.signedIn(t, "alice")
	a := b.navigate(ourOrigin, "/golden-page/whoami?x=1").want(http.StatusFound)
	location := a.Header.Get("Location")
	u, err := url.Parse(location)
	if err != nil || u.Path != "/bff/login" || u.Query().Get("acr_values") != "gold" || u.Query().Get("return_to") != "/golden-page/whoami?x=1" {
		t.Fatalf("led to %q", location)
	}
	weaker := func(claims map[string]any) { claims["acr"] = "bronze" }
	s.providers[0].SetFaults(demo.Faults{Code: demo.Fault{EditIDToken: weaker}})
	callback := b.approve(b.begin("?"+u.RawQuery), "alice")
	refused := b.navigate(crossSite, callback.String()).problem(http.StatusBadGateway, "sign_in_failed")
	if refused.set(s.prefix()+"session") != nil || !strings.Contains(s.log.String(), `"reason":"acr_mismatch"`) {
		t.Error("a weaker sign-in was taken, or the log does not say why not")
	}
	s.providers[0].SetFaults(demo.Faults{})
	callback = b.approve(b.begin("?"+u.RawQuery), "alice")
	hop := b.navigate(crossSite, callback.String()).want(http.StatusOK) // B12: the page needs the ticket
	if !strings.Contains(hop.body, "/golden-page/whoami?x=1") {
		t.Errorf("led back to:\n%s", hop.text())
	}
	b.navigate(ourOrigin, "/golden-page/whoami?x=1").want(http.StatusOK)
}

// A token whose authentication is older than asked for starts no session (B7).
func TestStepUpAge(t *testing.T) {
	s := newStand(t, options{routes: strong})
	b := s.signedIn(t, "alice")
	before := b.cookie("session")
	for name, edit := range map[string]func(map[string]any){
		"older":   func(c map[string]any) { c["auth_time"] = s.now().Add(-11 * time.Minute).Unix() },
		"without": func(c map[string]any) { delete(c, "auth_time") },
	} {
		s.providers[0].SetFaults(demo.Faults{Code: demo.Fault{EditIDToken: edit}})
		b.signIn("alice", "?max_age=600").problem(http.StatusBadGateway, "sign_in_failed")
		if b.cookie("session") != before {
			t.Errorf("%s: the session was replaced", name)
		}
	}
	if n := strings.Count(s.log.String(), `"reason":"auth_time_refused"`); n != 2 {
		t.Errorf("%d refusals in the log, want 2", n)
	}
}

// With several providers the step-up is asked of the one that the session is from.
func TestStepUpProvider(t *testing.T) {
	s := newStand(t, options{providers: []string{"main", "second"}, routes: strong})
	b := s.browser(t)
	b.signIn("alice", "?provider=second")
	s.api.Handle("/stepup", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_user_authentication", acr_values="gold"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	for _, path := range []string{"/gold/whoami", "/api/stepup"} {
		got, _ := b.fetch("GET", path).problem(http.StatusUnauthorized, "step_up_required").json()["login_url"].(string)
		if !strings.Contains(got, "provider=second") || !strings.Contains(got, "acr_values=gold") {
			t.Errorf("%s: login_url = %s", path, got)
		}
	}
}

// Rules on claims: 403 with a code of its own, whether or not the app may know the
// claim, which it does not see then.
func TestRouteRequire(t *testing.T) {
	tests := []struct {
		name   string
		groups any
		want   int
	}{
		{"one of them", []string{"staff", "admin"}, http.StatusOK},
		{"a word", "root", http.StatusOK},
		{"others", []string{"staff", "administrator"}, http.StatusForbidden},
		{"another case", []string{"Admin"}, http.StatusForbidden},
		{"none", []string{}, http.StatusForbidden},
		{"an object", map[string]any{"admin": true}, http.StatusForbidden},
		{"a list in a list", []any{[]string{"admin"}}, http.StatusForbidden},
		{"missing", nil, http.StatusForbidden},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStand(t, options{routes: strong, client: keepGroups})
			s.providers[0].SetFaults(demo.Faults{Code: demo.Fault{EditIDToken: func(c map[string]any) {
				c["groups"] = tt.groups
				if tt.groups == nil {
					delete(c, "groups")
				}
			}}})
			b := s.signedIn(t, "alice")
			for range 2 {
				a := b.fetch("GET", "/admin/whoami")
				if tt.want == http.StatusOK {
					a.want(http.StatusOK)
					continue
				}
				a.problem(http.StatusForbidden, "not_permitted")
				if a.json()["login_url"] != nil || strings.Contains(a.body, "groups") {
					t.Errorf("told too much: %s", a.body)
				}
			}
			if tt.want != http.StatusOK {
				b.navigate(ourOrigin, "/admin/whoami").problem(http.StatusForbidden, "not_permitted")
			}
			if strings.Contains(b.fetch("GET", "/bff/user").want(http.StatusOK).body, "groups") {
				t.Error("the app sees a claim that it may not know")
			}
			b.fetch("GET", "/api/whoami").want(http.StatusOK)
			if told := strings.Contains(s.log.String(), `"sub":"u-1001","error":"session: a rule on its claims does not hold: groups"`); told == (tt.want == http.StatusOK) {
				t.Errorf("the log says who was refused: %v", told)
			}
		})
	}
}

// B7: clocks that differ by more than a sign-in allows for are told there; by less, the
// page is shown. A browser never goes round in circles.
func TestStepUpDoesNotLoop(t *testing.T) {
	page := func(routes []proxy.Config) []proxy.Config {
		return append(routes, proxy.Config{
			Path: "/vault/", Upstream: routes[0].Upstream, StripPrefix: "/vault",
			Demand: session.Demand{Auth: session.AuthRequired, MaxAge: time.Minute, Documents: session.DocumentsAllow},
		})
	}
	for _, tt := range []struct {
		behind time.Duration
		passes bool
	}{{0, true}, {65 * time.Second, true}, {69 * time.Second, true}, {75 * time.Second, false}} {
		s := newStand(t, options{routes: page})
		s.providers[0].SetFaults(demo.Faults{Code: demo.Fault{EditIDToken: func(c map[string]any) {
			c["auth_time"] = s.now().Add(-tt.behind).Unix()
		}}})
		b := s.browser(t)
		a := b.signIn("alice", "?max_age=60&return_to=/vault/whoami")
		if !tt.passes {
			a.problem(http.StatusBadGateway, "sign_in_failed")
			continue
		}
		a.want(http.StatusOK) // the hop
		b.navigate(ourOrigin, "/vault/whoami").want(http.StatusOK)
	}
}
