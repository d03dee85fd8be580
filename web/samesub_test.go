package web_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session"
)

// sidAt is the i-th provider's session of whoever signed in there last.
func (s *several) sidAt(t *testing.T, i int) string {
	t.Helper()
	var claims struct {
		SID string `json:"sid"`
	}
	for _, secret := range s.providers[i].Secrets() {
		if secret.Kind != "id_token" {
			continue
		}
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(secret.Value, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(payload, &claims); err != nil {
			t.Fatal(err)
		}
	}
	return claims.SID
}

// tell posts a logout token for the i-th provider to the endpoint of one.
func (s *several) tell(t *testing.T, endpoint string, i int, l demo.Logout) *answer {
	t.Helper()
	l.Client = s.regs[i].id
	form := url.Values{"logout_token": {s.providers[i].LogoutToken(l)}}.Encode()
	b := s.browser(t)
	r := b.request("POST", "/bff/backchannel-logout/"+endpoint, "Content-Type", "application/x-www-form-urlencoded")
	r.Body, r.ContentLength = readCloser{strings.NewReader(form)}, int64(len(form))
	return b.do(r)
}

// The same sub at two providers is two people (B9): whatever ends the sessions of
// the one leaves those of the other.
func TestSameSubIsTwoPeople(t *testing.T) {
	tests := []struct {
		name string
		end  func(t *testing.T, s *several, atMain *browser)
		ends bool // main's session
	}{
		{"the user's logout", func(_ *testing.T, _ *several, b *browser) { b.fetch("POST", "/bff/logout").want(http.StatusOK) }, true},
		{"back-channel, by sub", func(t *testing.T, s *several, _ *browser) {
			s.tell(t, "main", 0, demo.Logout{Subject: alice}).want(http.StatusOK)
		}, true},
		{"back-channel, by sub and sid", func(t *testing.T, s *several, _ *browser) {
			s.tell(t, "main", 0, demo.Logout{Subject: alice, SID: s.sidAt(t, 0)}).want(http.StatusOK)
		}, true},
		{"back-channel, with the other's sid", func(t *testing.T, s *several, _ *browser) {
			s.tell(t, "main", 0, demo.Logout{SID: s.sidAt(t, 1)}).want(http.StatusOK)
		}, false},
		{"back-channel, main's token at the other's address", func(t *testing.T, s *several, _ *browser) {
			s.tell(t, "partner", 0, demo.Logout{Subject: alice}).problem(http.StatusBadRequest, "logout_refused")
		}, false},
		{"back-channel, main in the other's name", func(t *testing.T, s *several, _ *browser) {
			s.tell(t, "partner", 0, demo.Logout{Subject: alice, Edit: func(claims, _ map[string]any) {
				claims["iss"], claims["aud"] = s.providers[1].URL, s.regs[1].id
			}}).problem(http.StatusBadRequest, "logout_refused")
		}, false},
		{"front-channel", func(t *testing.T, s *several, _ *browser) {
			s.browser(t).navigate(crossSite, "/bff/frontchannel-logout/main?"+
				url.Values{"iss": {s.providers[0].URL}, "sid": {s.sidAt(t, 0)}}.Encode()).want(http.StatusOK)
		}, true},
		{"front-channel, with the other's sid", func(t *testing.T, s *several, _ *browser) {
			s.browser(t).navigate(crossSite, "/bff/frontchannel-logout/main?"+
				url.Values{"iss": {s.providers[0].URL}, "sid": {s.sidAt(t, 1)}}.Encode()).want(http.StatusOK)
		}, false},
		{"front-channel, for the other", func(t *testing.T, s *several, _ *browser) {
			s.browser(t).navigate(crossSite, "/bff/frontchannel-logout/main?"+
				url.Values{"iss": {s.providers[1].URL}, "sid": {s.sidAt(t, 1)}}.Encode()).problem(http.StatusBadRequest, "logout_refused")
		}, false},
		{"one session too many", func(t *testing.T, s *several, _ *browser) {
			s.sleep(time.Second)
			s.signedInAt(t, "main", "alice")
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSeveral(t, options{limits: func(l *session.Limits) { l.PerUser = 1 }}, "main", "partner")
			atMain, atPartner := s.signedInAt(t, "main", "alice"), s.signedInAt(t, "partner", "alice")
			tt.end(t, s, atMain)
			if got := atMain.user() == ""; got != tt.ends {
				t.Errorf("the session at main is over: %v, want %v", got, tt.ends)
			}
			if atPartner.user() != alice || atPartner.provider() != "partner" {
				t.Error("the session of another person, at partner, is over")
			}
			s.sleep(2 * time.Minute)
			atPartner.fetch("POST", "/bff/session/renew").want(http.StatusOK)
			if n := len(s.providers[1].Calls("revocation")); n != 0 {
				t.Errorf("partner got %d revocations", n)
			}
		})
	}
}

// Whoever signs in at another provider is another person, whatever the sub: the
// session before ends at once, its grace period of 30 s included, and is revoked
// where it came from (B9, B10).
func TestSignInAtAnotherProvider(t *testing.T) {
	s := newSeveral(t, options{}, "main", "partner", "bank")
	b := s.signedInAt(t, "main", "alice")
	for i, next := range []string{"partner", "bank", "main"} {
		old := s.browser(t)
		old.hold("__Host-session", b.cookie("session"))
		b.signIn("alice", "?provider="+next).want(http.StatusSeeOther)
		if got := old.user(); got != "" {
			t.Errorf("after the sign-in at %s the ticket before is still %s's", next, got)
		}
		if err := s.providers[i].WaitDone("revocation", 1, 5*time.Second); err != nil {
			t.Error(err)
		}
		if b.user() != alice || b.provider() != next {
			t.Errorf("signed in at %q, want %s", b.provider(), next)
		}
	}
}

// Claims and headers are those of the one provider of the session (B9).
func TestClaimsAreNotMixed(t *testing.T) {
	s := newSeveral(t, options{}, "main", "partner")
	s.providers[1].SetFaults(demo.Faults{Code: demo.Fault{EditIDToken: func(c map[string]any) {
		c["email"], c["name"] = "alice@partner.example", "Another Alice"
	}}})
	b := s.browser(t)
	for range 2 {
		for i, want := range []struct{ provider, email, name string }{
			{"main", "alice@example.com", "Alice Archer"}, {"partner", "alice@partner.example", "Another Alice"},
		} {
			b.signIn("alice", "?provider="+want.provider).want(http.StatusSeeOther)
			claims := b.fetch("GET", "/bff/user").json()
			if claims["email"] != want.email || claims["name"] != want.name {
				t.Errorf("%s: claims %v, want %s and %s", want.provider, claims, want.email, want.name)
			}
			b.fetch("GET", "/api/orders").want(http.StatusOK)
			got := []string{s.upstream.header("X-User"), s.upstream.header("X-Issuer"), s.upstream.header("X-Email")}
			if got[0] != alice || got[1] != s.providers[i].URL || got[2] != want.email {
				t.Errorf("%s: headers %q", want.provider, got)
			}
			token := strings.TrimPrefix(s.upstream.header("Authorization"), "Bearer ")
			if !strings.Contains(strings.Join(s.providers[i].Issued(), " "), token) {
				t.Errorf("%s: the API got a token of another", want.provider)
			}
		}
	}
}

// One provider is down: at the others sign-ins and renewals go on, and so do the
// sessions of those who signed in there as long as their tokens are good (K3).
func TestOneProviderDown(t *testing.T) {
	s := newSeveral(t, options{}, "main", "partner")
	down := demo.Fault{DropBefore: true}
	var atMain []*browser
	for range 8 {
		atMain = append(atMain, s.signedInAt(t, "main", "alice"))
	}
	atPartner := s.signedInAt(t, "partner", "alice")
	s.providers[0].SetFaults(demo.Faults{Discovery: down, JWKS: down, Authorize: down, Code: down, Refresh: down, Revocation: down, EndSession: down})
	for _, b := range atMain {
		b.fetch("GET", "/api/orders").want(http.StatusOK)
	}
	s.sleep(6 * time.Minute)
	for _, b := range atMain {
		b.fetch("GET", "/api/orders").problem(http.StatusServiceUnavailable, "unavailable")
	}
	if !strings.Contains(s.log.String(), string(session.EventBreaker)) {
		t.Error("renewals at main are not held back")
	}
	for range 3 {
		atPartner.fetch("GET", "/api/orders").want(http.StatusOK)
		s.signedInAt(t, "partner", "bob").fetch("GET", "/api/orders").want(http.StatusOK)
		s.sleep(6 * time.Minute)
	}
	if n := len(s.providers[1].Calls("refresh")); n < 2 {
		t.Errorf("%d renewals at partner, want 2 or more", n)
	}
	for _, b := range atMain {
		if b.provider() != "main" {
			t.Fatal("an outage ended a session")
		}
	}
	s.providers[0].SetFaults(demo.Faults{})
	s.signedInAt(t, "main", "bob")
}

// B9 with a store that fails too: what is ended in memory then is the one
// provider's.
func TestSameSubWithSickStore(t *testing.T) {
	store := &brokenStore{}
	s := newSeveral(t, options{store: func(real session.Store) session.Store { store.Store = real; return store }}, "main", "partner")
	atMain, atPartner := s.signedInAt(t, "main", "alice"), s.signedInAt(t, "partner", "alice")
	store.bury.Store(true)
	s.tell(t, "main", 0, demo.Logout{Subject: alice}).problem(http.StatusBadRequest, "logout_failed")
	if got := atMain.user(); got != "" {
		t.Error("the session at main goes on")
	}
	if got := atPartner.user(); got != alice {
		t.Error("the session of another person, at partner, is over")
	}
}
