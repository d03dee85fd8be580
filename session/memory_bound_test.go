package session_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// fewInMemory is a room whose memory holds few sessions.
func fewInMemory(t *testing.T, change ...func(*room)) *room {
	return newRoom(t, append(change, func(r *room) { r.limits.InMemory = 32 })...)
}

// fill signs in n users, one after the other.
func (r *room) fill(n int) (tickets []session.Ticket) {
	for range n {
		tickets = append(tickets, r.signIn("alice", nil))
		time.Sleep(10 * time.Millisecond)
	}
	return tickets
}

// loads returns how many sessions f reads from the store.
func (r *room) loads(f func()) int {
	before := r.store.count("Load")
	f()
	return r.store.count("Load") - before
}

// Beyond the limit those least recently used leave memory, and come back from the
// store as they were.
func TestLeastRecentlyUsedLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		count := &tally{}
		r := fewInMemory(t, func(r *room) { r.config = func(c *session.Config) { c.Metrics = count } })
		tickets := r.fill(32)
		r.resume(tickets[0])
		time.Sleep(3 * time.Second)
		want(t, "at the limit", r.InMemory(), 32)
		tickets = append(tickets, r.fill(28)...)
		time.Sleep(3 * time.Second)
		want(t, "in memory", r.InMemory(), 30) // a sixteenth of the limit is spare
		want(t, "reads of the 28 that came last, and the one that was used last before", r.loads(func() {
			for _, ticket := range append(tickets[32:], tickets[0]) {
				r.resume(ticket)
			}
		}), 0)
		want(t, "reads of the first", r.loads(func() {
			for _, ticket := range tickets[:20] {
				r.resume(ticket)
			}
		}), 19)
		want(t, "loads that are counted", len(count.of("loaded")), 19)
		want(t, "token", r.access(tickets[5]), "access-6")
		want(t, "renewals", r.provider.sent(), []string{})
		for _, ticket := range tickets {
			if _, err := r.End(t.Context(), ticket, session.ReasonLogout); err != nil {
				t.Errorf("End: %v", err)
			}
		}
		want(t, "in memory after all have signed out", r.InMemory(), 0)
	})
}

// Activity is written before its session makes room (E9): nobody idles out early.
func TestActivityIsWrittenBeforeLeaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := fewInMemory(t)
		tickets := r.fill(32)
		time.Sleep(10 * time.Minute)
		for _, ticket := range tickets {
			r.resume(ticket).Touch()
		}
		time.Sleep(30 * time.Second)
		for _, ticket := range tickets { // the first write was due at once, this one waits for its minute
			r.resume(ticket).Touch()
		}
		touched := time.Now()
		written := r.store.count("UpdateHeads")
		r.fill(32)
		time.Sleep(4 * time.Second)
		want(t, "in memory", r.InMemory() <= 32, true)
		if n := r.store.count("UpdateHeads") - written; n < 1 || n > 4 {
			t.Errorf("%d commits for 32 sessions that left, want all in a few", n)
		}
		time.Sleep(time.Until(touched.Add(30*time.Minute - time.Second)))
		for _, ticket := range tickets[:16] {
			r.resume(ticket)
		}
		time.Sleep(time.Second)
		for _, ticket := range tickets {
			r.wantOver(ticket)
		}
	})
}

// A store that takes no writes keeps in memory what it should have written, for as
// long as that takes (N1). Others go on.
func TestUnwrittenActivityIsNeverDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := fewInMemory(t)
		tickets := r.fill(60)
		time.Sleep(2 * time.Minute)
		r.store.set("UpdateHeads", errors.New("disk full"))
		for _, ticket := range tickets {
			r.resume(ticket).Touch()
		}
		time.Sleep(20 * time.Second)
		want(t, "in memory while nothing can be written", r.InMemory(), 60)
		r.store.set("UpdateHeads", nil)
		time.Sleep(3 * time.Second)
		want(t, "in memory afterwards", r.InMemory(), 30)
	})
}

// What memory alone knows of a session stays there with it: streams, a renewal
// under way, and one of which nobody knows the end (R3).
func TestNeededStayInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := fewInMemory(t)
		r.provider.answer = lose
		unknown := r.signIn("alice", nil)
		time.Sleep(4*time.Minute + 10*time.Second)
		r.access(unknown)
		synctest.Wait()
		flying := r.signIn("bob", nil)
		streaming, downloading := r.signIn("carol", nil), r.signIn("dave", nil)
		_, release, err := r.resume(streaming).Stream()
		if err != nil {
			t.Fatal(err)
		}
		_, done := r.resume(downloading).Download(true)
		r.provider.takes(8 * time.Second)
		time.Sleep(80 * time.Second) // before that it would be too soon
		go func() { _, _ = r.resume(flying).Renew(context.Background()) }()
		r.fill(60)
		time.Sleep(5 * time.Second)
		want(t, "in memory", r.InMemory(), 30)
		for name, ticket := range map[string]session.Ticket{
			"a renewal of unknown end": unknown, "a renewal under way": flying, "a stream": streaming, "a download": downloading,
		} {
			if !r.Open(ticket) {
				t.Errorf("%s: the session left memory", name)
			}
		}
		time.Sleep(5 * time.Second)
		release()
		done()
		r.fill(30)
		time.Sleep(3 * time.Second)
		for name, ticket := range map[string]session.Ticket{"renewed": flying, "stream closed": streaming, "download done": downloading} {
			if r.Open(ticket) {
				t.Errorf("%s: the session is in memory still", name)
			}
		}
		want(t, "the renewal counted", r.access(flying) != "access-2", true)
	})
}

