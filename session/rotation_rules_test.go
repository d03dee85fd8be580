package session_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// E10, E11, E12, I2: a replay ends everything: the record, the tokens at the
// provider, the streams; and one event says why.
func TestReplayEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, rotating)
		first := r.signIn("alice", nil)
		next := r.rotate(first)
		stream, release, err := r.resume(next).Stream()
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		r.provider.mu.Lock()
		r.provider.revoke = func(int) error { return &session.Unavailable{Err: errors.New("down")} }
		r.provider.mu.Unlock()
		r.wantOver(first)
		r.wantOver(next)
		synctest.Wait()
		want(t, "the stream is open", open(stream), false)
		want(t, "ends", r.log.events(session.EventEnded), []string{session.ReasonReplay})
		if _, err := r.store.Load(t.Context(), first.Key()); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("the record: got %v, want ErrNotFound", err)
		}
		waiting, err := r.store.Revocations(t.Context(), time.Now().Add(time.Hour), 10)
		if err != nil || len(waiting) != 1 {
			t.Errorf("filed revocations: %d, %v, want 1", len(waiting), err)
		}
		r.provider.mu.Lock()
		r.provider.revoke = nil
		r.provider.mu.Unlock()
		r.restart()
		time.Sleep(10 * time.Second)
		sent := r.provider.revocations()
		want(t, "revoked last", sent[len(sent)-1], "refresh-1")
		want(t, "revoked", len(r.log.events(session.EventRevoked)), 1)
		r.wantOver(next)
		want(t, "ends after all", r.log.events(session.EventEnded), []string{session.ReasonReplay})
	})
}

