package web_test

import (
	"bufio"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// I8: the provider signs the user out while the sign-in is under way: the code is
// redeemed, the session not yet written.
func TestBackchannelLogoutDuringSignIn(t *testing.T) {
	s := newStand(t, options{})
	b := s.browser(t)
	callback := b.approve(b.begin(""), "alice")
	gate := make(chan struct{})
	s.providers[0].FailNext("code", demo.Fault{GateAfter: gate})
	done := make(chan *answer, 1)
	go func() { done <- b.navigate(crossSite, callback.String()) }()
	if err := s.providers[0].Wait("code", 1, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	s.backchannel(t, s.logoutToken(alice, "")).want(http.StatusOK)
	close(gate)
	(<-done).problem(http.StatusForbidden, "signed_out_meanwhile")
	if b.cookie("session") != "" || b.user() != "" {
		t.Error("there is a session")
	}
	// The tokens that came all the same are given back.
	if err := s.providers[0].WaitDone("revocation", 1, 5*time.Second); err != nil {
		t.Error(err)
	}
	// And the next sign-in is one again.
	s.sleep(time.Second)
	if s.signedIn(t, "alice").user() != alice {
		t.Error("alice can't sign in any more")
	}
}

// D12, R22: the provider signs the user out while a renewal is under way.
func TestBackchannelLogoutDuringRenewal(t *testing.T) {
	s := newStand(t, options{})
	b, sid := s.signedInAs(t, "alice")
	gate := make(chan struct{})
	s.providers[0].FailNext("refresh", demo.Fault{GateAfter: gate})
	s.sleep(6 * time.Minute) // the access token is good for five
	done := make(chan *answer, 1)
	go func() { done <- b.fetch("GET", "/api/whoami") }()
	if err := s.providers[0].Wait("refresh", 1, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	s.backchannel(t, s.logoutToken(alice, sid)).want(http.StatusOK)
	close(gate)
	(<-done).problem(http.StatusUnauthorized, "signed_out")
	b.fetch("GET", "/api/whoami").problem(http.StatusUnauthorized, "signed_out")
	if err := s.providers[0].WaitDone("revocation", 1, 5*time.Second); err != nil {
		t.Error(err)
	}
}

// E12: what streams ends within two seconds.
func TestBackchannelLogoutEndsStreams(t *testing.T) {
	s := newStand(t, options{})
	b, sid := s.signedInAs(t, "alice")
	res, err := b.hc.Do(b.request("GET", "/api/sse", "Sec-Fetch-Site", ourOrigin, "Accept", "text/event-stream"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewScanner(res.Body)
	if res.StatusCode != http.StatusOK || !lines.Scan() {
		t.Fatalf("the stream = %s", res.Status)
	}
	s.backchannel(t, s.logoutToken(alice, sid)).want(http.StatusOK)
	over := make(chan struct{})
	go func() {
		for lines.Scan() {
		}
		close(over)
	}()
	select {
	case <-over:
	case <-time.After(2 * time.Second):
		t.Error("the stream goes on")
	}
}

// Experiment 24: calls, renewals and logouts by either channel and by either name
// at once, again and again. Once the provider has its 200 no call that begins
// afterwards succeeds, and nothing brings the session back.
func TestBackchannelLogoutRaces(t *testing.T) {
	rounds := 30
	if testing.Short() {
		rounds = 10
	}
	s := newStand(t, options{provider: func(c *demo.ProviderConfig) { c.AccessTTL = time.Second }})
	for round := range rounds {
		b, sid := s.signedInAs(t, "alice")
		var over atomic.Bool
		var calls atomic.Int32
		begun := make(chan struct{})
		var work sync.WaitGroup
		for _, path := range []string{"GET /api/whoami", "POST /bff/session/renew", "GET /bff/user"} {
			var method, target string
			_, _ = fmt.Sscan(path, &method, &target)
			work.Go(func() {
				for last := false; !last; {
					last = over.Load()
					if calls.Add(1) == int32(2+round%7) {
						close(begun)
					}
					if a := b.fetch(method, target); last && a.StatusCode != http.StatusUnauthorized {
						t.Errorf("round %d: %s after the logout = %d, want 401", round, path, a.StatusCode)
					}
				}
			})
		}
		<-begun
		switch round % 3 {
		case 0:
			s.backchannel(t, s.logoutToken(alice, sid)).want(http.StatusOK)
		case 1:
			s.backchannel(t, s.logoutToken(alice, "")).want(http.StatusOK)
		case 2:
			b.frame(frontchannelQuery(s.providers[0].URL, sid)).want(http.StatusOK)
		}
		over.Store(true)
		work.Wait()
		s.sleep(time.Second)
		if b.user() != "" {
			t.Fatalf("round %d: the session is back", round)
		}
	}
}
