package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// A callback that does not belong to this browser's sign-in redeems nothing (A6,
// B1, B3, B4, F7).
func TestCallbackRefused(t *testing.T) {
	s := newStand(t, options{})
	set := func(name string, values ...string) func(url.Values) {
		return func(q url.Values) { q[name] = values }
	}
	tests := []struct {
		name string
		edit func(url.Values)
		want string // reason in the log
	}{
		{"no state", set("state"), "login_expired"},
		{"empty state", set("state", ""), "login_expired"},
		{"wrong state", set("state", strings.Repeat("x", 43)), "login_expired"},
		{"state in another case", func(q url.Values) { q.Set("state", swapCase(q.Get("state"))) }, "login_expired"},
		{"state with the right beginning", func(q url.Values) { q.Set("state", q.Get("state")[:20]+strings.Repeat("x", 23)) }, "state_mismatch"},
		{"state cut short", func(q url.Values) { q.Set("state", q.Get("state")[:12]) }, "state_mismatch"},
		{"state twice", func(q url.Values) { q.Add("state", q.Get("state")) }, "duplicate_parameter"},
		{"another state first", func(q url.Values) { q["state"] = []string{"x", q.Get("state")} }, "login_expired"},
		{"code twice", func(q url.Values) { q.Add("code", "b") }, "duplicate_parameter"},
		{"iss twice", func(q url.Values) { q.Add("iss", q.Get("iss")) }, "duplicate_parameter"},
		{"anything twice", set("x", "1", "2"), "duplicate_parameter"},
		{"no iss", set("iss"), "iss_missing"},
		{"empty iss", set("iss", ""), "iss_mismatch"},
		{"another iss", set("iss", "https://evil.example"), "iss_mismatch"},
		{"iss with a slash", func(q url.Values) { q.Set("iss", q.Get("iss")+"/") }, "iss_mismatch"},
		{"no code", set("code"), "code_missing"},
		{"empty code", set("code", ""), "code_missing"},
		{"error of another issuer", func(q url.Values) { q.Set("error", "access_denied"); q.Set("iss", "x") }, "iss_mismatch"},
		{"error with a wrong state", func(q url.Values) { q.Set("error", "access_denied"); q.Set("state", "y") }, "login_expired"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := s.browser(t)
			callback := b.approve(b.begin("?return_to=/orders"), "alice")
			calls, logged := len(s.providers[0].Calls("token")), len(s.log.String())
			q := callback.Query()
			tt.edit(q)
			for name, values := range q {
				if len(values) == 0 {
					delete(q, name)
				}
			}
			a := b.navigate(crossSite, "/bff/callback?"+q.Encode())
			a.problem(http.StatusBadRequest, "login_expired").leads("")
			link := `href="/bff/login?return_to=%2Forders"`
			if tt.want == "login_expired" {
				link = `href="/bff/login"` // nobody knows which sign-in it was
			}
			if !strings.Contains(a.body, link) {
				t.Errorf("the page has no %s", link)
			}
			if got := s.log.String()[logged:]; !strings.Contains(got, `"reason":"`+tt.want+`"`) || strings.Count(got, `"audit":true`) != 1 {
				t.Errorf("log %s, want one audit event with reason %s", got, tt.want)
			}
			if n := len(s.providers[0].Calls("token")) - calls; n != 0 {
				t.Errorf("%d token calls, want none", n)
			}
			if b.cookie("session") != "" || a.set("__Host-session") != nil {
				t.Error("a session began")
			}
			// The genuine callback is still good: a forged one spoils nothing.
			b.navigate(crossSite, callback.String()).want(http.StatusSeeOther).leads("/orders")
		})
	}
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r - 32
		} else if r >= 'A' && r <= 'Z' {
			return r + 32
		}
		return r
	}, s)
}

// A callback is good in the browser that asked for it, and in no other (A6, F7).
func TestCallbackInAnotherBrowser(t *testing.T) {
	s := newStand(t, options{})
	attacker, victim := s.browser(t), s.browser(t)
	callback := attacker.approve(attacker.begin(""), "bob")
	victim.begin("")
	victim.navigate(crossSite, callback.String()).problem(http.StatusBadRequest, "login_expired")
	if n := len(s.providers[0].Calls("token")); n != 0 {
		t.Errorf("%d token calls, want none", n)
	}
	if victim.cookie("session") != "" || victim.user() != "" {
		t.Error("the victim is signed in as somebody else")
	}
	attacker.navigate(crossSite, callback.String()).want(http.StatusSeeOther)
}