// A request that holds a session which left memory goes on with its successor:
// its activity counts, and what it opens ends with the session (E12).
func TestHeldSessionLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := fewInMemory(t)
		ticket := r.signIn("alice", nil)
		held := r.resume(ticket)
		r.fill(60)
		time.Sleep(3 * time.Second)
		want(t, "in memory", r.Open(ticket), false)
		time.Sleep(10 * time.Minute)
		held.Touch()
		touched := time.Now()
		over, release, err := held.Stream()
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		if held.Over(true) {
			t.Error("over, though it only left memory")
		}
		time.Sleep(time.Until(touched.Add(30*time.Minute - time.Second)))
		r.resume(ticket)
		if token, err := held.Access(t.Context()); err != nil || token == "" {
			t.Errorf("Access: %v", err)
		}
		if _, err := r.End(t.Context(), ticket, session.ReasonLogout); err != nil {
			t.Fatal(err)
		}
		want(t, "its stream is open after the logout", open(over), false)
		if _, err := held.Access(t.Context()); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("Access after the logout: got %v, want ErrNotFound", err)
		}
	})
}

// More sessions than the limit in use within a second stay, all of them; of those
// in use less often, calls load what left. Nobody is refused.
func TestMoreInUseThanTheLimit(t *testing.T) {
	tests := []struct {
		name     string
		every    time.Duration
		inMemory [2]int // least and most
		loads    [2]int
	}{
		{"within a second", 500 * time.Millisecond, [2]int{60, 60}, [2]int{0, 0}},
		{"every five seconds, all at once", 5 * time.Second, [2]int{30, 60}, [2]int{30 * 8, 30 * 12}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := fewInMemory(t)
				tickets := r.fill(60)
				loads := r.loads(func() {
					for began := time.Now(); time.Since(began) < 50*time.Second; time.Sleep(tt.every) {
						for i, ticket := range tickets {
							want(t, "token", r.access(ticket) != "", true)
							if n := r.InMemory(); n < tt.inMemory[0] || n > tt.inMemory[1] {
								t.Fatalf("%d: %d in memory, want %v", i, n, tt.inMemory)
							}
						}
					}
				})
				if loads < tt.loads[0] || loads > tt.loads[1] {
					t.Errorf("%d reads from the store, want %v", loads, tt.loads)
				}
			})
		})
	}
}

// While a head is on its way to a slow store its session stays in memory: what
// would be loaded meanwhile is older.
func TestHeadUnderWayStays(t *testing.T) {
	slow := func(write func() error) error {
		time.Sleep(10 * time.Second)
		return write()
	}
	tests := []struct {
		name  string
		act   func(r *room, ticket session.Ticket)
		after time.Duration // since act: the last second of the session
	}{
		{"activity", func(r *room, ticket session.Ticket) { r.resume(ticket).Touch() }, 30 * time.Minute},
		{"the same user signed in again", func(r *room, ticket session.Ticket) {
			go func() { _, _ = r.Start(context.Background(), r.provider.signIn("alice"), &ticket) }()
		}, 30 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := fewInMemory(t, func(r *room) {
					r.wrap = func(s session.Store) session.Store { return &hookStore{Store: s, heads: slow} }
				})
				ticket := r.signIn("alice", nil)
				time.Sleep(2 * time.Minute)
				tt.act(r, ticket)
				acted := time.Now()
				time.Sleep(2 * time.Second) // the write has begun
				r.fill(60)
				time.Sleep(3 * time.Second)
				want(t, "reads while it is written", r.loads(func() { r.resume(ticket) }), 0)
				time.Sleep(15 * time.Second)
				r.fill(60)
				time.Sleep(3 * time.Second)
				want(t, "in memory after that", r.Open(ticket), false)
				time.Sleep(time.Until(acted.Add(tt.after - time.Second)))
				r.resume(ticket)
				time.Sleep(time.Second)
				r.wantOver(ticket)
			})
		})
	}
}

// Of a slow store a session is read twice: it may have come, changed and left
// since the first answer was on its way.
func TestSlowReadIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var later atomic.Bool
		r := fewInMemory(t, func(r *room) {
			r.wrap = func(s session.Store) session.Store {
				return &slowReads{Store: s, late: func() {
					if !later.Swap(true) {
						time.Sleep(10 * time.Second)
					}
				}}
			}
		})
		ticket := r.signIn("alice", nil)
		time.Sleep(12 * time.Minute) // out of memory
		go func() { _, _ = r.Resume(context.Background(), ticket) }()
		time.Sleep(time.Second)
		r.resume(ticket).Touch()
		touched := time.Now()
		r.fill(60)
		time.Sleep(4 * time.Second)
		want(t, "in memory", r.Open(ticket), false)
		time.Sleep(6 * time.Second)
		want(t, "in memory, read slowly", r.Open(ticket), true)
		want(t, "idle since", r.resume(ticket).Info().Idle.Add(-30*time.Minute).UTC(), touched.UTC())
	})
}

// slowReads is a store whose answers are late.
type slowReads struct {
	session.Store
	late func()
}

func (s *slowReads) Load(ctx context.Context, k session.Key) (session.Record, error) {
	r, err := s.Store.Load(ctx, k)
	s.late()
	return r, err
}
