package session_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// says is a provider's logout of sid, or of all that alice has.
func says(sid string) session.Logout {
	return session.Logout{Provider: "main", Subject: "alice", SID: sid, Reason: session.ReasonBackchannel}
}

// signInAs starts a session of subject with a sid of its own.
func (r *room) signInAs(subject, sid string) session.Ticket {
	r.t.Helper()
	in := r.provider.signIn(subject)
	in.SID = sid
	ticket, err := r.Start(r.t.Context(), in, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return ticket
}

// I6, B9: a sid ends that session, a sub all sessions of that user at that
// issuer, and nothing else.
func TestProviderLogout(t *testing.T) {
	tests := []struct {
		name string
		say  session.Logout
		ends string // of s1, s2, bob's and the one at another provider
		n    int
	}{
		{"one session", says("s1"), "[true false false false]", 1},
		{"all sessions", says(""), "[true true false false]", 2},
		{"a session that is not there", says("s9"), "[false false false false]", 0},
		{"another provider", session.Logout{Provider: "other", Subject: "alice"}, "[false false false true]", 1},
		{"bob's session by another's sub", session.Logout{Provider: "main", Subject: "alice", SID: "s3"}, "[false false true false]", 1},
	}
	for _, tt := range tests {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, after a restart: %v", tt.name, restart), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					q := &provider{lifetime: 5 * time.Minute}
					r := newRoom(t, func(r *room) {
						r.config = func(c *session.Config) {
							c.Providers["other"] = session.Provider{Renewer: q, Issuer: "https://other.test", ClientID: "spa"}
						}
					})
					tickets := []session.Ticket{r.signInAs("alice", "s1"), r.signInAs("alice", "s2"), r.signInAs("bob", "s3")}
					there, err := r.Start(t.Context(), elsewhere(q, "other", "alice"), nil)
					if err != nil {
						t.Fatal(err)
					}
					tickets = append(tickets, there)
					if restart {
						r.restart()
					}
					n, err := r.Logout(t.Context(), tt.say)
					want(t, "sessions", fmt.Sprint(n, err), fmt.Sprint(tt.n, nil))
					synctest.Wait()
					if !restart {
						want(t, "revoked at once", len(r.provider.revocations())+len(q.revocations()), tt.n)
					}
					for range 2 {
						var over []bool
						for _, ticket := range tickets {
							_, err := r.Resume(t.Context(), ticket)
							over = append(over, errors.Is(err, session.ErrNotFound))
						}
						want(t, "over", over, tt.ends)
						synctest.Wait()
						want(t, "revoked", len(r.provider.revocations())+len(q.revocations()), tt.n)
						r.restart()
					}
					want(t, "provider_logout", len(r.log.events(session.EventLogout)), 1)
				})
			})
		}
	}
}

// I6: a logout of whom nobody knows, or from a provider that is not configured.
func TestLogoutOfNobody(t *testing.T) {
	r := newRoom(t)
	if n, err := r.Logout(t.Context(), says("")); n != 0 || err != nil {
		t.Errorf("nobody: got %d, %v", n, err)
	}
	if _, err := r.Logout(t.Context(), session.Logout{Provider: "gone", Subject: "alice"}); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("no such provider: got %v, want ErrNotFound", err)
	}
}

// J9, I6: what is elsewhere stays sealed until its ticket comes, however late:
// then it is 401 and revoked, once.
func TestLogoutElsewhere(t *testing.T) {
	tests := []struct {
		name string
		wait func(r *room)
	}{
		{"at once", func(*room) {}},
		{"after ten minutes", func(*room) { time.Sleep(10 * time.Minute) }},
		{"after a restart", func(r *room) { r.restart() }},
		{"after a crash, long after", func(r *room) { r.crash(); time.Sleep(3 * time.Hour) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t)
				ticket := r.signIn("alice", nil)
				r.restart()
				if n, err := r.Logout(t.Context(), says("sid-alice")); n != 1 || err != nil {
					t.Fatalf("got %d, %v", n, err)
				}
				want(t, "ends", r.log.events(session.EventEnded), []string{session.ReasonBackchannel})
				tt.wait(r)
				want(t, "revoked before the ticket comes", r.provider.revocations(), []string{})
				for range 3 {
					r.wantOver(ticket)
				}
				time.Sleep(10 * time.Minute)
				r.wantOver(ticket)
				want(t, "revoked", r.provider.revocations(), []string{"refresh-1"})
			})
		})
	}
}

// I5: one logout token counts once, for as long as it could be accepted, and
// across restarts.
func TestLogoutTokenCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		say := says("")
		say.ID, say.IDUntil = "jti-1", time.Now().Add(3*time.Minute)
		if _, err := r.Logout(t.Context(), say); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		ticket := r.signIn("alice", nil)
		again := func(what string) {
			t.Helper()
			if _, err := r.Logout(t.Context(), say); !errors.Is(err, session.ErrRepeated) {
				t.Errorf("%s: got %v, want ErrRepeated", what, err)
			}
			r.resume(ticket)
		}
		again("at once")
		r.restart()
		again("after a restart")
		r.crash()
		time.Sleep(2 * time.Minute)
		again("a moment before it is of no use any more")
		other := say
		other.ID = "jti-2"
		if n, err := r.Logout(t.Context(), other); n != 1 || err != nil {
			t.Errorf("another token: got %d, %v", n, err)
		}
		time.Sleep(2 * time.Minute)
		if _, err := r.Logout(t.Context(), say); err != nil {
			t.Errorf("after it was forgotten: got %v", err)
		}
		want(t, "provider_logout", len(r.log.events(session.EventLogout)), 3)
	})
}

