package session_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// E7, D10: idle and absolute limits, to the moment, also for a session that is
// only on disk. Renewals extend neither.
func TestLimits(t *testing.T) {
	tests := []struct {
		name  string
		every time.Duration // between two activities; 0: none
		at    time.Duration
		live  bool
	}{
		{"last moment of idling", 0, 30*time.Minute - time.Millisecond, true},
		{"idle too long", 0, 30 * time.Minute, false},
		{"busy", 20 * time.Minute, 7*time.Hour + 50*time.Minute, true},
		{"busy to the last moment", 20 * time.Minute, 8*time.Hour - time.Millisecond, true},
		{"busy past the end", 20 * time.Minute, 8 * time.Hour, false},
	}
	for _, tt := range tests {
		for _, restart := range []bool{false, true} {
			t.Run(tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRoom(t)
					start := time.Now()
					ticket := r.signIn("alice", nil)
					for tt.every > 0 && time.Since(start)+tt.every < tt.at {
						time.Sleep(tt.every)
						r.resume(ticket).Touch()
						r.access(ticket)
					}
					time.Sleep(tt.at - time.Since(start))
					if restart {
						r.restart()
					}
					if _, err := r.Resume(t.Context(), ticket); (err == nil) != tt.live {
						t.Errorf("Resume: %v, want live: %v", err, tt.live)
					}
					if !tt.live {
						// I2: what the ticket brought to light is revoked.
						synctest.Wait()
						want(t, "revocations", len(r.provider.revocations()), 1)
					}
				})
			})
		}
	}
}

// B10: a new sign-in ends the session before it. The same user's other tabs have
// 30 s left, without renewals; another user's session ends at once, and only its
// tokens are revoked.
func TestReplaced(t *testing.T) {
	tests := []struct {
		name, second string
		after        time.Duration
		live         bool
		revoked      []string
	}{
		{"same user, at once", "alice", 0, true, []string{}},
		{"same user, last moment", "alice", 30*time.Second - time.Millisecond, true, []string{}},
		{"same user, later", "alice", 30 * time.Second, false, []string{}},
		{"another user", "bob", 0, false, []string{"refresh-1"}},
	}
	for _, tt := range tests {
		for _, restart := range []bool{false, true} {
			t.Run(tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRoom(t)
					first := r.signIn("alice", nil)
					time.Sleep(4*time.Minute + 20*time.Second)
					second := r.signIn(tt.second, &first)
					time.Sleep(tt.after)
					if restart {
						r.restart()
					}
					s, err := r.Resume(t.Context(), first)
					if (err == nil) != tt.live {
						t.Errorf("Resume: %v, want live: %v", err, tt.live)
					}
					if err == nil {
						if _, err := s.Access(t.Context()); err != nil {
							t.Errorf("Access: %v", err)
						}
					}
					r.access(second)
					synctest.Wait()
					want(t, "renewals", len(r.provider.sent()), 0)
					want(t, "revocations", r.provider.revocations(), tt.revoked)
					want(t, "ends", r.log.events(session.EventEnded), []string{"replaced"})
				})
			})
		}
	}
}

// I1, E11: a logout holds at once and for ever, and is told to the provider.
func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		ticket := r.signIn("alice", nil)
		ended, err := r.End(t.Context(), ticket, session.ReasonLogout)
		if err != nil || ended.Subject != "alice" || ended.IDToken != "id-1" {
			t.Errorf("End: got %v for %q", err, ended.Subject)
		}
		if _, err := r.End(t.Context(), ticket, session.ReasonLogout); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("End again: got %v", err)
		}
		r.wantOver(ticket)
		r.restart()
		r.wantOver(ticket)
		want(t, "revocations", r.provider.revocations(), []string{"refresh-1"})
		want(t, "ends", r.log.events(session.EventEnded), []string{"logout"})
	})
}

// Experiment 10: a store that can't delete does not keep a logout from holding,
// and is asked again.
func TestEndWithFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		ticket := r.signIn("alice", nil)
		r.store.set("Delete", errors.New("disk full"))
		if _, err := r.End(t.Context(), ticket, session.ReasonLogout); err != nil {
			t.Fatal(err)
		}
		r.wantOver(ticket)
		time.Sleep(10 * time.Minute) // burials of written deletions are forgotten by now
		r.wantOver(ticket)
		r.store.set("Delete", nil)
		time.Sleep(2 * time.Second)
		r.restart()
		r.wantOver(ticket)
		if _, err := r.store.Load(t.Context(), ticket.Key()); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("the record: got %v, want ErrNotFound", err)
		}
	})
}

