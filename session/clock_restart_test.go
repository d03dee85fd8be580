package session_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// E7, R25, experiment 14: a machine whose clock went back while the process was
// down revives no session: it counts on from the time that the store knows.
// Marks hold for as long as they would have.
func TestRestartWithClockBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The first process is a day ahead of the machine's clock as it is later.
		ahead := func() time.Time { return time.Now().Add(24 * time.Hour) }
		r := newRoom(t, func(r *room) { r.config = func(c *session.Config) { c.Now = ahead } })
		if err := r.Unlock(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := func(user string) session.Ticket {
			in := r.provider.signIn(user)
			in.Tokens.Obtained, in.Tokens.Expires = ahead(), ahead().Add(5*time.Minute)
			ticket, err := r.Start(t.Context(), in, nil)
			if err != nil {
				t.Fatal(err)
			}
			return ticket
		}
		idle := start("idle")
		time.Sleep(40 * time.Minute)
		busy := start("busy")
		if _, err := r.Once(t.Context(), "jti", "1", ahead().Add(10*time.Minute)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		r.resume(busy).Touch()
		r.config = nil
		r.restart()
		if err := r.Unlock(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.wantOver(idle)
		left := r.resume(busy).Info()
		if got := left.Absolute.Sub(left.Started); got != usualLimits.Absolute {
			t.Errorf("absolute: got %v", got)
		}
		if token := r.access(busy); token == "" {
			t.Error("no token")
		}
		time.Sleep(7 * time.Minute)
		if first, err := r.Once(t.Context(), "jti", "1", time.Now().Add(time.Minute)); err != nil || first {
			t.Errorf("the mark is forgotten too soon: %v, %v", first, err)
		}
		renewed := r.signIn("new", nil)
		want(t, "a new sign-in", r.access(renewed) != "", true)
		time.Sleep(4*time.Minute + 10*time.Second)
		r.access(renewed) // due by the machine's clock and ours alike
		synctest.Wait()
		want(t, "renewals", len(r.provider.sent()), 1)
		time.Sleep(21 * time.Minute)
		r.wantOver(busy)
	})
}

// I2: a token whose life the provider stated is not taken for run out because our
// clock is ahead of the machine's.
func TestDiscardWithClockAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBell()
		r := newRoom(t, ringing(b), func(r *room) {
			inner := r.config
			r.config = func(c *session.Config) {
				inner(c)
				c.Now = func() time.Time { return time.Now().Add(24 * time.Hour) }
			}
		})
		if err := r.Unlock(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.config = behindOnly(b)
		r.restart()
		if err := r.Unlock(t.Context()); err != nil {
			t.Fatal(err)
		}
		in := b.signIn("alice")
		in.Tokens.RefreshExpires = time.Now().Add(time.Hour)
		r.Discard(in)
		synctest.Wait()
		want(t, "told", len(b.told()), 1)
	})
}

// behindOnly is behind for a room that is open already.
func behindOnly(w session.Renewer) func(*session.Config) {
	r := &room{}
	behind(w)(r)
	return r.config
}
