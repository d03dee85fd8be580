package session_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// D4, D1: however many calls find the token expired, one renewal goes out, and
// all of them get what it brought.
func TestOneRenewalForManyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		r.provider.takes(3 * time.Second)
		ticket := r.signIn("alice", nil)
		time.Sleep(6 * time.Minute)
		var calls sync.WaitGroup
		for range 200 {
			calls.Go(func() {
				if got := r.access(ticket); got != "access-2" {
					t.Errorf("got %q, want access-2", got)
				}
			})
		}
		calls.Wait()
		want(t, "renewals", r.provider.sent(), []string{"refresh-1"})
	})
}

// A due token is renewed in the background and served meanwhile; K1, C9: and not
// renewed again before a quarter of its life.
func TestFreshness(t *testing.T) {
	tests := []struct {
		name     string
		lifetime time.Duration
		blocking bool
		after    time.Duration
		want     string // the token served at once
		renewals int
	}{
		{"just obtained", 5 * time.Minute, false, 0, "access-1", 0},
		{"last fresh moment", 5 * time.Minute, false, 4*time.Minute - time.Millisecond, "access-1", 0},
		{"due", 5 * time.Minute, false, 4 * time.Minute, "access-1", 1},
		{"due, provider kills the old token", 5 * time.Minute, true, 4 * time.Minute, "access-2", 1},
		{"last valid moment", 5 * time.Minute, false, 5*time.Minute - 5*time.Second, "access-1", 1},
		{"too little left", 5 * time.Minute, false, 5*time.Minute - 5*time.Second + 1, "access-2", 1},
		{"expired", 5 * time.Minute, false, 10 * time.Minute, "access-2", 1},
		{"short life, two thirds over", 30 * time.Second, false, 20 * time.Second, "access-1", 1},
		{"short life, fresh", 30 * time.Second, false, 20*time.Second - time.Millisecond, "access-1", 0},
		{"short life, last valid moment", 30 * time.Second, false, 27 * time.Second, "access-1", 1},
		{"short life, too little left", 30 * time.Second, false, 27*time.Second + 1, "access-2", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t, func(r *room) { r.blocking = tt.blocking; r.provider.lifetime = tt.lifetime })
				ticket := r.signIn("alice", nil)
				time.Sleep(tt.after)
				want(t, "token", r.access(ticket), tt.want)
				r.restart() // waits for what runs in the background
				want(t, "renewals", len(r.provider.sent()), tt.renewals)
			})
		})
	}
}

// C9: steady load on a token of 20 s.
func TestRenewalsPerMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, func(r *room) { r.provider.lifetime = 20 * time.Second })
		ticket := r.signIn("alice", nil)
		for range 600 {
			time.Sleep(100 * time.Millisecond)
			r.access(ticket)
		}
		if n := len(r.provider.sent()); n < 3 || n > 6 {
			t.Errorf("%d renewals in 60 s, want 3 to 6", n)
		}
	})
}

// D11: no request, no renewal.
func TestIdleSessionRenewsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		r.signIn("alice", nil)
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		want(t, "renewals", len(r.provider.sent()), 0)
	})
}

// D6: the browser that caused a renewal leaves; the renewal ends and counts.
func TestRenewalSurvivesTheBrowser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		r.provider.takes(8 * time.Second)
		ticket := r.signIn("alice", nil)
		time.Sleep(10 * time.Minute)
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		if _, err := r.resume(ticket).Access(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Access of a browser that left: got %v", err)
		}
		time.Sleep(8 * time.Second)
		synctest.Wait()
		want(t, "token", r.access(ticket), "access-2")
		want(t, "renewals", len(r.provider.sent()), 1)
	})
}

// R14: a provider slower than renew_timeout costs 503, not the session, and not
// a second call.
func TestSlowProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		r.provider.takes(25 * time.Second)
		ticket := r.signIn("alice", nil)
		time.Sleep(10 * time.Minute)
		for range 2 {
			_, err := r.resume(ticket).Access(t.Context())
			var wait *session.Unavailable
			if !errors.As(err, &wait) || wait.RetryAfter <= 0 {
				t.Fatalf("got %v, want Unavailable with a time", err)
			}
		}
		want(t, "token", r.access(ticket), "access-2")
		want(t, "renewals", len(r.provider.sent()), 1)
	})
}

// D7, R2, R15–R17, R19: what passes keeps the session; the token is served while
// it is valid, then 503, and a provider that is back is noticed within 5 s.
func TestPassingFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		broken := true
		r.provider.answer = func(int, session.Tokens) (session.Tokens, error) {
			if broken {
				return session.Tokens{}, errors.New("connection refused")
			}
			return r.provider.next(), nil
		}
		ticket := r.signIn("alice", nil)
		for range 10 * 60 {
			time.Sleep(time.Second)
			token, err := r.resume(ticket).Access(t.Context())
			var wait *session.Unavailable
			if err == nil && token != "access-1" || err != nil && (!errors.As(err, &wait) || wait.RetryAfter <= 0) {
				t.Fatalf("got %v, %v", token.Reveal(), err)
			}
		}
		if n := len(r.provider.sent()); n < 60 || n > 100 {
			t.Errorf("%d calls in 6 minutes of failing, want one every four seconds or so", n)
		}
		broken = false
		time.Sleep(5 * time.Second)
		want(t, "token", r.access(ticket), "access-2")
		want(t, "ends", r.log.events(session.EventEnded), []string{})
	})
}

