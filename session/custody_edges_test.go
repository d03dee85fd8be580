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

// B10: nothing is revoked of the session that a browser had before the same user
// signed in again, even if it ran out meanwhile: some providers end the new one with
// it. Another user's is.
func TestRevokeNothingOfTheSameUser(t *testing.T) {
	tests := []struct {
		name string
		wait func(r *room, old session.Ticket)
		ends string
	}{
		{"still there", func(*room, session.Ticket) { time.Sleep(time.Minute) }, session.ReasonReplaced},
		{"idled out, in memory", func(r *room, old session.Ticket) {
			time.Sleep(29 * time.Minute)
			r.resume(old) // so that it is in memory
			time.Sleep(time.Minute)
		}, session.ReasonIdle},
		{"idled out long ago", func(*room, session.Ticket) { time.Sleep(2 * time.Hour) }, session.ReasonLate},
		{"absolute end", func(r *room, old session.Ticket) {
			for range 24 {
				r.resume(old).Touch()
				time.Sleep(20 * time.Minute)
			}
		}, session.ReasonAbsolute},
	}
	for _, tt := range tests {
		for user, revoked := range map[string]int{"alice": 0, "bob": 1} {
			t.Run(tt.name+", then "+user, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRoom(t)
					old := r.signIn("alice", nil)
					tt.wait(r, old)
					next := r.signIn(user, &old)
					time.Sleep(time.Minute)
					want(t, "revoked", len(r.provider.revocations()), revoked)
					want(t, "events", r.log.events(session.EventEnded), []string{tt.ends})
					r.wantOver(old)
					r.resume(next)
				})
			})
		}
	}
}

// R14: a renewal that began before the refresh token ran out is waited for, though
// none could begin any more.
func TestRenewalOutlivesRefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		r.provider.takes(2 * time.Second)
		in := r.provider.signIn("alice")
		in.Tokens.RefreshExpires = time.Now().Add(10 * time.Minute)
		ticket, err := r.Start(t.Context(), in, nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*time.Minute - time.Second)
		first := make(chan string, 1)
		go func() {
			token, err := r.try(ticket)
			first <- fmt.Sprint(token, err)
		}()
		time.Sleep(1500 * time.Millisecond)
		token, err := r.try(ticket)
		want(t, "the second call", fmt.Sprint(token, err), <-first)
		want(t, "the second call", fmt.Sprint(token, err), fmt.Sprint("access-2", nil))
		want(t, "revoked", len(r.provider.revocations()), 0)
	})
}

// R15: an answer that says that the token was not consumed costs no use of it, even
// if that can't be written.
func TestNotConsumedNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		writes := 0
		r := newRoom(t, func(r *room) {
			r.wrap = func(s session.Store) session.Store {
				return &hookStore{Store: s, swap: func(write func() error) error {
					if writes++; writes == 2 || writes == 4 || writes == 6 {
						return errors.New("disk full")
					}
					return write()
				}}
			}
		})
		r.provider.answer = func(n int, _ session.Tokens) (session.Tokens, error) {
			if n <= 3 {
				return session.Tokens{}, &session.Unavailable{Err: errors.New("503")}
			}
			return r.provider.next(), nil
		}
		ticket := r.signIn("alice", nil)
		time.Sleep(6 * time.Minute)
		for range 4 {
			_, _ = r.try(ticket)
			time.Sleep(30 * time.Second)
		}
		want(t, "uses", len(r.provider.sent()), 4)
		want(t, "token", r.access(ticket), "access-2")
	})
}

// C9: of a provider that is waited for, a token that runs out meanwhile is not used.
func TestBlockingRenewalOutlivesToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, func(r *room) { r.blocking = true; r.provider.lifetime = 30 * time.Second })
		r.provider.takes(25 * time.Second)
		ticket := r.signIn("alice", nil)
		time.Sleep(23 * time.Second)
		var wait *session.Unavailable
		if token, err := r.try(ticket); !errors.As(err, &wait) {
			t.Errorf("3 s after its expiry: got %q, %v, want Unavailable", token, err)
		}
	})
}

// I2: what can't be written is tried at once, however many revocations are in hand.
func TestRevocationsBeyondCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := make(chan struct{})
		r := newRoom(t, func(r *room) {
			r.config = func(c *session.Config) {
				p := c.Providers["main"]
				p.Renewer = stuckRevocation{r.provider, open}
				c.Providers["main"] = p
			}
		})
		for i := range 1100 {
			r.Discard(r.provider.signIn(fmt.Sprintf("user-%d", i)))
		}
		r.store.Store = refuseRevocations{r.store.Store}
		for i := range 5 {
			r.Discard(r.provider.signIn(fmt.Sprintf("late-%d", i)))
		}
		close(open)
		time.Sleep(time.Hour)
		told := map[string]bool{}
		for _, token := range r.provider.revocations() {
			told[token] = true
		}
		for i := 1101; i <= 1105; i++ {
			if !told[fmt.Sprintf("refresh-%d", i)] {
				t.Errorf("refresh-%d is not revoked", i)
			}
		}
	})
}

// stuckRevocation is a provider whose revocations wait until it is open.
type stuckRevocation struct {
	*provider
	open chan struct{}
}

func (s stuckRevocation) Revoke(ctx context.Context, t session.Tokens) error {
	<-s.open
	return s.provider.Revoke(ctx, t)
}

// refuseRevocations is a store that takes no revocation.
type refuseRevocations struct{ session.Store }

func (refuseRevocations) PutRevocation(context.Context, session.Revocation) error {
	return errors.New("disk full")
}

// I2: a token that has run out by itself is nobody's business.
func TestNoRevocationOfWhatRanOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		in := r.provider.signIn("alice")
		in.Tokens.RefreshExpires = time.Now().Add(30 * time.Minute)
		ticket, err := r.Start(t.Context(), in, nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(8 * time.Hour)
		r.wantOver(ticket)
		time.Sleep(time.Minute)
		want(t, "failed", len(r.log.events(session.EventRevokeFailed)), 0)
	})
}
