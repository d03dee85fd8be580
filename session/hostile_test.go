package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// hookStore calls before and after around writes; nil does nothing.
type hookStore struct {
	session.Store
	heads func(write func() error) error
	swap  func(write func() error) error
}

func (h *hookStore) UpdateHeads(ctx context.Context, u []session.HeadUpdate) error {
	write := func() error { return h.Store.UpdateHeads(ctx, u) }
	if h.heads != nil {
		return h.heads(write)
	}
	return write()
}

func (h *hookStore) SwapTokens(ctx context.Context, k session.Key, u session.TokensUpdate) error {
	write := func() error { return h.Store.SwapTokens(ctx, k, u) }
	if h.swap != nil {
		return h.swap(write)
	}
	return write()
}

// E12: a download that nobody calls beside ends with its session, however that
// ends, and though the session was long unused.
func TestLonelyDownload(t *testing.T) {
	tests := []struct {
		name  string
		limit time.Duration // absolute
		act   func(r *room, ticket session.Ticket)
		wait  time.Duration
	}{
		{"logout after a long time", 8 * time.Hour, func(r *room, ticket session.Ticket) {
			time.Sleep(13 * time.Minute)
			_, _ = r.End(r.t.Context(), ticket, session.ReasonLogout)
		}, 2 * time.Second},
		{"absolute end", 5 * time.Minute, func(*room, session.Ticket) {}, 5*time.Minute + 2*time.Second},
		{"the same user signed in again", 8 * time.Hour, func(r *room, ticket session.Ticket) { r.signIn("alice", &ticket) }, 32 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t, func(r *room) { r.limits.Absolute = tt.limit })
				ticket := r.signIn("alice", nil)
				over, release := r.resume(ticket).Download(true)
				defer release()
				tt.act(r, ticket)
				time.Sleep(tt.wait)
				synctest.Wait()
				want(t, "open", open(over), false)
			})
		})
	}
}

// R3: however unknown and unsent outcomes follow each other, a refresh token is
// sent twice with unknown outcome, and then the session ends.
func TestNoThirdUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		sent := 0
		r.provider.answer = func(n int, old session.Tokens) (session.Tokens, error) {
			if n%2 == 0 {
				return session.Tokens{}, &session.Unavailable{Err: errors.New("connection refused")}
			}
			sent++
			return lose(n, old)
		}
		ticket := r.signIn("alice", nil)
		for range 60 {
			time.Sleep(15 * time.Second)
			if s, err := r.Resume(t.Context(), ticket); err == nil {
				_, _ = s.Access(t.Context())
			}
		}
		want(t, "sent", sent, 2)
		want(t, "ends", r.log.events(session.EventEnded), []string{"own_crash own_crash"})
	})
}

// J14: a panic in a renewal costs that renewal, not the process, and counts as a
// use of the refresh token.
func TestRenewalPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		r.provider.answer = func(n int, _ session.Tokens) (session.Tokens, error) {
			if n == 1 {
				panic("canary-in-a-panic")
			}
			return r.provider.next(), nil
		}
		ticket := r.signIn("alice", nil)
		time.Sleep(10 * time.Minute)
		var wait *session.Unavailable
		if _, err := r.resume(ticket).Access(t.Context()); !errors.As(err, &wait) {
			t.Errorf("got %v, want Unavailable", err)
		}
		time.Sleep(time.Minute)
		want(t, "token", r.access(ticket), "access-2")
		want(t, "uses", len(r.provider.sent()), 2)
		if strings.Contains(r.log.String(), "canary-in-a-panic") || !strings.Contains(r.log.String(), "a renewal panicked") {
			t.Error("the log does not say where, or says what")
		}
	})
}

// I1, D12: a logout holds though the disk is full for as long as it takes, while
// a renewal comes back.
func TestLogoutWithFullDiskAndRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		r.provider.takes(8 * time.Second)
		ticket := r.signIn("alice", nil)
		time.Sleep(4*time.Minute + 10*time.Second)
		r.access(ticket) // begins a renewal
		time.Sleep(7 * time.Second)
		for _, method := range []string{"Delete", "SwapTokens", "UpdateHeads"} {
			r.store.set(method, errors.New("disk full"))
		}
		if _, err := r.End(t.Context(), ticket, session.ReasonLogout); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		for _, method := range []string{"Delete", "SwapTokens", "UpdateHeads"} {
			r.store.set(method, nil)
		}
		time.Sleep(4 * time.Minute)
		r.wantOver(ticket)
		r.restart()
		r.wantOver(ticket)
	})
}

