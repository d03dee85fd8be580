package session_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// K3, R16: a long Retry-After may be meant for one user. It holds that session
// back to its end, and everybody else for a minute: then one is let through to
// see, and if that works all are.
func TestLongRetryAfter(t *testing.T) {
	const long = 10 * time.Minute
	setUp := func(t *testing.T) (*room, *meter, []session.Ticket) {
		w := &meter{provider: &provider{lifetime: 5 * time.Minute}}
		r := newRoom(t, behind(w), func(r *room) { r.provider = w.provider })
		tickets := r.crowd(20)
		time.Sleep(6 * time.Minute)
		w.fails(&session.Unavailable{RetryAfter: long, Err: errors.New("429")})
		if after, _ := retryAfter(second(r.try(tickets[0]))); after < long {
			t.Errorf("told to come after %v, want %v", after, long)
		}
		time.Sleep(59 * time.Second)
		if _, held := retryAfter(second(r.try(tickets[1]))); !held {
			t.Error("another session was let through before a minute was over")
		}
		want(t, "calls in the first minute", w.count(), 1)
		return r, w, tickets
	}
	t.Run("meant for one", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, w, tickets := setUp(t)
			w.fails(nil)
			time.Sleep(time.Second + time.Millisecond)
			for _, ticket := range tickets[1:] {
				want(t, "another session", second(r.try(ticket)), nil)
			}
			want(t, "calls", w.count(), len(tickets))
			time.Sleep(8*time.Minute + 50*time.Second)
			if _, held := retryAfter(second(r.try(tickets[0]))); !held {
				t.Error("the session that was told came before its time")
			}
			time.Sleep(10*time.Second + time.Millisecond)
			want(t, "the session that was told, in time", second(r.try(tickets[0])), nil)
		})
	})
	t.Run("meant for everybody", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, w, tickets := setUp(t)
			for minute := range 5 {
				time.Sleep(time.Minute + time.Millisecond)
				for _, ticket := range tickets[1:] {
					if _, held := retryAfter(second(r.try(ticket))); !held {
						t.Error("got a token from a provider that gives none")
					}
				}
				want(t, "calls", w.count(), minute+2)
			}
		})
	})
}
