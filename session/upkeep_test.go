package session_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// E9: activity is written at most once a minute, and is not lost by an orderly
// end, nor by leaving memory.
func TestActivityIsBatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		tickets := make([]session.Ticket, 50)
		for i := range tickets {
			tickets[i] = r.signIn("alice", nil)
		}
		for range 600 {
			time.Sleep(time.Second)
			for _, ticket := range tickets {
				r.resume(ticket).Touch()
			}
		}
		if n := r.store.count("UpdateHeads"); n < 9 || n > 11 {
			t.Errorf("%d commits for 30,000 activities of 50 sessions in 10 minutes, want one a minute", n)
		}
		r.restart()
		time.Sleep(30*time.Minute - time.Second)
		r.resume(tickets[0])
		time.Sleep(time.Second)
		r.wantOver(tickets[0])
	})
}

// E8: what is no activity extends nothing.
func TestResumeIsNoActivity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		ticket := r.signIn("alice", nil)
		for range 29 {
			time.Sleep(time.Minute)
			r.resume(ticket)
			r.access(ticket)
		}
		time.Sleep(time.Minute)
		r.wantOver(ticket)
	})
}

// A session unused for long leaves memory and comes back from the store as it
// was.
func TestEviction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		ticket := r.signIn("alice", nil)
		held := r.resume(ticket)
		time.Sleep(2 * time.Minute)
		held.Touch()
		time.Sleep(14 * time.Minute)
		loads := r.store.count("Load")
		r.resume(ticket)
		want(t, "loads", r.store.count("Load")-loads, 1)
		time.Sleep(15 * time.Minute)
		r.resume(ticket) // the touch at 2 min was not lost: 31 min
		// Whoever still holds the old one joins the renewal of the new one.
		r.provider.takes(5 * time.Second)
		var calls sync.WaitGroup
		calls.Go(func() { want(t, "token", r.access(ticket), "access-2") })
		calls.Go(func() {
			token, err := held.Access(t.Context())
			if err != nil || token != "access-2" {
				t.Errorf("held: %q, %v", token.Reveal(), err)
			}
		})
		calls.Wait()
		want(t, "renewals", r.provider.sent(), []string{"refresh-1"})
		// An API that refuses the token it was sent before gets the newer one.
		if token, err := held.RenewAfter(t.Context(), "access-1"); err != nil || token != "access-2" {
			t.Errorf("held, after a refusal: %q, %v, want access-2", token.Reveal(), err)
		}
		over, release, err := held.Stream()
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		if _, err := r.End(t.Context(), ticket, session.ReasonLogout); err != nil {
			t.Fatal(err)
		}
		want(t, "a stream of the held one is open after the logout", open(over), false)
	})
}

// Activity that the store does not take keeps the session in memory.
func TestUnwrittenActivityStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		ticket := r.signIn("alice", nil)
		r.store.set("UpdateHeads", errors.New("disk full"))
		time.Sleep(2 * time.Minute)
		r.resume(ticket).Touch()
		time.Sleep(29 * time.Minute)
		r.resume(ticket)
		r.store.set("UpdateHeads", nil)
		r.restart()
		r.resume(ticket)
	})
}

// E12: streams close when the session ends, however it ends, and so do answers of
// unknown length; finite downloads outlive idling out alone.
func TestStreamsEnd(t *testing.T) {
	tests := []struct {
		name     string
		end      func(r *room, ticket session.Ticket)
		after    time.Duration
		download bool // whether it is still open then
	}{
		{"logout", func(r *room, ticket session.Ticket) {
			_, _ = r.End(r.t.Context(), ticket, session.ReasonLogout)
		}, 0, false},
		{"another user signs in", func(r *room, ticket session.Ticket) { r.signIn("bob", &ticket) }, 0, false},
		{"idle", func(*room, session.Ticket) {}, 30*time.Minute + 2*time.Second, true},
		{"the same user signed in again", func(r *room, ticket session.Ticket) { r.signIn("alice", &ticket) }, 32 * time.Second, false},
		{"absolute", func(r *room, ticket session.Ticket) {
			for range 23 {
				time.Sleep(20 * time.Minute)
				r.resume(ticket).Touch()
			}
		}, 20*time.Minute + 2*time.Second, false},
		{"idle, then absolute", func(*room, session.Ticket) {}, 8*time.Hour + 2*time.Second, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t)
				ticket := r.signIn("alice", nil)
				s := r.resume(ticket)
				stream, release, err := s.Stream()
				if err != nil {
					t.Fatal(err)
				}
				defer release()
				download, done := s.Download(true)
				defer done()
				endless, doneToo := s.Download(false)
				defer doneToo()
				want(t, "open before", [3]bool{open(stream), open(download), open(endless)}, [3]bool{true, true, true})
				tt.end(r, ticket)
				if tt.after > 0 {
					time.Sleep(tt.after - 4*time.Second)
					want(t, "open just before", open(stream), tt.name != "idle, then absolute")
					time.Sleep(4 * time.Second)
				}
				synctest.Wait()
				want(t, "open after", [3]bool{open(stream), open(download), open(endless)}, [3]bool{false, tt.download, false})
			})
		})
	}
}

func open(c <-chan struct{}) bool {
	select {
	case <-c:
		return false
	default:
		return true
	}
}

// A session holds so many streams and no more; a released one makes room.
func TestStreamLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		s := r.resume(r.signIn("alice", nil))
		var release func()
		for i := range 4 {
			_, free, err := s.Stream()
			if (i == 3) != errors.Is(err, session.ErrTooManyStreams) {
				t.Errorf("stream %d: got %v", i+1, err)
			}
			if free != nil {
				release = free
			}
		}
		release()
		release() // once is enough, twice is no second one
		if _, _, err := s.Stream(); err != nil {
			t.Errorf("after a release: got %v", err)
		}
		if _, _, err := s.Stream(); !errors.Is(err, session.ErrTooManyStreams) {
			t.Errorf("one too many: got %v", err)
		}
	})
}

// K5: an orderly end waits for a renewal in flight and writes what it brings.
func TestCloseWaitsForRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		r.provider.takes(8 * time.Second)
		ticket := r.signIn("alice", nil)
		time.Sleep(4*time.Minute + 20*time.Second)
		r.access(ticket)
		r.restart()
		want(t, "token", r.access(ticket), "access-2")
		want(t, "uses", r.provider.sent(), []string{"refresh-1"})
	})
}
