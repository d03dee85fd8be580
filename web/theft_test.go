package web_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/web"
)

// events counts an audit event's lines in the log that hold text.
func (s *stand) events(event, text string) int {
	n := 0
	for line := range strings.Lines(s.log.String()) {
		if strings.Contains(line, `"msg":"`+event+`","audit":true`) && strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// A copied ticket is noticed, whoever of the two comes first (E10): the session
// ends for both, its refresh token is revoked, and the log says so once.
func TestCopiedTicket(t *testing.T) {
	for _, first := range []string{"owner", "thief"} {
		t.Run(first+" goes on", func(t *testing.T) {
			s := newStand(t, rotating(options{}))
			owner := s.signedIn(t, "alice")
			thief := s.browser(t)
			thief.hold(ticketCookie, owner.cookie("session"))
			on, behind := owner, thief
			if first == "thief" {
				on, behind = thief, owner
			}
			s.sleep(16 * time.Minute)
			if !on.fetch("GET", "/bff/user").want(http.StatusOK).issued() {
				t.Fatal("no new issue")
			}
			if behind.user() != "u-1001" {
				t.Error("the older issue stopped serving before the new one was confirmed")
			}
			s.sleep(61 * time.Second)
			on.fetch("GET", "/bff/user").want(http.StatusOK)
			s.sleep(31 * time.Second)
			behind.fetch("GET", "/api/whoami").problem(http.StatusUnauthorized, "signed_out")
			on.fetch("GET", "/api/whoami").problem(http.StatusUnauthorized, "signed_out")
			s.log.until(func(string) bool { return s.events("tokens_revoked", "") > 0 })
			if n := s.events("session_ended", `"reason":"ticket_replayed"`); n != 1 {
				t.Errorf("%d events tell of the replay, want 1", n)
			}
			if n := s.events("tokens_revoked", ""); n != 1 {
				t.Errorf("the tokens were revoked %d times, want once", n)
			}
		})
	}
}

// A browser that never gets the answers with its new tickets keeps its session
// (E10).
func TestLostIssues(t *testing.T) {
	s := newStand(t, rotating(options{}))
	b := s.signedIn(t, "alice")
	ticket := b.cookie("session")
	lost := 0
	for range 120 {
		s.sleep(37 * time.Second)
		if b.fetch("GET", "/bff/user").want(http.StatusOK).issued() {
			lost++
			b.hold(ticketCookie, ticket)
		}
	}
	if lost < 2 {
		t.Errorf("%d issues were lost, want more to prove anything", lost)
	}
}

// Where a request comes from is a signal (E17): with log a change is an event,
// once for each; with strict it ends the session; with off it is nothing.
func TestUserContext(t *testing.T) {
	const home, road, agent = "192.0.2.7", "198.51.100.9", "Browser/1"
	from := func(address, agent string) []string { return []string{"X-Forwarded-For", address, "User-Agent", agent} }
	for _, tt := range []struct {
		bind   session.Bind
		what   string
		from   []string
		events int
		over   bool
	}{
		{session.BindLog, "nothing", from(home, agent), 0, false},
		{session.BindLog, "a neighbour", from("192.0.2.99", agent), 0, false},
		{session.BindLog, "a network", from(road, agent), 1, false},
		{session.BindLog, "a browser", from(home, "Thief/1"), 1, false},
		{session.BindStrict, "nothing", from(home, agent), 0, false},
		{session.BindStrict, "a neighbour", from("192.0.2.99", agent), 0, false},
		{session.BindStrict, "a network", from(road, agent), 0, true},
		{session.BindStrict, "a browser", from(home, "Thief/1"), 0, true},
		{session.BindOff, "both", from(road, "Thief/1"), 0, false},
	} {
		t.Run(fmt.Sprintf("%s, %s changes", tt.bind, tt.what), func(t *testing.T) {
			s := newStand(t, options{bind: tt.bind, web: func(c *web.Config) {
				c.Client = web.TrustedProxies([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")})
			}})
			b := s.browser(t)
			callback := b.approve(b.begin(""), "alice")
			b.navigate(crossSite, callback.String(), from(home, agent)...).want(http.StatusSeeOther)
			if s.events("sign_in", `"client":"`+home+`"`) != 1 {
				t.Error("the sign-in's event does not say from where")
			}
			for _, call := range []string{"/api/whoami", "/bff/user", "/api/whoami"} {
				a := b.fetch("GET", call, tt.from...)
				if tt.over {
					a.problem(http.StatusUnauthorized, "signed_out")
				} else {
					a.want(http.StatusOK)
				}
			}
			if n := s.events("context_changed", ""); n != tt.events {
				t.Errorf("%d events tell of a change, want %d", n, tt.events)
			}
			if n := s.events("session_ended", `"reason":"context_changed"`); (n == 1) != tt.over {
				t.Errorf("the session's end: %d events, want the end %v", n, tt.over)
			}
			if home := b.fetch("GET", "/bff/user", from(home, agent)...); (home.StatusCode == http.StatusUnauthorized) != tt.over {
				t.Errorf("back home = %d, want the end %v", home.StatusCode, tt.over)
			}
		})
	}
}

// A sign-in that began before the provider ended that very session of its own
// must not outlive it (I8): what decides is when the browser was sent there, not
// when it came back.
func TestSignInKnowsWhenItBegan(t *testing.T) {
	s := newStand(t, options{web: handled(map[string]http.HandlerFunc{
		"/sid": func(w http.ResponseWriter, r *http.Request) {
			current, _ := session.FromContext(r.Context())
			_, _ = w.Write([]byte(current.Info().SID))
		},
	})})
	b := s.signedIn(t, "alice")
	sid := b.fetch("GET", "/sid").want(http.StatusOK).body
	callback := b.approve(b.begin(""), "alice")
	s.sleep(10 * time.Second)
	n, err := s.manager.Logout(t.Context(), session.Logout{Provider: "main", SID: sid, Reason: session.ReasonBackchannel})
	if n != 1 || err != nil {
		t.Fatalf("the logout ended %d sessions, %v, want 1", n, err)
	}
	s.sleep(10 * time.Second)
	b.navigate(crossSite, callback.String()).problem(http.StatusForbidden, "signed_out_meanwhile")
	if b.user() != "" {
		t.Error("a sign-in begun before the logout made a session after it")
	}
	b.signIn("alice", "").want(http.StatusSeeOther)
	if b.user() == "" {
		t.Error("a sign-in begun after the logout made none")
	}
}
