package session_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// slowStore has a great many expired entries, and takes its time for each.
type slowStore struct {
	session.Store
	each time.Duration
	fast int // the entries that it takes no time for, at first

	mu      sync.Mutex
	left    int   // expired entries
	sweeps  []int // how many were to go in each commit
	updates []int // how many heads were written in each
}

func (s *slowStore) Sweep(_ context.Context, _ time.Time, limit int) (int, error) {
	s.mu.Lock() // not over the sleep: that would stop synctest's clock
	s.sweeps = append(s.sweeps, limit)
	n := min(limit, s.left)
	s.left -= n
	s.fast -= n
	slow := s.fast < 0
	s.mu.Unlock()
	if slow {
		time.Sleep(time.Duration(n) * s.each)
	}
	return n, nil
}

func (s *slowStore) UpdateHeads(ctx context.Context, heads []session.HeadUpdate) error {
	s.mu.Lock()
	s.updates = append(s.updates, len(heads))
	s.mu.Unlock()
	time.Sleep(time.Duration(len(heads)) * s.each)
	return s.Store.UpdateHeads(ctx, heads)
}

// What upkeep writes at once is as much as the store takes in a moment: whoever signs
// in waits behind it.
func TestBatchesFitTheStore(t *testing.T) {
	const users = 300
	for _, tt := range []struct {
		name        string
		each        time.Duration
		fast        int
		most, least int // of the sweeps' batches once they have been found to fit
		heads, few  int // of the heads' largest batch, likewise
	}{
		{"fast", 0, 0, 500, 500, 500, 128},
		{"slow", time.Millisecond, 0, 32, 32, 32, 32},
		{"slow after a while", time.Millisecond, 2000, 32, 32, 32, 32},
		{"in between", 100 * time.Microsecond, 0, 256, 64, 32, 32},
		{"faster than that", 40 * time.Microsecond, 0, 500, 256, 64, 64},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow := &slowStore{left: 4000, fast: tt.fast}
				r := newRoom(t, func(r *room) {
					r.wrap = func(s session.Store) session.Store { slow.Store, slow.each = s, tt.each; return slow }
				})
				var tickets []session.Ticket
				for range users {
					tickets = append(tickets, r.signIn("alice", nil))
				}
				time.Sleep(time.Second)
				for _, ticket := range tickets {
					r.resume(ticket).Touch()
				}
				time.Sleep(2 * time.Minute) // past the activity's granularity, and some sweeps
				slow.mu.Lock()
				defer slow.mu.Unlock()
				for _, n := range slow.sweeps[len(slow.sweeps)/2 : len(slow.sweeps)/2+3] {
					if n < tt.least || n > tt.most {
						t.Fatalf("sweeps were of %v, want %d to %d", slow.sweeps, tt.least, tt.most)
					}
				}
				// One more is what the clock is known by at the next start.
				if n := slices.Max(slow.updates); n > tt.heads+1 || n < tt.few {
					t.Errorf("heads were written in batches of %v, want %d to %d", slow.updates, tt.few, tt.heads)
				}
			})
		})
	}
}

// longSweep is a store that has a great deal to remove.
type longSweep struct {
	session.Store
	left atomic.Int64
}

func (s *longSweep) Sweep(_ context.Context, _ time.Time, limit int) (int, error) {
	n := min(int64(limit), s.left.Load())
	s.left.Add(-n)
	time.Sleep(time.Duration(n) * time.Millisecond)
	return int(n), nil
}

// A store that has a great deal to remove, and takes long for it, takes activity as
// soon as it is due all the same (E9).
func TestSweepLeavesTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := &longSweep{}
		r := newRoom(t, func(r *room) {
			r.wrap = func(s session.Store) session.Store { long.Store = s; return long }
		})
		ticket := r.signIn("alice", nil)
		time.Sleep(2 * time.Minute)
		long.left.Store(100_000)
		time.Sleep(15 * time.Second)
		r.resume(ticket).Touch()
		written := r.store.count("UpdateHeads")
		time.Sleep(3 * time.Second)
		want(t, "commits of activity", r.store.count("UpdateHeads")-written, 1)
		left := long.left.Load()
		time.Sleep(10 * time.Second)
		want(t, "removed in ten seconds, of ten thousand that take so long", left-long.left.Load() > 4000, true)
		long.left.Store(0)
	})
}

// slowDisk takes long for each commit, however little is in it.
type slowDisk struct {
	session.Store
	commits atomic.Int64
}

func (s *slowDisk) UpdateHeads(ctx context.Context, heads []session.HeadUpdate) error {
	s.commits.Add(1)
	time.Sleep(100 * time.Millisecond)
	return s.Store.UpdateHeads(ctx, heads)
}

// Where small batches fall behind they are not insisted on: else activity would be
// all that such a store is ever told of (E9).
func TestSlowDiskKeepsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &slowDisk{}
		r := newRoom(t, func(r *room) {
			r.wrap = func(s session.Store) session.Store { disk.Store = s; return disk }
		})
		var tickets []session.Ticket
		for range 1000 {
			tickets = append(tickets, r.signIn("alice", nil))
		}
		time.Sleep(2 * time.Minute)
		for _, ticket := range tickets {
			r.resume(ticket).Touch()
		}
		before := disk.commits.Load()
		time.Sleep(10 * time.Second)
		if n := disk.commits.Load() - before; n < 2 || n > 13 {
			t.Errorf("%d commits for a thousand sessions, want ten small ones in the first second and two or three large ones", n)
		}
	})
}