// A callback opened again, or twenty times at once, redeems the code once, gives
// one session, and ends where the sign-in was to end (B2).
func TestCallbackReplayed(t *testing.T) {
	for _, copies := range []int{2, 20} {
		s := newStand(t, options{})
		b := s.browser(t)
		callback := b.approve(b.begin("?return_to=/orders?x=1"), "alice")
		cookies := b.jar()
		var wg sync.WaitGroup
		answers := make([]*answer, copies)
		for i := range copies {
			wg.Go(func() {
				one := s.browser(t)
				for _, c := range cookies {
					one.hold(c.Name, c.Value)
				}
				answers[i] = one.navigate(crossSite, callback.String())
			})
		}
		wg.Wait()
		var tickets []string
		for _, a := range answers {
			a.want(http.StatusSeeOther).leads("/orders?x=1")
			if c := a.set("__Host-session"); c != nil {
				tickets = append(tickets, c.Value)
			}
		}
		if len(tickets) != 1 || len(s.providers[0].Calls("token")) != 1 {
			t.Fatalf("%d copies: %d tickets and %d token calls, want 1 and 1", copies, len(tickets), len(s.providers[0].Calls("token")))
		}
		// Back and reload in the browser itself, which now has the ticket.
		b.hold("__Host-session", tickets[0])
		b.navigate(ourOrigin, callback.String()).want(http.StatusSeeOther).leads("/orders?x=1")
		if b.user() != "u-1001" || b.cookie("session") != tickets[0] {
			t.Error("a replay changed the session")
		}
	}
}

// The provider's refusal is told in our words (B5).
func TestCallbackError(t *testing.T) {
	s := newStand(t, options{})
	tests := []struct{ code, want string }{
		{"access_denied", "sign_in_access_denied"},
		{"login_required", "sign_in_login_required"},
		{"temporarily_unavailable", "sign_in_temporarily_unavailable"},
		{"server_error", "sign_in_server_error"},
		{"<script>alert(1)</script>", "sign_in_other"},
		{"made_up", "sign_in_other"},
	}
	for _, tt := range tests {
		t.Run(name(tt.code), func(t *testing.T) {
			b := s.browser(t)
			s.providers[0].FailNext("authorize", demo.Fault{Error: tt.code, ErrorDescription: "<b>Call Mallory</b>"})
			callback := b.approve(b.begin("?return_to=/orders"), "alice")
			a := b.navigate(crossSite, callback.String()).problem(http.StatusForbidden, tt.want)
			if strings.Contains(a.body, "Mallory") || strings.Contains(a.body, "<b>") || strings.Contains(a.body, "alert") {
				t.Errorf("the page shows what the provider wrote:\n%s", a.body)
			}
			// The same callback again makes no call and goes where it was to go.
			b.navigate(crossSite, callback.String()).want(http.StatusSeeOther).leads("/orders")
			if n := len(s.providers[0].Calls("token")); n != 0 {
				t.Errorf("%d token calls, want none", n)
			}
		})
	}
}

// prompt=none asks a question. "Not signed in" ends at return_to, and nothing
// there sends the browser round again (B5).
func TestCallbackQuiet(t *testing.T) {
	s := newStand(t, options{})
	b := s.browser(t)
	callback := b.approve(b.begin("?prompt=none&return_to=/orders"), "")
	if got := callback.Query().Get("error"); got != "login_required" {
		t.Fatalf("the provider answers %q", got)
	}
	b.navigate(crossSite, callback.String()).want(http.StatusSeeOther).leads("/orders")
	if b.cookie("session") != "" {
		t.Error("a session began")
	}
	// Signed in at the provider, the same question begins a session.
	b.signIn("alice", "")
	b.signIn("", "?prompt=none&return_to=/orders").want(http.StatusSeeOther).leads("/orders")
	if b.user() != "u-1001" {
		t.Error("no session")
	}
}

// A sign-in takes ten minutes at most.
func TestCallbackTooLate(t *testing.T) {
	for late, status := range map[time.Duration]int{9 * time.Minute: 303, 11 * time.Minute: 400} {
		s := newStand(t, options{})
		b := s.browser(t)
		at := b.begin("")
		s.sleep(late)
		b.navigate(crossSite, b.approve(at, "alice").String()).want(status)
	}
}
