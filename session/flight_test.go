package session_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// A crowd whose tokens expire together does not renew together (as K3 asks of a
// recovery). Nobody is due before renew_before, and nobody so late that the token
// would have expired first.
func TestRenewalsAreSpread(t *testing.T) {
	const crowd = 100
	for _, tt := range []struct {
		name           string
		lifetime       time.Duration
		before, within time.Duration // the last moment when nobody is due, and from there until everybody is
	}{
		{"renew_before", 5 * time.Minute, 4*time.Minute - time.Millisecond, 28 * time.Second},
		{"a third of a short life", 30 * time.Second, 20*time.Second - time.Millisecond, 3500 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t, func(r *room) { r.limits.RenewSpread, r.provider.lifetime = 0.5, tt.lifetime })
				tickets := make([]session.Ticket, crowd)
				for i := range tickets {
					tickets[i] = r.signIn("alice", nil)
				}
				renewed := func() int {
					for _, ticket := range tickets {
						r.access(ticket)
						synctest.Wait()
					}
					return len(r.provider.sent())
				}
				time.Sleep(tt.before)
				want(t, "renewals before the time", renewed(), 0)
				time.Sleep(tt.within / 2)
				if n := renewed(); n < crowd/4 || n > 3*crowd/4 {
					t.Errorf("%d of %d renewed in the first half of the time, want about half", n, crowd)
				}
				time.Sleep(tt.within/2 + time.Millisecond)
				want(t, "renewals in all", renewed(), crowd)
			})
		})
	}
}

// A renewal in the background lets the call that caused it go first; one that
// somebody waits for doesn't.
func TestRenewalYields(t *testing.T) {
	const yield = 50 * time.Millisecond
	tests := []struct {
		name       string
		age        time.Duration // of the token
		wait       func(*session.Session) error
		sent, late int // renewals before and after the time
	}{
		{"due", 4*time.Minute + time.Second, nil, 0, 1},
		{"due, and somebody asks for it", 4*time.Minute + time.Second, func(s *session.Session) error {
			_, err := s.Renew(context.Background())
			return err
		}, 1, 1},
		{"expired", 5 * time.Minute, nil, 1, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t, func(r *room) { r.limits.RenewYield = yield })
				ticket := r.signIn("alice", nil)
				time.Sleep(tt.age)
				began := time.Now()
				r.access(ticket)
				if tt.wait != nil {
					if err := tt.wait(r.resume(ticket)); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				want(t, "renewals at once", len(r.provider.sent()), tt.sent)
				want(t, "time that passed", time.Since(began), time.Duration(0))
				time.Sleep(yield)
				synctest.Wait()
				want(t, "renewals", len(r.provider.sent()), tt.late)
			})
		})
	}
}

// Nothing new is begun while a Manager closes: not even a renewal that was only
// letting a call go first.
func TestYieldingRenewalIsNotBegunAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, func(r *room) { r.limits.RenewYield = 50 * time.Millisecond })
		ticket := r.signIn("alice", nil)
		time.Sleep(4*time.Minute + time.Second)
		r.access(ticket)
		r.restart()
		want(t, "renewals", len(r.provider.sent()), 0)
		r.access(ticket)
		time.Sleep(time.Second)
		want(t, "renewals after the start", len(r.provider.sent()), 1)
	})
}
