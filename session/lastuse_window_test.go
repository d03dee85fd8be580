package session_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// reused is a provider that honours a refresh token again as mode says.
func reused(w session.Renewer, mode session.Reuse) func(*room) {
	return func(r *room) {
		r.config = func(c *session.Config) {
			p := c.Providers["main"]
			p.Renewer, p.Reuse = w, mode
			c.Providers["main"] = p
		}
	}
}

// R3, R17: whether a provider's grace still lasts is judged when it is the
// renewal's turn. Afterwards the second and last use waits until the access
// token is no good any more.
func TestGraceIsOverBeforeItsTurn(t *testing.T) {
	tests := []struct {
		name  string
		reach time.Duration // what the provider takes to answer something harmless
		after []time.Duration
	}{
		{"its turn comes in time", time.Second, []time.Duration{0, 29 * time.Second}},
		{"its turn comes too late", 4 * time.Second, []time.Duration{0, 59 * time.Second}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &provider{lifetime: 5 * time.Minute}
				m := &reachable{meter: &meter{provider: p}}
				m.reach = func() error { time.Sleep(tt.reach); return nil }
				r := newRoom(t, reused(m, session.Reuse{Mode: session.ReuseGrace, Window: 30 * time.Second}), func(r *room) { r.provider = p })
				ticket := r.signIn("alice", nil)
				time.Sleep(4*time.Minute + time.Second)
				first := time.Now()
				m.fails(session.ErrAmbiguous)
				want(t, "token", r.access(ticket), "access-1")
				time.Sleep(28 * time.Second)
				for range 6 { // the access token is good for 26 s more
					want(t, "token", r.access(ticket), "access-1")
					time.Sleep(4 * time.Second)
				}
				time.Sleep(3 * time.Second)
				_, _ = r.try(ticket)
				synctest.Wait()
				var after []time.Duration
				for _, at := range m.since(first) {
					after = append(after, at.Sub(first))
				}
				want(t, "used after", after, tt.after)
			})
		})
	}
}

// hourly is a provider whose access tokens are good for an hour, and sessions
// that last longer.
func hourly(r *room) {
	r.provider.lifetime = time.Hour
	r.limits.Idle = 4 * time.Hour
}

// R3, R4: a session whose refresh token is of unknown fate does not leave memory
// as long as it lives: found in the store again, it would look as if the process
// had died in the renewal.
func TestUnknownFateStaysInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, hourly)
		ticket, other := r.signIn("alice", nil), r.signIn("bob", nil)
		time.Sleep(16 * time.Minute)
		r.resume(other)
		r.provider.answer = lose
		if _, err := r.resume(ticket).Renew(t.Context()); err == nil {
			t.Error("a renewal without an answer: got no error")
		}
		r.provider.answer = func(int, session.Tokens) (session.Tokens, error) { return session.Tokens{}, session.ErrRefused }
		time.Sleep(12 * time.Minute)
		want(t, "in memory", []bool{r.Open(ticket), r.Open(other)}, []bool{true, false})
		for range 3 {
			want(t, "token", r.access(ticket), "access-1")
			synctest.Wait()
		}
		want(t, "uses", r.provider.sent(), []string{"refresh-1"})
		time.Sleep(3*time.Hour + 30*time.Minute)
		want(t, "in memory before it has run out", r.Open(ticket), true)
		time.Sleep(4 * time.Minute)
		want(t, "in memory after it has run out", r.Open(ticket), false)
		want(t, "uses", r.provider.sent(), []string{"refresh-1"})
	})
}

// R3, R8: when an API refuses the access token too, the second and last use of a
// refresh token of unknown fate has nothing to wait for.
func TestUnknownFateAndTokenRefused(t *testing.T) {
	tests := []struct {
		name   string
		second func(r *room) (session.Tokens, error) // the answer to the second use
		token  string
		ends   string
	}{
		{"the second use works", func(r *room) (session.Tokens, error) { return r.provider.next(), nil }, "access-2", "[]"},
		{"the second use is refused", func(*room) (session.Tokens, error) { return session.Tokens{}, session.ErrRefused }, "", "[renewal_refused own_crash]"},
		{"the second use has no answer either", func(*room) (session.Tokens, error) { return session.Tokens{}, session.ErrAmbiguous }, "", "[own_crash own_crash]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t, hourly)
				r.provider.answer = func(n int, old session.Tokens) (session.Tokens, error) {
					if n == 1 {
						return lose(n, old)
					}
					return tt.second(r)
				}
				ticket := r.signIn("alice", nil)
				time.Sleep(16 * time.Minute)
				s, used := r.resume(ticket), session.Secret("access-1")
				var wait *session.Unavailable
				if _, err := s.RenewAfter(t.Context(), used); !errors.As(err, &wait) {
					t.Errorf("the first: got %v, want Unavailable", err)
				}
				time.Sleep(5 * time.Second)
				if renewed, err := s.Renew(t.Context()); renewed || err != nil {
					t.Errorf("without need: got %v, %v, want nothing", renewed, err)
				}
				want(t, "uses without need", len(r.provider.sent()), 1)
				token, err := s.RenewAfter(t.Context(), used)
				want(t, "token", token.Reveal(), tt.token)
				want(t, "uses", r.provider.sent(), []string{"refresh-1", "refresh-1"})
				for range 3 {
					time.Sleep(5 * time.Second)
					_, err = s.RenewAfter(t.Context(), used)
				}
				want(t, "over", errors.Is(err, session.ErrNotFound), tt.token == "")
				want(t, "uses in the end", len(r.provider.sent()), 2)
				want(t, "ends", r.log.events(session.EventEnded), tt.ends)
			})
		})
	}
}