// K4: a store in trouble is 503, never "signed out", and a sign-in that can't be
// written leaves no token behind.
func TestStoreInTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		ticket := r.signIn("alice", nil)
		r.restart()
		r.store.set("Load", errors.New("i/o error"))
		var wait *session.Unavailable
		if _, err := r.Resume(t.Context(), ticket); !errors.As(err, &wait) {
			t.Errorf("Resume: got %v, want Unavailable", err)
		}
		r.store.set("Load", nil)
		r.resume(ticket)
		r.store.set("Create", errors.New("disk full"))
		if _, err := r.Start(t.Context(), r.provider.signIn("bob"), nil); !errors.As(err, &wait) {
			t.Errorf("Start: got %v, want Unavailable", err)
		}
		synctest.Wait()
		want(t, "revocations", r.provider.revocations(), []string{"refresh-2"})
	})
}

// D14: tokens are never sent to another client or issuer that took over the
// provider's name.
func TestProviderChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		ticket := r.signIn("alice", nil)
		r.clientID = "other"
		r.restart()
		r.wantOver(ticket)
		want(t, "calls", len(r.provider.sent())+len(r.provider.revocations()), 0)
		r.clientID = "spa"
		r.restart()
		r.access(ticket)
	})
}

// J5: a new key in front logs nobody out; without the key that sealed it a
// session reads as none, and is there again with it.
func TestKeyRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, next := session.NewKey(), session.NewKey()
		r := newRoom(t, func(r *room) { r.keys = keyring(t, old) })
		ticket := r.signIn("alice", nil)
		for _, tt := range []struct {
			keys []string
			live bool
		}{{[]string{next, old}, true}, {[]string{next}, false}, {[]string{next, old}, true}} {
			r.keys = keyring(t, tt.keys...)
			r.restart()
			if _, err := r.Resume(t.Context(), ticket); (err == nil) != tt.live {
				t.Errorf("with %d keys: got %v, want live: %v", len(tt.keys), err, tt.live)
			}
		}
		// What is written from now on is sealed by the new key alone.
		time.Sleep(4*time.Minute + 30*time.Second)
		r.resume(ticket).Touch()
		r.access(ticket)
		time.Sleep(3 * time.Minute)
		r.keys = keyring(t, next)
		r.restart()
		want(t, "token", r.access(ticket), "access-2")
	})
}

// J9, E13: a session that ran out while nobody looked keeps its tokens sealed
// until the ticket comes, which revokes them, once.
func TestTombstone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		ticket := r.signIn("alice", nil)
		r.restart()
		time.Sleep(time.Hour)
		if record, err := r.store.Load(t.Context(), ticket.Key()); err != nil || record.Live() {
			t.Errorf("the record: %v, live: %v, want a tombstone", err, record.Live())
		}
		r.wantOver(ticket)
		r.wantOver(ticket)
		synctest.Wait()
		want(t, "revocations", r.provider.revocations(), []string{"refresh-1"})
		want(t, "ends", r.log.events(session.EventEnded), []string{"tombstone"})
	})
}

// B2: a mark is used once, whatever crashes.
func TestOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		until := time.Now().Add(10 * time.Minute)
		use := func() bool {
			first, err := r.Once(context.Background(), "callback", "state", until)
			if err != nil {
				t.Fatal(err)
			}
			return first
		}
		want(t, "first", use(), true)
		want(t, "second", use(), false)
		r.restart()
		want(t, "after a restart", use(), false)
		time.Sleep(20 * time.Minute)
		want(t, "after its time", use(), true)
	})
}

// J5: keys that do not belong to the store are noticed at the start, and nothing
// is changed by that; rotated keys are followed.
func TestUnlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, next, foreign := session.NewKey(), session.NewKey(), session.NewKey()
		r := newRoom(t, func(r *room) { r.keys = keyring(t, old) })
		for _, tt := range []struct {
			name string
			keys []string
			ok   bool
		}{
			{"first start", []string{old}, true},
			{"again", []string{old}, true},
			{"another key", []string{foreign}, false},
			{"several others", []string{foreign, next}, false},
			{"rotated", []string{next, old}, true},
			{"the old key gone", []string{next}, true},
			{"the new key gone", []string{old}, false},
		} {
			r.keys = keyring(t, tt.keys...)
			r.restart()
			err := r.Unlock(t.Context())
			if (err == nil) != tt.ok || err != nil && !errors.Is(err, session.ErrWrongKeys) {
				t.Errorf("%s: got %v, want ok: %v", tt.name, err, tt.ok)
			}
			time.Sleep(24 * time.Hour) // no sweep takes the probe away
		}
	})
}
