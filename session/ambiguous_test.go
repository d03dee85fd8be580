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

// lose answers so that nobody knows what became of the refresh token.
func lose(int, session.Tokens) (session.Tokens, error) {
	return session.Tokens{}, fmt.Errorf("%w: timeout", session.ErrAmbiguous)
}

// R3: after an ambiguous end the token is used once more, when the access token
// has expired, and never a third time.
func TestAmbiguousRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		r.provider.answer = lose
		ticket := r.signIn("alice", nil)
		time.Sleep(4*time.Minute + 10*time.Second)
		for range 40 {
			want(t, "token", r.access(ticket), "access-1")
			time.Sleep(time.Second)
		}
		want(t, "uses while the token is valid", len(r.provider.sent()), 1)
		time.Sleep(time.Minute)
		if _, err := r.resume(ticket).Access(t.Context()); err == nil {
			t.Error("expired and nothing known: got a token")
		}
		want(t, "uses", r.provider.sent(), []string{"refresh-1", "refresh-1"})
		time.Sleep(time.Minute)
		if _, err := r.resume(ticket).Access(t.Context()); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("third use: got %v, want ErrNotFound", err)
		}
		want(t, "uses", len(r.provider.sent()), 2)
		want(t, "ends", r.log.events(session.EventEnded), []string{"own_crash own_crash"})
		want(t, "revocations", r.provider.revocations(), []string{})
	})
}

// R3 with a provider that had not rotated after all: the second use works, and
// the next renewal counts from one again.
func TestAmbiguousThenFine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		r.provider.answer = func(n int, t session.Tokens) (session.Tokens, error) {
			if n%2 == 1 {
				return lose(n, t)
			}
			return r.provider.next(), nil
		}
		ticket := r.signIn("alice", nil)
		for i := range 5 {
			time.Sleep(4*time.Minute + 30*time.Second)
			r.access(ticket) // ambiguous, in the background
			synctest.Wait()
			time.Sleep(40 * time.Second)
			want(t, "token", r.access(ticket), fmt.Sprintf("access-%d", i+2))
		}
		want(t, "ends", r.log.events(session.EventEnded), []string{})
	})
}

// R20: of an answer that is of no other use the new refresh token is kept.
func TestSalvagedRefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		r.provider.answer = func(n int, old session.Tokens) (session.Tokens, error) {
			if n == 1 {
				return session.Tokens{Refresh: "refresh-salvaged"}, session.ErrAmbiguous
			}
			return r.provider.next(), nil
		}
		ticket := r.signIn("alice", nil)
		time.Sleep(10 * time.Minute)
		if _, err := r.resume(ticket).Access(t.Context()); err == nil {
			t.Error("got a token from a useless answer")
		}
		time.Sleep(time.Minute)
		r.restart()
		want(t, "token", r.access(ticket), "access-2")
		want(t, "uses", r.provider.sent(), []string{"refresh-1", "refresh-salvaged"})
	})
}

// crash opens the file again as a new process finds it that follows one killed
// at the moment the given store call had worked.
func crashAfter(r *room, ticket session.Ticket, call string, nth int) {
	r.t.Helper()
	died := make(chan struct{})
	count := 0
	r.store.after = func(method string) {
		if method != call {
			return
		}
		if count++; count == nth {
			close(died)
			select {} // this process does nothing any more
		}
	}
	s := r.resume(ticket)
	go func() { _, _ = s.Access(context.Background()) }()
	<-died
}

// R1, R4, R5, R7: killed between two steps of a renewal. The first restart uses
// the old refresh token once if the new one was not durable; a second crash at
// the same place ends the session without a call.
func TestKilledInRenewal(t *testing.T) {
	tests := []struct {
		name    string
		crashes int // after the intent is durable, before the answer is
		used    []string
		over    string
	}{
		{"once: one more use", 1, []string{"refresh-1"}, "[]"},
		{"twice: over without a call", 2, []string{}, "[own_crash own_crash]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The dead process's goroutine stays blocked: no bubble.
			r := newRoom(t, func(r *room) { r.provider.lifetime = time.Second })
			in := r.provider.signIn("alice")
			in.Tokens.Expires = time.Now().Add(-time.Second)
			ticket, err := r.Start(t.Context(), in, nil)
			if err != nil {
				t.Fatal(err)
			}
			for range tt.crashes {
				crashAfter(r, ticket, "SwapTokens", 1)
				r.stop()
				_ = r.store.Store.Close()
				r.open()
			}
			want(t, "uses before", r.provider.sent(), []string{})
			s, err := r.Resume(t.Context(), ticket)
			if (tt.over == "[]") != (err == nil) {
				t.Errorf("Resume: got %v", err)
			}
			if err == nil {
				_, err = s.Access(t.Context())
			}
			if (tt.over == "[]") != (err == nil) {
				t.Errorf("after the restart: got %v", err)
			}
			want(t, "uses", r.provider.sent(), tt.used)
			want(t, "ends", r.log.events(session.EventEnded), tt.over)
		})
	}
}

