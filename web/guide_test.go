package web_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/web"
)

// inGuide fails the test unless docs/app.md has the answer in the endpoint's row.
func (a *answer) inGuide(endpoint string, status int, code string) {
	a.Helper()
	a.problem(status, code)
	guide, err := os.ReadFile("../docs/app.md")
	if err != nil {
		a.Fatal(err)
	}
	for line := range strings.Lines(string(guide)) {
		if strings.HasPrefix(line, "| `"+endpoint) && strings.Contains(line, fmt.Sprint(status)) && strings.Contains(line, "`"+code+"`") {
			return
		}
	}
	a.Errorf("docs/app.md does not say that %s may answer %d %s", endpoint, status, code)
}

// deadTicket is the ticket of a session that is over.
func (s *stand) deadTicket(t *testing.T) *browser {
	b := s.signedIn(t, "alice")
	ticket := b.cookie("session")
	b.fetch("POST", "/bff/logout").want(http.StatusOK)
	b.hold(ticketCookie, ticket)
	return b
}

// K2: the guide tells the app which endpoints may say that it was too often.
func TestGuideTellsOfLimits(t *testing.T) {
	s := newStand(t, limited(web.Rates{SignIns: 2, Callbacks: 2, Renewals: 1, RefusedTickets: 1}, options{}))
	s.deadTicket(t).fetch("GET", "/bff/user").want(http.StatusUnauthorized)
	dead := s.deadTicket(t)
	call := func(method, target string) func() *answer {
		return func() *answer { return dead.fetch(method, target) }
	}
	open := func(target string) func() *answer {
		return func() *answer { return s.browser(t).navigate(typed, target) }
	}
	for _, tt := range []struct {
		endpoint string
		do       func() *answer
	}{
		{"GET /bff/login`", open("/bff/login")},
		{"GET /bff/callback`", open("/bff/callback?state=x")},
		{"GET /bff/logout/callback`", open("/bff/logout/callback?state=x")},
		{"POST /bff/backchannel-logout/", func() *answer { return s.backchannel(t, "x") }},
		{"GET /bff/frontchannel-logout/", func() *answer { return dead.frame("") }},
		{"GET /bff/user`", call("GET", "/bff/user")},
		{"GET /bff/session`", call("GET", "/bff/session")},
		{"POST /bff/session/renew`", call("POST", "/bff/session/renew")},
		{"POST /bff/logout`", call("POST", "/bff/logout")},
	} {
		a := tt.do()
		for range 2 {
			a = tt.do() // what the others left is used up
		}
		a.inGuide(tt.endpoint, http.StatusTooManyRequests, "too_many_requests")
	}
}

// K4: the guide tells the app which endpoints may be out of order.
func TestGuideTellsOfOutages(t *testing.T) {
	broken := &brokenStore{}
	path, keys := t.TempDir()+"/sessions.db", session.NewKey()
	var ticket, issuer, sid string
	t.Run("before", func(t *testing.T) {
		s := newStand(t, options{path: path, keys: keys})
		issuer = strings.TrimPrefix(s.providers[0].URL, "http://")
		var b *browser
		b, sid = s.signedInAs(t, "alice")
		ticket = b.cookie("session")
	})
	s := newStand(t, options{
		path: path, keys: keys, provider: func(c *demo.ProviderConfig) { c.Listen = issuer },
		store: func(real session.Store) session.Store { broken.Store = real; return broken },
	})
	b := s.browser(t)
	b.hold(ticketCookie, ticket)
	broken.load.Store(true)
	broken.bury.Store(true)
	broken.mark.Store(true)
	b.fetch("GET", "/bff/user").inGuide("GET /bff/user`", http.StatusServiceUnavailable, "unavailable")
	b.fetch("GET", "/bff/session").inGuide("GET /bff/session`", http.StatusServiceUnavailable, "unavailable")
	b.fetch("POST", "/bff/session/renew").inGuide("POST /bff/session/renew`", http.StatusServiceUnavailable, "unavailable")
	b.fetch("POST", "/bff/logout").inGuide("POST /bff/logout`", http.StatusServiceUnavailable, "unavailable")
	b.frame(frontchannelQuery(s.providers[0].URL, sid)).
		inGuide("GET /bff/frontchannel-logout/", http.StatusServiceUnavailable, "unavailable")
	s.backchannel(t, s.logoutToken(alice, "")).inGuide("POST /bff/backchannel-logout/", http.StatusBadRequest, "logout_failed")
	s.browser(t).signIn("alice", "").inGuide("GET /bff/callback`", http.StatusServiceUnavailable, "sign_in_interrupted")
	s = newStand(t, options{})
	s.providers[0].SetFaults(demo.Faults{Discovery: demo.Fault{Reply: demo.JSONReply(503, "")}})
	s.browser(t).navigate(ourOrigin, "/bff/login").inGuide("GET /bff/login`", http.StatusServiceUnavailable, "unavailable")
}
