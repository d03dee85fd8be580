package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/web"
)

// The user agents of a few browsers.
const (
	firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:146.0) Gecko/20100101 Firefox/146.0"
	iPhone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
)

// on signs user in with a browser of that user agent.
func (s *stand) on(t *testing.T, user, agent string) *browser {
	t.Helper()
	b := s.browser(t)
	callback := b.approve(b.begin(""), user)
	b.navigate(crossSite, callback.String(), "User-Agent", agent).want(http.StatusSeeOther)
	return b
}

// listed returns the entries of GET /bff/sessions.
func (b *browser) listed() (out []map[string]any) {
	b.Helper()
	a := b.fetch("GET", "/bff/sessions").want(http.StatusOK)
	if got := a.Header.Get("Cache-Control"); got != "no-store" {
		b.Errorf("Cache-Control: %q", got)
	}
	list, ok := a.json()["sessions"].([]any)
	if !ok {
		b.Fatalf("no list: %s", a.body)
	}
	for _, e := range list {
		out = append(out, e.(map[string]any))
	}
	return out
}

// I12: users see where they are signed in, nobody else's sessions, and end one or all
// others; the current one by signing out.
func TestDevices(t *testing.T) {
	s := newStand(t, options{})
	laptop, phone, odd := s.on(t, "alice", firefox), s.on(t, "alice", iPhone), s.on(t, "alice", "<img src=x>/1.0")
	bob := s.on(t, "bob", firefox)
	list := laptop.listed()
	if len(list) != 3 {
		t.Fatalf("%d entries, want 3: %v", len(list), list)
	}
	labels := map[any]map[string]any{}
	for _, e := range list {
		labels[e["label"]] = e
		if _, err := time.Parse(time.RFC3339, e["first_seen"].(string)); err != nil || e["last_seen"] == "" || e["provider"] != "main" || e["network"] != "127.0.0.0/24" {
			t.Errorf("%v", e)
		}
	}
	if list[0]["label"] != "Firefox on Windows" || list[0]["current"] != true || list[1]["current"] != false ||
		labels["Safari on iPhone"] == nil || labels["Unknown browser"] == nil {
		t.Errorf("entries: %v", list)
	}
	german := laptop.fetch("GET", "/bff/sessions", "Accept-Language", "de-AT").want(http.StatusOK)
	if !strings.Contains(german.body, "Firefox auf Windows") || !strings.Contains(german.body, "Unbekannter Browser") {
		t.Errorf("in German: %s", german.body)
	}
	id, _ := labels["Safari on iPhone"]["id"].(string)
	bob.fetch("DELETE", "/bff/sessions/"+id).problem(http.StatusNotFound, "not_found")
	laptop.fetch("DELETE", "/bff/sessions/"+list[0]["id"].(string)).problem(http.StatusConflict, "current_session")
	laptop.fetch("DELETE", "/bff/sessions/"+id, "Sec-Fetch-Site", crossSite).problem(http.StatusForbidden, "cross_site")
	if phone.user() == "" || laptop.user() == "" {
		t.Fatal("a refusal ended a session")
	}
	a := laptop.fetch("DELETE", "/bff/sessions/"+id).want(http.StatusNoContent)
	if len(a.Cookies()) != 0 {
		t.Error("the answer sets a cookie")
	}
	if phone.user() != "" || odd.user() == "" {
		t.Error("the wrong session ended")
	}
	laptop.fetch("DELETE", "/bff/sessions/"+id).problem(http.StatusNotFound, "not_found")
	s.on(t, "alice", iPhone)
	if got := laptop.fetch("DELETE", "/bff/sessions").want(http.StatusOK).json()["ended"]; got != 2.0 {
		t.Errorf("ended %v, want 2", got)
	}
	if odd.user() != "" || laptop.user() == "" || bob.user() == "" {
		t.Error("the wrong sessions ended")
	}
	if n := strings.Count(s.log.String(), `"reason":"other_device"`); n != 3 {
		t.Errorf("%d audit events, want 3", n)
	}
	s.browser(t).fetch("GET", "/bff/sessions").problem(http.StatusUnauthorized, "signed_out")
}

// I12, ASVS 7.5.2: whoever ends other sessions must have authenticated lately. Who has
// not is sent to do so, and it works then.
func TestDevicesRecentAuth(t *testing.T) {
	s := newStand(t, options{web: func(c *web.Config) { c.RecentAuth = 15 * time.Minute }})
	thief, owner := s.signedIn(t, "alice"), s.signedIn(t, "alice")
	thief.fetch("DELETE", "/bff/sessions").want(http.StatusOK)
	if owner.user() != "" {
		t.Fatal("a fresh sign-in may not end others")
	}
	owner = s.signedIn(t, "alice")
	s.sleep(16 * time.Minute)
	for _, path := range []string{"/bff/sessions", "/bff/sessions/" + thief.listed()[1]["id"].(string)} {
		a := thief.fetch("DELETE", path).problem(http.StatusUnauthorized, "step_up_required")
		if got := a.json()["login_url"]; got != "/bff/login?max_age=900" {
			t.Errorf("login_url = %v", got)
		}
	}
	if owner.user() == "" {
		t.Fatal("a refusal ended a session")
	}
	owner.signIn("alice", "?max_age=900")
	owner.fetch("DELETE", "/bff/sessions").want(http.StatusOK)
	if thief.user() != "" {
		t.Error("the other session lives on")
	}
}

// K1: the store is read for a list, so there is an allowance for it.
func TestDevicesLimit(t *testing.T) {
	s := newStand(t, options{web: func(c *web.Config) { c.Rates.Renewals = 3 }})
	b := s.signedIn(t, "alice")
	for range 3 {
		b.listed()
	}
	b.fetch("GET", "/bff/sessions").problem(http.StatusTooManyRequests, "too_many_requests")
	b.fetch("DELETE", "/bff/sessions").problem(http.StatusTooManyRequests, "too_many_requests")
}