// The moments that decide, each from both sides.
func TestRotationThresholds(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name string
		play func(h *hall) bool
		want bool
	}{
		{"due at rotate_every", func(h *hall) bool { h.pass(rotateEvery); return h.gives(h.first) }, true},
		{"not due before", func(h *hall) bool { h.pass(rotateEvery - ms); return h.gives(h.first) }, false},
		{"unseen for 10 s", func(h *hall) bool { h.rotated(); h.pass(10 * time.Second); return h.gives(h.first) }, true},
		{"unseen, but not yet", func(h *hall) bool { h.rotated(); h.pass(10*time.Second - ms); return h.gives(h.first) }, false},
		{"seen, then not for 30 s", func(h *hall) bool { h.call(h.rotated()); h.pass(30 * time.Second); return h.gives(h.first) }, true},
		{"seen, then not quite", func(h *hall) bool { h.call(h.rotated()); h.pass(30*time.Second - ms); return h.gives(h.first) }, false},
		{"the outstanding one itself gets none", func(h *hall) bool { n := h.rotated(); h.pass(50 * time.Second); return h.gives(n) }, false},
		{"an answer within 5 s", func(h *hall) bool { return h.slow(5*time.Second - ms) }, true},
		{"an answer after 5 s", func(h *hall) bool { return h.slow(5 * time.Second) }, false},
		{"retired for less than 30 s", func(h *hall) bool {
			h.confirmed(60 * time.Second)
			h.pass(30*time.Second - ms)
			return h.serves(h.first)
		}, true},
		{"retired for 30 s", func(h *hall) bool { h.confirmed(60 * time.Second); h.pass(30 * time.Second); return h.serves(h.first) }, false},
		{"retired: gets none", func(h *hall) bool { h.confirmed(60 * time.Second); h.pass(time.Second); return h.gives(h.first) }, false},
		{"not confirmed before 60 s", func(h *hall) bool { h.confirmed(60*time.Second - ms); h.pass(time.Hour); return h.serves(h.first) }, true},
		{"a restart keeps the half minute", func(h *hall) bool {
			h.confirmed(time.Minute)
			h.pass(2 * time.Second)
			h.restart(true)
			h.pass(27 * time.Second)
			return h.serves(h.first)
		}, true},
		{"a restart makes it no longer", func(h *hall) bool {
			h.confirmed(time.Minute)
			h.pass(2 * time.Second)
			h.restart(true)
			h.pass(29 * time.Second)
			return h.serves(h.first)
		}, false},
		{"a confirmation is written at once", func(h *hall) bool {
			next := h.rotated()
			h.pass(59 * time.Second)
			h.call(h.first) // activity, which is written now and then not for a minute
			h.pass(6 * time.Second)
			h.call(next)
			h.pass(2 * time.Second)
			h.restart(true)
			h.pass(28 * time.Second)
			return h.serves(h.first)
		}, false},
		{"an issue that a kill took is confirmed like any other", func(h *hall) bool {
			next := h.rotated()
			h.restart(true)
			h.pass(time.Minute)
			h.call(next)
			h.pass(30 * time.Second)
			return h.serves(h.first)
		}, false},
		{"an issue that a kill took is served", func(h *hall) bool {
			next := h.rotated()
			h.restart(true)
			h.pass(time.Hour)
			return h.serves(next)
		}, true},
		{"a rival of less than 30 s survives", func(h *hall) bool { return h.rival(30*time.Second - ms) }, true},
		{"a rival of 30 s does not", func(h *hall) bool { return h.rival(30 * time.Second) }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.play(newHall(t, rotateEvery)); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func (h *hall) gives(t session.Ticket) bool { next, _ := h.call(t); return next != t }

func (h *hall) serves(t session.Ticket) bool { _, ok := h.call(t); return ok }

// rotated returns a new issue that has not been presented.
func (h *hall) rotated() session.Ticket {
	h.pass(rotateEvery)
	next, _ := h.call(h.first)
	return next
}

// confirmed has a new issue presented so long after it was made.
func (h *hall) confirmed(after time.Duration) {
	next := h.rotated()
	h.pass(after)
	h.call(next)
}

// slow reports whether an answer that takes so long carries an issue for an
// older one that is still open.
func (h *hall) slow(takes time.Duration) bool {
	older := h.rotated()
	h.pass(10 * time.Second)
	h.call(h.first) // another one, unseen from now on
	h.pass(10 * time.Second)
	s, _ := h.resume(older)
	h.pass(takes)
	_, ok := s.Reissue(older)
	return ok
}

// rival reports whether an issue that is so old when its sibling is confirmed is
// served a minute later.
func (h *hall) rival(age time.Duration) bool {
	sibling := h.rotated()
	h.pass(40 * time.Second)
	rival, _ := h.call(h.first)
	h.pass(age)
	if age < 20*time.Second {
		h.t.Fatal("the sibling is too young")
	}
	h.call(sibling)
	h.pass(time.Minute)
	return h.serves(rival)
}

// A client that takes no cookie is served for ever, costs bounded memory, and a
// write of its head now and then.
func TestFixedCookie(t *testing.T) {
	h := newHall(t, rotateEvery)
	last := int64(0)
	for range 20_000 {
		h.pass(2 * time.Second)
		next, ok := h.call(h.first)
		if !ok {
			t.Fatalf("refused after %v", h.now.Sub(h.first.Issued()))
		}
		if next == h.first {
			continue
		}
		if n := next.Issued().UnixMilli(); n <= last {
			t.Fatalf("issue %d after %d", n, last)
		}
		last = next.Issued().UnixMilli()
		if n := h.m.OpenIssues(h.first); n > 8 {
			t.Fatalf("%d open issues in memory", n)
		}
	}
	if limit := 20_000*2/60 + 20; h.shelf.writes > limit {
		t.Errorf("the head was written %d times in %v, want at most %d", h.shelf.writes, h.now.Sub(h.first.Issued()), limit)
	}
}

// Issues increase strictly when the clock stands still, and when it goes back.
func TestIssuesIncrease(t *testing.T) {
	for _, back := range []time.Duration{0, time.Millisecond, time.Hour} {
		h := newHall(t, rotateEvery)
		n := h.rotated()
		h.pass(time.Hour)
		for range 8 { // so many that every answer carries one
			h.pass(10 * time.Second)
			n, _ = h.call(h.first)
		}
		for range 20 {
			h.now = h.now.Add(-back)
			next, _ := h.call(h.first)
			if !next.Issued().After(n.Issued()) {
				t.Fatalf("clock back by %v: %v after %v", back, next.Issued(), n.Issued())
			}
			n = next
		}
	}
}

// An ended or replaced session gives no new issue, whoever still holds it.
func TestNoIssueAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, rotating)
		for _, end := range []func(session.Ticket){
			func(ticket session.Ticket) { _, _ = r.End(t.Context(), ticket, session.ReasonLogout) },
			func(ticket session.Ticket) { r.signIn("alice", &ticket) },
			func(ticket session.Ticket) { r.signIn("bob", &ticket) },
		} {
			ticket := r.signIn("alice", nil)
			time.Sleep(20 * time.Minute)
			held := r.resume(ticket)
			want(t, "due before", held.Due(ticket), true)
			end(ticket)
			_, ok := held.Reissue(ticket)
			want(t, "due, and given, after the end", [2]bool{held.Due(ticket), ok}, [2]bool{})
		}
	})
}

// Of 64 answers at one moment, one carries a new issue.
func TestOneIssueForMany(t *testing.T) {
	h := newHall(t, rotateEvery)
	h.pass(rotateEvery)
	var given sync.Map
	var calls sync.WaitGroup
	for range 64 {
		calls.Go(func() {
			if next, ok := h.call(h.first); !ok {
				t.Error("refused")
			} else if next != h.first {
				given.Store(next, true)
			}
		})
	}
	calls.Wait()
	n := 0
	given.Range(func(any, any) bool { n++; return true })
	want(t, "new issues", n, 1)
}
