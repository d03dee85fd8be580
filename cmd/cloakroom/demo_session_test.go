package main_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// demoSite is a running demo as the users of a test see it.
func demoSite(t *testing.T, args ...string) *site {
	t.Helper()
	s := newSite(t, demo.ProviderConfig{}) // for its folder and its checks only
	port, idp := freePort(t), freePort(t)
	s.origin = "http://localhost:" + port
	p := s.run(append([]string{"demo", "--listen", "127.0.0.1:" + port, "--provider", "127.0.0.1:" + idp}, args...)...)
	if !p.stderr.until("msg=serving", p.ended) {
		t.Fatalf("it does not serve:\n%s%s", p.stdout, p.stderr)
	}
	// A provider that does not listen lends its browser, for the demo's own.
	var err error
	if s.provider.Provider, err = demo.NewProvider(demo.ProviderConfig{Issuer: "http://127.0.0.1:" + idp}); err != nil {
		t.Fatal(err)
	}
	return s
}

// signInAs signs the user in by a login URL, as the app's links lead there.
func (u *user) signInAs(username, loginURL string) {
	u.Helper()
	callback, err := u.provider.SignIn(u.hc, u.origin+loginURL, username)
	if err != nil {
		u.Fatal(err)
	}
	path := strings.TrimPrefix(callback.String(), u.origin)
	if status, body := u.send("GET", path, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"); status != http.StatusSeeOther {
		u.Fatalf("the callback answers %d %s", status, body)
	}
}

// pay approves a payment.
func (u *user) pay() (int, map[string]any) {
	u.Helper()
	r, err := http.NewRequest(http.MethodPost, u.origin+"/api/payments", strings.NewReader(`{"to":"Hatter & Sons","amount":120}`))
	if err != nil {
		u.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", u.origin)
	res, err := u.hc.Do(r)
	if err != nil {
		u.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var body map[string]any
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		u.Fatal(err)
	}
	return res.StatusCode, body
}

// C11, B10: in the demo a payment needs a stronger sign-in, and the administration
// somebody whom the provider calls an administrator.
func TestDemoDemands(t *testing.T) {
	t.Parallel()
	s := demoSite(t)
	u := s.user()
	u.signInAs("alice", "/bff/login")
	status, body := u.pay()
	if status != http.StatusUnauthorized || body["code"] != "step_up_required" {
		t.Fatalf("a payment = %d %v, want 401 step_up_required", status, body)
	}
	login, _ := body["login_url"].(string)
	if q, err := url.Parse(login); err != nil || q.Query().Get("acr_values") != "2" {
		t.Errorf("login_url %q, want acr_values 2", login)
	}
	if status, text := u.send("GET", "/api/admin"); status != http.StatusForbidden || !strings.Contains(text, `"not_permitted"`) {
		t.Errorf("Alice administrates: %d %s", status, text)
	}
	u.signInAs("alice", login+"&return_to=/%23h-more")
	if status, body = u.pay(); status != http.StatusCreated || body["acr"] != "2" || body["subject"] != "u-1001" {
		t.Errorf("a payment after the stronger sign-in = %d %v", status, body)
	}
	u.signInAs("bob", "/bff/login?prompt=login")
	if status, text := u.send("GET", "/api/admin"); status != http.StatusOK || !strings.Contains(text, `"subject":"u-1002"`) {
		t.Errorf("Bob does not administrate: %d %s", status, text)
	}
	if status, body = u.pay(); status != http.StatusUnauthorized {
		t.Errorf("Bob's payment = %d %v, want 401", status, body)
	}
}

// I12, E8: two browsers see each other in the list of devices; the one that is signed
// out from the other is told so at once.
func TestDemoDevices(t *testing.T) {
	t.Parallel()
	s := demoSite(t)
	here, there := s.user(), s.user()
	here.signInAs("alice", "/bff/login")
	there.signInAs("alice", "/bff/login")
	stream, err := there.open("/bff/events")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Body.Close() }()
	var list struct {
		Sessions []struct {
			ID      string
			Current bool
		}
	}
	status, text := here.send("GET", "/bff/sessions")
	if err := json.Unmarshal([]byte(text), &list); err != nil || status != http.StatusOK || len(list.Sessions) != 2 {
		t.Fatalf("devices = %d %s, want two", status, text)
	}
	for _, d := range list.Sessions {
		want := http.StatusNoContent
		if d.Current {
			want = http.StatusConflict
		}
		if status, text := here.send("DELETE", "/bff/sessions/"+d.ID); status != want {
			t.Errorf("ending the session (this one: %v) = %d %s, want %d", d.Current, status, text, want)
		}
	}
	lines := bufio.NewScanner(stream.Body)
	for lines.Scan() {
		if lines.Text() == "event: session.ended" {
			break
		}
	}
	if lines.Scan(); !strings.Contains(lines.Text(), `"reason":"ended_elsewhere"`) {
		t.Errorf("the other browser is told %q", lines.Text())
	}
	if there.name() != "" || here.name() != "u-1001" {
		t.Errorf("signed in there: %q, here: %q", there.name(), here.name())
	}
}
