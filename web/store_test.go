package web_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// brokenStore fails where it is told to.
type brokenStore struct {
	session.Store
	load, create, mark, swap, remove, bury atomic.Bool
}

var errDisk = errors.New("write /var/lib/secret-path/sessions.db: no space left on device")

func (s *brokenStore) Load(ctx context.Context, k session.Key) (session.Record, error) {
	if s.load.Load() {
		return session.Record{}, errDisk
	}
	return s.Store.Load(ctx, k)
}

func (s *brokenStore) Create(ctx context.Context, k session.Key, r session.Record, f session.Filing) error {
	if s.create.Load() {
		return errDisk
	}
	return s.Store.Create(ctx, k, r, f)
}

func (s *brokenStore) MarkUsed(ctx context.Context, mark [32]byte, until time.Time) (bool, error) {
	if s.mark.Load() {
		return false, errDisk
	}
	return s.Store.MarkUsed(ctx, mark, until)
}

func (s *brokenStore) SwapTokens(ctx context.Context, k session.Key, u session.TokensUpdate) error {
	if s.swap.Load() {
		return errDisk
	}
	return s.Store.SwapTokens(ctx, k, u)
}

func (s *brokenStore) Delete(ctx context.Context, k session.Key, r *session.Revocation) error {
	if s.remove.Load() {
		return errDisk
	}
	return s.Store.Delete(ctx, k, r)
}

func (s *brokenStore) Bury(ctx context.Context, b session.Burial) ([]session.Key, error) {
	if s.bury.Load() {
		return nil, errDisk
	}
	return s.Store.Bury(ctx, b)
}

// A store that can't be asked ends nothing and hides nothing: 503, and the cookie
// stays, so that signing out again can end the session (K4).
func TestStoreFailing(t *testing.T) {
	var store brokenStore
	s := newStand(t, options{store: func(real session.Store) session.Store { store.Store = real; return &store }})
	b := s.signedIn(t, "alice")
	s.sleep(time.Minute)

	// A session that ended where the store refuses to forget it is over all the same.
	c := s.signedIn(t, "bob")
	ticket := c.cookie("session")
	store.remove.Store(true)
	c.signOut().want(http.StatusSeeOther)
	c.hold("__Host-session", ticket)
	if c.user() != "" {
		t.Error("the session lives on")
	}

	store.load.Store(true)
	stranger := s.browser(t)
	stranger.hold("__Host-session", ticketOfNobody(t, s))
	for _, call := range []func() *answer{
		func() *answer { return stranger.fetch("GET", "/bff/user") },
		func() *answer { return stranger.fetch("GET", "/bff/session") },
		func() *answer { return stranger.fetch("GET", "/api/whoami") },
		func() *answer { return stranger.fetch("GET", "/opt/whoami") },
		func() *answer { return stranger.navigate(typed, "/docs/whoami") },
		func() *answer { return stranger.signOut() },
		func() *answer { return stranger.fetch("POST", "/bff/logout") },
	} {
		a := call().problem(http.StatusServiceUnavailable, "unavailable")
		if len(a.Cookies()) != 0 || strings.Contains(a.body, "secret-path") || a.Header.Get("Retry-After") == "" {
			t.Errorf("%s: headers %v", a.Request.URL, a.Header)
		}
	}
	if b.fetch("GET", "/api/whoami").StatusCode != http.StatusOK {
		t.Error("a session in memory does not serve")
	}
	store.load.Store(false)

	// No sign-in without a durable mark, and no token call either.
	store.mark.Store(true)
	d := s.browser(t)
	calls := len(s.providers[0].Calls("token"))
	callback := d.approve(d.begin(""), "carol")
	d.navigate(crossSite, callback.String()).problem(http.StatusServiceUnavailable, "sign_in_interrupted")
	if len(s.providers[0].Calls("token")) != calls {
		t.Error("the code was redeemed")
	}
	store.mark.Store(false)
	store.create.Store(true)
	d.navigate(crossSite, callback.String()).problem(http.StatusServiceUnavailable, "sign_in_interrupted")
	if d.cookie("session") != "" {
		t.Error("a session that was not written has a cookie")
	}
	if err := s.providers[0].WaitDone("revocation", 2, 5*time.Second); err != nil {
		t.Error("tokens that nobody will hold are not revoked:", err)
	}
}

// ticketOfNobody returns a genuine cookie for a session that this stand's memory
// does not hold.
func ticketOfNobody(t *testing.T, s *stand) string {
	t.Helper()
	other := newStand(t, options{keys: s.keys})
	return other.signedIn(t, "carol").cookie("session")
}
