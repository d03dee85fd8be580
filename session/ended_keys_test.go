package session_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// early is a store before whose first burial something else happens.
type early struct {
	session.Store
	do func()
}

func (e *early) Bury(ctx context.Context, b session.Burial) ([]session.Key, error) {
	if do := e.do; do != nil {
		e.do = nil
		do()
	}
	return e.Store.Bury(ctx, b)
}

// I6, J5: keys that change while a provider's logout is carried out hide no
// session from it, nor a sign-in under way.
func TestLogoutWhileKeysChange(t *testing.T) {
	tests := []struct {
		name   string
		logout session.Logout
	}{
		{"of a user", says("")},
		{"of one session", says("sid-alice")},
		{"that counts once", session.Logout{
			Provider: "main", Subject: "alice", ID: "jti-1", IDUntil: time.Now().AddDate(100, 0, 0), Reason: session.ReasonBackchannel,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				older, newer := session.NewKey(), session.NewKey()
				e := &early{}
				r := newRoom(t, func(r *room) {
					r.keys = keyring(t, older)
					r.wrap = func(s session.Store) session.Store { e.Store = s; return e }
				})
				if err := r.Unlock(t.Context()); err != nil {
					t.Fatal(err)
				}
				before, bob := r.signIn("alice", nil), r.signIn("bob", nil)
				begun := r.provider.signIn("alice")
				begun.Began = time.Now()
				time.Sleep(time.Second)
				var between session.Ticket
				e.do = func() {
					if err := r.SetKeys(t.Context(), keyring(t, newer, older)); err != nil {
						t.Error(err)
					}
					between = r.signIn("alice", nil)
					time.Sleep(time.Millisecond)
				}
				n, err := r.Logout(t.Context(), tt.logout)
				want(t, "error", err, nil)
				want(t, "sessions", n, 2)
				r.wantOver(before)
				r.wantOver(between)
				r.resume(bob)
				_, err = r.Start(t.Context(), begun, nil)
				want(t, "a sign-in under way", err, session.ErrSignedOut)
				time.Sleep(time.Second)
				r.resume(r.signIn("alice", nil))
				if tt.logout.ID != "" {
					_, err := r.Logout(t.Context(), tt.logout)
					want(t, "once more", err, session.ErrRepeated)
				}
			})
		})
	}
}