// I5, I7, K4: if the store refuses, sessions in memory are over all the same, and
// the provider may say it again for the others.
func TestLogoutWithSickStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, fails := range []string{"Bury", "Find"} {
			r := newRoom(t)
			here, there, other := r.signIn("alice", nil), r.signIn("alice", nil), r.signIn("bob", nil)
			r.restart()
			r.resume(here)
			r.resume(other)
			say := session.Logout{
				Provider: "main", Subject: "alice", SID: "sid-alice", Reason: session.ReasonBackchannel,
				ID: "jti-1", IDUntil: time.Now().Add(3 * time.Minute),
			}
			r.store.set(fails, errors.New("disk full"))
			var wait *session.Unavailable
			if _, err := r.Logout(t.Context(), say); !errors.As(err, &wait) {
				t.Errorf("got %v, want Unavailable", err)
			}
			r.wantOver(here)
			r.resume(other)
			want(t, "provider_logout", len(r.log.events(session.EventLogout)), 0)
			r.store.set(fails, nil)
			if n, err := r.Logout(t.Context(), say); n != 1 || err != nil {
				t.Errorf("again: got %d, %v", n, err)
			}
			r.wantOver(there)
			r.resume(other)
		}
	})
}

// I1, I7: a session in memory is over when Logout returns, though its deletion is
// refused for as long as it takes.
func TestLogoutHoldsWithoutDeletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		ticket := r.signIn("alice", nil)
		r.store.set("Delete", errors.New("disk full"))
		if _, err := r.Logout(t.Context(), says("")); err != nil {
			t.Fatal(err)
		}
		r.wantOver(ticket)
		time.Sleep(10 * time.Minute)
		r.wantOver(ticket)
		r.crash()
		r.wantOver(ticket)
		time.Sleep(time.Second)
		if len(r.provider.revocations()) == 0 {
			t.Error("not revoked")
		}
	})
}

// I8: a sign-in that was under way when the provider said that it is over gives
// no session, also after a restart; one begun later does.
func TestSignInDuringLogout(t *testing.T) {
	tests := []struct {
		name            string
		sid             string        // of the logout
		began, obtained time.Duration // since the logout
		refused         bool
	}{
		{"sid, begun and obtained before", "sid-alice", -time.Minute, -time.Second, true},
		{"sid, begun before, obtained after", "sid-alice", -time.Second, time.Second, true},
		{"sid, begun in the same millisecond", "sid-alice", 0, time.Second, true},
		{"sid, begun after", "sid-alice", time.Millisecond, time.Second, false},
		{"sid of another session", "sid-other", -time.Minute, -time.Second, false},
		{"sub, obtained before", "", -time.Minute, -time.Second, true},
		{"sub, obtained in the same millisecond", "", -time.Minute, 0, true},
		{"sub, obtained after", "", -time.Minute, time.Millisecond, false},
	}
	for _, tt := range tests {
		for _, crash := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, crash: %v", tt.name, crash), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRoom(t)
					at := time.Now()
					if _, err := r.Logout(t.Context(), says(tt.sid)); err != nil {
						t.Fatal(err)
					}
					if crash {
						r.crash()
					}
					time.Sleep(10 * time.Minute)
					in := r.provider.signIn("alice")
					in.Began, in.Tokens.Obtained = at.Add(tt.began), at.Add(tt.obtained)
					ticket, err := r.Start(t.Context(), in, nil)
					want(t, "refused", errors.Is(err, session.ErrSignedOut), tt.refused)
					synctest.Wait()
					if tt.refused {
						want(t, "revoked", r.provider.revocations(), []string{"refresh-1"})
					} else {
						r.resume(ticket)
					}
				})
			})
		}
	}
}

// A8 for logouts: anybody can send a front-channel logout, so one for a session
// that nobody knows writes nothing; for one that is known it ends it.
func TestFrontchannelLogoutOfNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		buries := 0
		r := newRoom(t, func(r *room) {
			r.wrap = func(s session.Store) session.Store { return &buryCounter{Store: s, n: &buries} }
		})
		ticket := r.signIn("alice", nil)
		logout := session.Logout{Provider: "main", SID: "nobody", Reason: session.ReasonFrontchannel}
		if n, err := r.Logout(t.Context(), logout); n != 0 || err != nil || buries != 0 {
			t.Errorf("got %d, %v and %d writes, want none", n, err, buries)
		}
		logout.SID = "sid-alice"
		if n, err := r.Logout(t.Context(), logout); n != 1 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
		r.wantOver(ticket)
	})
}

type buryCounter struct {
	session.Store
	n *int
}

func (b *buryCounter) Bury(ctx context.Context, burial session.Burial) ([]session.Key, error) {
	*b.n++
	return b.Store.Bury(ctx, burial)
}

// I8, J5: a server key that is added between a logout and the end of a sign-in
// that began before it does not let that one through.
func TestFenceAcrossKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := session.NewKey()
		r := newRoom(t, func(r *room) { r.keys = keyring(t, old) })
		in := r.provider.signIn("alice")
		time.Sleep(time.Second)
		for _, say := range []session.Logout{says(""), says("sid-alice")} {
			if _, err := r.Logout(t.Context(), say); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.SetKeys(t.Context(), keyring(t, session.NewKey(), old)); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Start(t.Context(), in, nil); !errors.Is(err, session.ErrSignedOut) {
			t.Errorf("got %v, want ErrSignedOut", err)
		}
		time.Sleep(time.Second)
		in = r.provider.signIn("alice")
		if _, err := r.Start(t.Context(), in, nil); err != nil {
			t.Errorf("a later sign-in: %v", err)
		}
	})
}
