package web_test

import (
	"sync"
	"testing"

	"github.com/cloakroom/cloakroom/session"
)

// Cookies that an older key sealed are read for as long as that key is in the
// ring, sign-ins under way included, and new ones are sealed by the first: so
// an older key may go some day, and what it sealed goes with it (J5).
func TestSetKeys(t *testing.T) {
	s := newStand(t, options{})
	first, second := s.keys, session.NewKey()
	ring := func(keys string) *session.Keyring {
		t.Helper()
		k, err := session.ParseKeyring([]byte(keys))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	before := s.signedIn(t, "alice")
	between := s.browser(t)
	callback := between.approve(between.begin(""), "bob")

	s.server.SetKeys(ring(second + "\n" + first))
	if got := before.user(); got == "" {
		t.Error("a new key in front signed somebody out")
	}
	between.navigate(crossSite, callback.RequestURI()).want(303)
	if between.user() == "" {
		t.Error("a sign-in that began under the older key did not end well")
	}
	after := s.signedIn(t, "carol")

	s.server.SetKeys(ring(second))
	for _, b := range []*browser{between, after} {
		if b.user() == "" {
			t.Error("a ticket of the time with both keys is not sealed by the first")
		}
	}
	before.fetch("GET", "/bff/user").problem(401, "signed_out")
}

// Keys change while requests are served (for the race detector).
func TestSetKeysUnderLoad(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	old, err := session.ParseKeyring([]byte(s.keys))
	if err != nil {
		t.Fatal(err)
	}
	both, err := session.ParseKeyring([]byte(session.NewKey() + "\n" + s.keys))
	if err != nil {
		t.Fatal(err)
	}
	var swaps sync.WaitGroup
	swaps.Go(func() {
		for range 20 {
			s.server.SetKeys(both)
			s.server.SetKeys(old)
		}
	})
	for range 20 {
		b.fetch("GET", "/bff/user").want(200)
	}
	swaps.Wait()
}