// E11: nothing that was resumed before the end gives a token after it.
func TestNoTokenAfterEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		ticket := r.signIn("alice", nil)
		s := r.resume(ticket)
		if _, err := r.End(t.Context(), ticket, session.ReasonLogout); err != nil {
			t.Fatal(err)
		}
		_, access := s.Access(t.Context())
		_, after := s.RenewAfter(t.Context(), "access-0")
		_, renew := s.Renew(t.Context())
		_, _, stream := s.Stream()
		for name, err := range map[string]error{"Access": access, "RenewAfter": after, "Renew": renew, "Stream": stream} {
			if !errors.Is(err, session.ErrNotFound) {
				t.Errorf("%s: got %v, want ErrNotFound", name, err)
			}
		}
	})
}

// B10: that a session was replaced is not overwritten by its last activity,
// which was on its way to the store.
func TestReplacedWhileActivityIsWritten(t *testing.T) {
	// On the real clock: whoever waits for a lock stops a fake one.
	under, gate, landed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var later atomic.Bool
	hold := func(write func() error) error {
		if later.Swap(true) {
			return write()
		}
		close(under)
		<-gate
		defer close(landed)
		return write()
	}
	r := newRoom(t, func(r *room) {
		r.limits.Idle = 20 * time.Second // activity is written after 1 s
		r.wrap = func(s session.Store) session.Store { return &hookStore{Store: s, heads: hold} }
	})
	ticket := r.signIn("alice", nil)
	for waiting := true; waiting; {
		r.resume(ticket).Touch()
		select {
		case <-under: // upkeep has sealed the head
			waiting = false
		case <-time.After(20 * time.Millisecond):
		}
	}
	done := make(chan struct{})
	go func() { r.signIn("alice", &ticket); close(done) }()
	select {
	case <-done:
	case <-time.After(100 * time.Millisecond): // it waits, as it should
	}
	close(gate)
	<-landed
	<-done
	r.restart()
	if left := time.Until(r.resume(ticket).Info().Absolute); left > 30*time.Second {
		t.Errorf("the replaced session has %v left, want 30 s at most", left)
	}
}

// D1: a write that the store can't vouch for counts once a later one has
// worked, and is announced once.
func TestCommitOfUnknownEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unknown, writes := 0, 0
		doubt := func(write func() error) error {
			writes++
			err := write()
			if err == nil && unknown > 0 {
				unknown--
				return errors.New("fdatasync: input/output error")
			}
			return err
		}
		r := newRoom(t, func(r *room) {
			r.wrap = func(s session.Store) session.Store { return &hookStore{Store: s, swap: doubt} }
		})
		r.provider.answer = func(int, session.Tokens) (session.Tokens, error) {
			unknown = 1
			return r.provider.next(), nil
		}
		ticket := r.signIn("alice", nil)
		time.Sleep(10 * time.Minute)
		want(t, "token", r.access(ticket), "access-2")
		want(t, "writes", writes, 4) // intent; of unknown end; refused; once more
		want(t, "renewed", len(r.log.events(session.EventRenewed)), 1)
	})
}

// R24: a renewal that comes back after the session's end is not kept.
func TestRenewalPastTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, func(r *room) { r.limits.Absolute = 5 * time.Minute })
		r.provider.takes(8 * time.Second)
		ticket := r.signIn("alice", nil)
		time.Sleep(4*time.Minute + 54*time.Second)
		r.access(ticket)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		r.wantOver(ticket)
		want(t, "renewed", len(r.log.events(session.EventRenewed)), 0)
		if got := fmt.Sprint(r.provider.revocations()); got != "[refresh-2 refresh-1]" && got != "[refresh-1 refresh-2]" {
			t.Errorf("revocations: got %v, want both", got)
		}
	})
}

// I2: a revocation that the provider can't take now is tried again.
func TestRevocationIsRepeated(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want int
	}{
		{"provider down for a while", &session.Unavailable{Err: errors.New("503")}, 4},
		{"provider refuses", errors.New("unsupported_token_type"), 1},
		{"provider offers none", session.ErrNoRevocation, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t)
				r.provider.revoke = func(n int) error {
					if n < 4 {
						return tt.err
					}
					return nil
				}
				ticket := r.signIn("alice", nil)
				if _, err := r.End(t.Context(), ticket, session.ReasonLogout); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Minute)
				want(t, "attempts", len(r.provider.revocations()), tt.want)
				told := map[string][2]int{"provider down for a while": {1, 0}, "provider refuses": {0, 1}}[tt.name]
				want(t, "revoked and failed", [2]int{len(r.log.events(session.EventRevoked)), len(r.log.events(session.EventRevokeFailed))}, told)
			})
		})
	}
}
