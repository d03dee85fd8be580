package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/web"
)

// limited has these rates, behind a proxy that says who the client is.
func limited(r web.Rates, o options) options {
	others := o.web
	o.web = func(c *web.Config) {
		if others != nil {
			others(c)
		}
		c.Rates = r
		c.Client = web.TrustedProxies([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")})
	}
	return o
}

// at are the headers of a request that the proxy got from address.
func at(address string) []string { return []string{"X-Forwarded-For", address} }

// tooMany fails the test unless the answer says that it was too often, and that
// trying again helps after so long.
func (a *answer) tooMany(wait time.Duration) {
	a.Helper()
	a.problem(http.StatusTooManyRequests, "too_many_requests")
	got, err := strconv.Atoi(a.Header.Get("Retry-After"))
	if want := int(wait.Seconds()); err != nil || got > want || got < want-1 {
		a.Errorf("Retry-After %q, want %d", a.Header.Get("Retry-After"), want)
	}
	if len(a.Cookies()) != 0 {
		a.Errorf("it sets %v", a.Cookies())
	}
}

// K2: whoever begins too many sign-ins waits; nobody else does.
func TestSignInsAreLimited(t *testing.T) {
	s := newStand(t, limited(web.Rates{SignIns: 3}, options{}))
	start := func(address string) *answer {
		return s.browser(t).navigate(ourOrigin, "/bff/login", at(address)...)
	}
	for range 3 {
		start("192.0.2.7").want(http.StatusFound)
		start("2001:db8:1:2::7").want(http.StatusFound)
	}
	start("192.0.2.7").tooMany(20 * time.Second)
	start("2001:db8:1:2:9999::1").tooMany(20 * time.Second) // the same customer
	start("203.0.113.1, 192.0.2.7").tooMany(20 * time.Second)
	start("192.0.2.8").want(http.StatusFound)
	start("2001:db8:1:3::7").want(http.StatusFound)

	// What begins no sign-in uses nothing up.
	for range 10 {
		s.browser(t).fetch("GET", "/bff/login", at("192.0.2.9")...).problem(http.StatusForbidden, "not_a_navigation")
		s.browser(t).navigate(ourOrigin, "/bff/login?provider=none", at("192.0.2.9")...).want(http.StatusBadRequest)
	}
	start("192.0.2.9").want(http.StatusFound)

	s.sleep(20 * time.Second)
	start("192.0.2.7").want(http.StatusFound)
	start("192.0.2.7").tooMany(20 * time.Second)
}

// K2: callbacks that belong to no sign-in of their browser are looked at only so
// often, and are in the way of nobody's who has one.
func TestCallbacksAreLimited(t *testing.T) {
	s := newStand(t, limited(web.Rates{Callbacks: 3}, options{providers: []string{"main", "other"}}))
	forged := func(path, address string) *answer {
		return s.browser(t).navigate(crossSite, path+"?state=x&code=y", at(address)...)
	}
	for range 2 {
		forged("/bff/callback", "192.0.2.7").problem(http.StatusBadRequest, "login_expired")
	}
	forged("/bff/callback/other", "192.0.2.7").problem(http.StatusBadRequest, "login_expired")
	forged("/bff/callback", "192.0.2.7").tooMany(20 * time.Second)
	forged("/bff/callback/other", "192.0.2.7").tooMany(20 * time.Second)
	if n := s.events("sign_in_refused", ""); n != 3 {
		t.Errorf("%d refused sign-ins, want 3: the others were not looked at", n)
	}

	b := s.browser(t)
	callback := b.approve(b.begin("?provider=main"), "alice")
	b.navigate(crossSite, callback.String(), at("192.0.2.7")...).want(http.StatusSeeOther)
	if b.user() != "u-1001" {
		t.Error("not signed in")
	}
}

// K1, K2: renewals are counted per session, not per address.
func TestRenewalsAreLimited(t *testing.T) {
	s := newStand(t, limited(web.Rates{Renewals: 3}, options{}))
	alice, bob := s.signedIn(t, "alice"), s.signedIn(t, "bob")
	for range 3 {
		alice.fetch("POST", "/bff/session/renew", at("192.0.2.7")...).want(http.StatusOK)
	}
	alice.fetch("POST", "/bff/session/renew", at("192.0.2.8")...).tooMany(20 * time.Second)
	bob.fetch("POST", "/bff/session/renew", at("192.0.2.7")...).want(http.StatusOK)
	alice.fetch("GET", "/api/whoami").want(http.StatusOK)
	s.sleep(20 * time.Second)
	alice.fetch("POST", "/bff/session/renew").want(http.StatusOK)
}

// countingStore counts the records that are asked for.
type countingStore struct {
	session.Store
	loads, writes atomic.Int32
}

func (c *countingStore) Load(ctx context.Context, k session.Key) (session.Record, error) {
	c.loads.Add(1)
	return c.Store.Load(ctx, k)
}

func (c *countingStore) MarkUsed(ctx context.Context, mark [32]byte, until time.Time) (bool, error) {
	c.writes.Add(1)
	return c.Store.MarkUsed(ctx, mark, until)
}

// K2: tickets that open nothing soon cost nothing more, and do nobody harm who
// is signed in and at work, nor anybody at another address.
func TestRefusedTicketsAreLimited(t *testing.T) {
	path, keys := filepath.Join(t.TempDir(), "sessions.db"), session.NewKey()
	var tickets [3]string
	var issuer string
	t.Run("before", func(t *testing.T) {
		s := newStand(t, options{path: path, keys: keys})
		issuer = strings.TrimPrefix(s.providers[0].URL, "http://")
		for i, user := range []string{"alice", "bob", "carol"} {
			tickets[i] = s.signedIn(t, user).cookie("session")
		}
	})
	var store countingStore
	s := newStand(t, limited(web.Rates{RefusedTickets: 3}, options{
		path: path, keys: keys, provider: func(c *demo.ProviderConfig) { c.Listen = issuer },
		store: func(real session.Store) session.Store { store.Store = real; return &store },
	}))
	holding := func(ticket string) *browser {
		b := s.browser(t)
		b.hold(ticketCookie, ticket)
		return b
	}
	alice, bob, carol := holding(tickets[0]), holding(tickets[1]), holding(tickets[2])
	if alice.user() != "u-1001" {
		t.Fatal("the sessions are gone")
	}
	const bad, other = "192.0.2.7", "192.0.2.8"
	var ended *browser
	for range 3 {
		b := s.signedIn(t, "alice")
		ticket := b.cookie("session")
		b.fetch("POST", "/bff/logout").want(http.StatusOK)
		ended = holding(ticket)
		for _, path := range []string{"/bff/user", "/api/whoami", "/api/whoami"} { // once is what counts
			ended.fetch("GET", path, at(bad)...).problem(http.StatusUnauthorized, "signed_out")
		}
	}
	loads := store.loads.Load()
	for _, path := range []string{"/bff/user", "/api/whoami"} {
		bob.fetch("GET", path, at(bad)...).tooMany(20 * time.Second) // might be another ended one
		ended.fetch("GET", path, at(bad)...).problem(http.StatusUnauthorized, "signed_out")
	}
	if n := store.loads.Load() - loads; n != 0 {
		t.Errorf("the store was asked %d times all the same", n)
	}
	alice.fetch("GET", "/bff/user", at(bad)...).want(http.StatusOK) // in memory
	bob.fetch("GET", "/bff/user", at(other)...).want(http.StatusOK) // from elsewhere
	bob.fetch("GET", "/bff/user", at(bad)...).want(http.StatusOK)   // in memory by now
	holding("rubbish").fetch("GET", "/bff/user", at(bad)...).problem(http.StatusUnauthorized, "signed_out")
	s.sleep(20 * time.Second)
	carol.fetch("GET", "/bff/user", at(bad)...).want(http.StatusOK)
}

// A flood of refusals is not one in the log (N3): a line at once, then one a
// minute with how many there were, each telling the limit and the client.
func TestFloodInTheLog(t *testing.T) {
	s := newStand(t, limited(web.Rates{SignIns: 1}, options{}))
	flood := func(n int, address string) {
		for range n {
			s.browser(t).navigate(ourOrigin, "/bff/login", at(address)...)
		}
	}
	flood(31, "192.0.2.7")
	flood(2, "192.0.2.8")
	for _, tt := range []struct {
		text string
		want int
	}{{"", 2}, {`"client":"192.0.2.7"`, 1}, {`"client":"192.0.2.8"`, 1}, {`"code":"too_many_requests"`, 2}, {`"times":1`, 2}, {"limits.rates.sign_ins", 2}} {
		if got := s.events("request_refused", tt.text); got != tt.want {
			t.Errorf("%d events with %s, want %d", got, tt.text, tt.want)
		}
	}
	s.sleep(time.Minute)
	flood(2, "192.0.2.7") // the first is granted
	if n := s.events("request_refused", `"times":30`); n != 1 {
		t.Errorf("%d events tell of the 30 refusals, want 1", n)
	}
}

// K2, A8: a flood of abandoned sign-ins, from many addresses and in parallel to
// a real one, writes nothing and is in nobody's way.
func TestSignInFlood(t *testing.T) {
	var store countingStore
	s := newStand(t, limited(web.Rates{SignIns: 5, Callbacks: 5}, options{
		store: func(real session.Store) session.Store { store.Store = real; return &store },
	}))
	before := s.signedIn(t, "alice")
	written := store.writes.Load()
	var granted, refused int
	for i := range 2000 {
		r := httptest.NewRequest("GET", s.origin+"/bff/login", nil)
		r.RemoteAddr = "127.0.0.1:1"
		r.Header.Set("X-Forwarded-For", fmt.Sprintf("2001:db8:%x::%x", i%200, i))
		w := httptest.NewRecorder()
		s.server.ServeHTTP(w, r)
		switch w.Code {
		case http.StatusFound:
			granted++
		case http.StatusTooManyRequests:
			refused++
		}
	}
	if granted != 1000 || refused != 1000 {
		t.Errorf("%d sign-ins begun, %d refused, want 5 of each of 200 networks, and the rest refused", granted, refused)
	}
	if n := store.writes.Load() - written; n != 0 {
		t.Errorf("the flood wrote %d times", n)
	}
	b := s.browser(t)
	callback := b.approve(b.begin(""), "bob")
	b.navigate(crossSite, callback.String(), at("192.0.2.99")...).want(http.StatusSeeOther)
	if b.user() != "u-1002" || before.user() != "u-1001" {
		t.Error("the flood disturbed others")
	}
}

// A proxy that is not named in trusted_proxies makes all users one client: when
// that client is refused, the log says what to do.
func TestUntrustedProxyIsNamed(t *testing.T) {
	o := limited(web.Rates{SignIns: 1}, options{})
	forget := o.web
	o.web = func(c *web.Config) { forget(c); c.Client = web.TrustedProxies(nil) }
	s := newStand(t, o)
	for range 3 {
		s.browser(t).navigate(ourOrigin, "/bff/login", at("192.0.2.7")...)
	}
	if n := s.events("request_refused", "trusted_proxies"); n != 1 {
		t.Errorf("%d events name the remedy, want 1", n)
	}
	known := newStand(t, limited(web.Rates{SignIns: 1}, options{}))
	for range 3 {
		known.browser(t).navigate(ourOrigin, "/bff/login", at("192.0.2.7")...)
	}
	if n := known.events("request_refused", "trusted_proxies"); n != 0 {
		t.Errorf("%d events name it where there is nothing to do", n)
	}
}