// R16: Retry-After is honoured.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		r.provider.answer = func(int, session.Tokens) (session.Tokens, error) {
			return session.Tokens{}, &session.Unavailable{RetryAfter: 2 * time.Minute, Err: errors.New("429")}
		}
		ticket := r.signIn("alice", nil)
		time.Sleep(10 * time.Minute)
		for range 119 {
			_, err := r.resume(ticket).Access(t.Context())
			var wait *session.Unavailable
			if !errors.As(err, &wait) || wait.RetryAfter > 2*time.Minute {
				t.Fatalf("got %v", err)
			}
			time.Sleep(time.Second)
		}
		want(t, "calls", len(r.provider.sent()), 1)
	})
}

// D7, R9: invalid_grant ends the session, once, and nothing more is sent.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		r.provider.answer = func(int, session.Tokens) (session.Tokens, error) {
			return session.Tokens{}, session.ErrRefused
		}
		ticket := r.signIn("alice", nil)
		time.Sleep(10 * time.Minute)
		s := r.resume(ticket)
		var calls sync.WaitGroup
		for range 20 {
			calls.Go(func() {
				if _, err := s.Access(t.Context()); !errors.Is(err, session.ErrNotFound) {
					t.Errorf("got %v, want ErrNotFound", err)
				}
			})
		}
		calls.Wait()
		r.wantOver(ticket)
		r.restart()
		r.wantOver(ticket)
		want(t, "calls", r.provider.sent(), []string{"refresh-1"})
		want(t, "revocations", r.provider.revocations(), []string{})
		want(t, "ends", r.log.events(session.EventEnded), []string{"renewal_refused unknown"})
	})
}

// D8, R20: tokens of somebody else end the session and are revoked.
func TestRenewedForSomebodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		r.provider.answer = func(int, session.Tokens) (session.Tokens, error) {
			return r.provider.next(), session.ErrIdentity
		}
		ticket := r.signIn("alice", nil)
		time.Sleep(10 * time.Minute)
		if _, err := r.resume(ticket).Access(t.Context()); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
		r.wantOver(ticket)
		synctest.Wait()
		if got := r.provider.revocations(); len(got) == 0 || got[0] != "refresh-2" && got[len(got)-1] != "refresh-2" {
			t.Errorf("revoked %v, want refresh-2 among them", got)
		}
		want(t, "ends", r.log.events(session.EventEnded), []string{"identity"})
	})
}

// C10, K1: after an upstream refused a token.
func TestRenewAfter(t *testing.T) {
	tests := []struct {
		name     string
		after    time.Duration
		used     session.Secret
		want     session.Secret
		renewals int
	}{
		{"another token was used", 2 * time.Minute, "access-0", "access-1", 0},
		{"forced", 2 * time.Minute, "access-1", "access-2", 1},
		{"too soon after the last one", 74 * time.Second, "access-1", "access-1", 0},
		{"just late enough", 75 * time.Second, "access-1", "access-2", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t)
				ticket := r.signIn("alice", nil)
				time.Sleep(tt.after)
				got, err := r.resume(ticket).RenewAfter(t.Context(), tt.used)
				if err != nil || got != tt.want {
					t.Errorf("got %q, %v, want %q", got.Reveal(), err, tt.want.Reveal())
				}
				want(t, "renewals", len(r.provider.sent()), tt.renewals)
			})
		})
	}
}

// D2 and a session without a refresh token: the token serves to its end, then
// the session is over.
func TestWithoutRefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		in := r.provider.signIn("alice")
		in.Tokens.Refresh = ""
		ticket, err := r.Start(t.Context(), in, nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(4*time.Minute + 54*time.Second)
		want(t, "token", r.access(ticket), "access-1")
		time.Sleep(2 * time.Second)
		if _, err := r.resume(ticket).Access(t.Context()); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
		r.wantOver(ticket)
		want(t, "ends", r.log.events(session.EventEnded), []string{"tokens_expired"})
	})
}

// D12, R22: logout beats a renewal in flight, and what the renewal obtained is
// revoked.
func TestLogoutBeatsRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		r.provider.takes(8 * time.Second)
		ticket := r.signIn("alice", nil)
		time.Sleep(4*time.Minute + 30*time.Second)
		want(t, "token", r.access(ticket), "access-1") // begins a renewal
		time.Sleep(time.Second)
		if _, err := r.End(t.Context(), ticket, session.ReasonLogout); err != nil {
			t.Fatal(err)
		}
		r.wantOver(ticket)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		r.wantOver(ticket)
		want(t, "revocations", r.provider.revocations(), []string{"refresh-1", "refresh-2"})
		r.restart()
		r.wantOver(ticket)
	})
}

// D12 with a store that refuses the deletion: the renewal's tokens are written,
// and revoked all the same.
func TestLogoutBeatsRenewalWithFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		r.provider.takes(8 * time.Second)
		ticket := r.signIn("alice", nil)
		time.Sleep(4*time.Minute + 30*time.Second)
		r.access(ticket)
		time.Sleep(time.Second)
		r.store.set("Delete", errors.New("disk full"))
		if _, err := r.End(t.Context(), ticket, session.ReasonLogout); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		want(t, "revocations", r.provider.revocations(), []string{"refresh-1", "refresh-2"})
		r.wantOver(ticket)
	})
}
