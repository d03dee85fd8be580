package web_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/web"
)

// K2: signing out with tickets that open nothing is limited like any other use of
// them; whoever is signed in can sign out at the same address.
func TestLogoutsWithDeadTicketsAreLimited(t *testing.T) {
	var store countingStore
	s := newStand(t, limited(web.Rates{RefusedTickets: 3}, options{
		store: func(real session.Store) session.Store { store.Store = real; return &store },
	}))
	const bad, other = "192.0.2.7", "192.0.2.8"
	var dead []*browser
	for range 6 {
		b := s.signedIn(t, "alice")
		ticket := b.cookie("session")
		b.fetch("POST", "/bff/logout").want(http.StatusOK)
		d := s.browser(t)
		d.hold(ticketCookie, ticket)
		dead = append(dead, d)
	}
	alice := s.signedIn(t, "alice")
	for _, d := range dead[:3] {
		d.fetch("POST", "/bff/logout", at(bad)...).want(http.StatusOK)
	}
	loads := store.loads.Load()
	for _, d := range dead[3:5] {
		d.fetch("POST", "/bff/logout", at(bad)...).tooMany(20 * time.Second)
	}
	dead[4].fetch("GET", "/bff/user", at(bad)...).tooMany(20 * time.Second)
	if n := store.loads.Load() - loads; n != 0 {
		t.Errorf("the store was asked %d times all the same", n)
	}
	dead[5].fetch("POST", "/bff/logout", at(other)...).want(http.StatusOK)
	alice.fetch("POST", "/bff/logout", at(bad)...).want(http.StatusOK)
	alice.fetch("GET", "/bff/user", at(other)...).problem(http.StatusUnauthorized, "signed_out")
	s.sleep(20 * time.Second)
	dead[3].fetch("POST", "/bff/logout", at(bad)...).want(http.StatusOK)
}