// R4: an intent found after a restart is followed up as soon as the ticket
// arrives, though the access token is valid; R9: what comes of it is classed.
func TestIntentFound(t *testing.T) {
	tests := []struct {
		name   string
		second error // the answer to the second use
		token  string
		ends   string
	}{
		{"within the provider's grace", nil, "access-2", "[]"},
		{"the provider took it for theft", session.ErrRefused, "", "[renewal_refused own_crash]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t)
				r.provider.answer = func(n int, old session.Tokens) (session.Tokens, error) {
					if n == 1 {
						return lose(n, old)
					}
					return r.provider.next(), tt.second
				}
				ticket := r.signIn("alice", nil)
				time.Sleep(4*time.Minute + 10*time.Second)
				r.access(ticket)
				synctest.Wait()
				r.restart()
				want(t, "served meanwhile", r.access(ticket), "access-1")
				synctest.Wait()
				want(t, "uses", len(r.provider.sent()), 2)
				s, err := r.Resume(t.Context(), ticket)
				if (err == nil) != (tt.token != "") {
					t.Fatalf("Resume: %v", err)
				}
				if err == nil {
					token, _ := s.Access(t.Context())
					want(t, "token", token.Reveal(), tt.token)
				}
				want(t, "ends", r.log.events(session.EventEnded), tt.ends)
			})
		})
	}
}

// K4: an intent that can't be written means no call, and no lost session.
func TestNoCallWithoutIntent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		ticket := r.signIn("alice", nil)
		time.Sleep(10 * time.Minute)
		r.store.set("SwapTokens", errors.New("disk full"))
		var wait *session.Unavailable
		if _, err := r.resume(ticket).Access(t.Context()); !errors.As(err, &wait) {
			t.Errorf("got %v, want Unavailable", err)
		}
		want(t, "calls", len(r.provider.sent()), 0)
		r.store.set("SwapTokens", nil)
		time.Sleep(time.Minute)
		want(t, "token", r.access(ticket), "access-2")
	})
}

// R6, D1: renewed tokens that can't be written are nobody's until they are; the
// old token serves, then 503; the refresh token is not sent again.
func TestCommitFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		r.provider.answer = func(int, session.Tokens) (session.Tokens, error) {
			r.store.set("SwapTokens", errors.New("disk full"))
			return r.provider.next(), nil
		}
		ticket := r.signIn("alice", nil)
		time.Sleep(4*time.Minute + 30*time.Second)
		for range 20 {
			want(t, "token", r.access(ticket), "access-1")
			time.Sleep(time.Second)
		}
		time.Sleep(10 * time.Second)
		var wait *session.Unavailable
		if _, err := r.resume(ticket).Access(t.Context()); !errors.As(err, &wait) {
			t.Errorf("got %v, want Unavailable", err)
		}
		r.store.set("SwapTokens", nil)
		time.Sleep(10 * time.Second)
		want(t, "token", r.access(ticket), "access-2")
		r.provider.answer = nil
		r.restart()
		want(t, "token", r.access(ticket), "access-2")
		want(t, "uses", r.provider.sent(), []string{"refresh-1"})
	})
}

// R10: another process renewed first. Its tokens are used, not a dead one's.
func TestAnotherWriterWins(t *testing.T) {
	for _, when := range []string{"before the intent", "refused"} {
		t.Run(when, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t)
				ticket := r.signIn("alice", nil)
				r.resume(ticket)
				other := session.NewManager(session.Config{
					Store: r.store, Keys: r.keys, Limits: r.limits, Log: discard(),
					Providers: map[string]session.Provider{
						"main": {Renewer: r.provider, Issuer: "https://id.test", ClientID: "spa"},
					},
				})
				renewElsewhere := func() {
					s, err := other.Resume(t.Context(), ticket)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := s.Access(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(10 * time.Minute)
				switch when {
				case "before the intent":
					renewElsewhere()
				case "refused":
					// The other one wins between our intent and our call.
					r.provider.answer = func(n int, _ session.Tokens) (session.Tokens, error) {
						if n > 1 {
							return r.provider.next(), nil
						}
						renewElsewhere()
						return session.Tokens{}, session.ErrRefused
					}
				}
				want(t, "token", r.access(ticket), "access-2")
				want(t, "ends", r.log.events(session.EventEnded), []string{})
			})
		})
	}
}
