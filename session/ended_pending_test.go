package session_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// undeleting is a store that deletes nothing at first, and later slowly or
// never.
type undeleting struct {
	session.Store
	full  atomic.Bool  // refuses at once
	takes atomic.Int64 // ns; below 0: hangs
}

func (u *undeleting) Delete(ctx context.Context, k session.Key, revoke *session.Revocation) error {
	if u.full.Load() {
		return errors.New("disk full")
	}
	if takes := time.Duration(u.takes.Load()); takes >= 0 {
		time.Sleep(takes)
		return u.Store.Delete(ctx, k, revoke)
	}
	<-ctx.Done()
	return ctx.Err()
}

// pending is a room with n sessions that are over and that the store would not
// delete yet.
func pending(t *testing.T, n int) (*room, *undeleting, []session.Ticket) {
	t.Helper()
	u := &undeleting{}
	r := newRoom(t, func(r *room) {
		r.wrap = func(s session.Store) session.Store { u.Store = s; return u }
	})
	tickets := r.crowd(n)
	u.full.Store(true)
	var all sync.WaitGroup
	for _, ticket := range tickets {
		all.Go(func() { r.signOut(ticket) })
	}
	all.Wait()
	return r, u, tickets
}

// A store that refuses deletions is asked once a second, not once for each
// session; when it has room again all are deleted soon.
func TestDeletionsAreRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 500
		r, u, tickets := pending(t, n)
		before := r.store.count("Delete")
		time.Sleep(20 * time.Second)
		if asked := r.store.count("Delete") - before; asked < 19 || asked > 21 {
			t.Errorf("asked %d times in 20 s, want once a second", asked)
		}
		u.takes.Store(int64(100 * time.Millisecond))
		u.full.Store(false)
		time.Sleep(3 * time.Second)
		for _, ticket := range tickets {
			if _, err := r.store.Store.Load(t.Context(), ticket.Key()); !errors.Is(err, session.ErrNotFound) {
				t.Fatalf("still in the store: %v", err)
			}
		}
		if asked := r.store.count("Delete") - before; asked > n+25 {
			t.Errorf("asked %d times in all for %d sessions", asked, n)
		}
	})
}

// E12: a stream closes with its session, whatever the store has to do.
func TestStreamsCloseBehindDeletions(t *testing.T) {
	tests := []struct {
		name  string
		takes time.Duration
	}{
		{"each takes long", 60 * time.Millisecond},
		{"the store hangs", -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, u, _ := pending(t, 1000)
				s := r.resume(r.signIn("bob", nil))
				first, release, err := s.Stream()
				if err != nil {
					t.Fatal(err)
				}
				defer release()
				end := s.Info().Idle
				second, release, err := r.resume(r.signIn("carol", nil)).Stream()
				if err != nil {
					t.Fatal(err)
				}
				defer release()
				time.Sleep(time.Until(end) - 3*time.Second)
				u.takes.Store(int64(tt.takes))
				u.full.Store(false)
				for _, over := range []<-chan struct{}{first, second} {
					<-over
					if late := time.Since(end); late > 2*time.Second {
						t.Errorf("a stream closed %v after its session's end", late)
					}
				}
			})
		})
	}
}

// A store that hangs holds the end of the process up for as long as one call to
// it may take, however many deletions wait.
func TestStopBehindDeletions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, u, _ := pending(t, 10)
		u.takes.Store(-1)
		u.full.Store(false)
		time.Sleep(1500 * time.Millisecond) // upkeep is at it
		start := time.Now()
		r.stop()
		if took := time.Since(start); took > time.Second {
			t.Errorf("upkeep took %v to stop", took)
		}
		start = time.Now()
		_ = r.Close(t.Context())
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("Close took %v", took)
		}
	})
}
