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

// R3: before the last use of a refresh token the provider is asked something
// harmless. If it does not answer, nothing is sent, used up or written.
func TestReachBeforeLastUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &reachable{meter: &meter{provider: &provider{lifetime: 5 * time.Minute}}}
		r := newRoom(t, func(r *room) { r.provider = w.provider }, behind(w))
		ticket := r.signIn("alice", nil)
		time.Sleep(6 * time.Minute)
		w.set(func(old session.Tokens) (session.Tokens, error) { return lose(0, old) })
		_, _ = r.try(ticket)
		want(t, "asked before the first use", w.asked, 0)
		w.fails(nil)
		w.reach = func() error { return errors.New("connection refused") }
		before := r.store.count("SwapTokens")
		for range 20 {
			time.Sleep(10 * time.Second)
			if _, ok := retryAfter(second(r.try(ticket))); !ok {
				t.Error("got no Unavailable")
			}
		}
		want(t, "written meanwhile", r.store.count("SwapTokens")-before, 0)
		want(t, "sent", w.count(), 1)
		if w.asked < 10 {
			t.Errorf("asked %d times, want to hear of the provider's return", w.asked)
		}
		w.reach = nil
		time.Sleep(10 * time.Second)
		want(t, "after the provider's return", r.access(ticket), "access-2")
		want(t, "sent", w.count(), 2)
	})
}

// K3: what is sent to a failing provider to see whether it is back is harmless
// first. That, too, happens every two seconds at most.
func TestReachBeforeProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &reachable{meter: &meter{provider: &provider{lifetime: 5 * time.Minute}}}
		r := newRoom(t, func(r *room) { r.provider = w.provider }, behind(w))
		tickets := r.crowd(10)
		time.Sleep(6 * time.Minute)
		w.fails(errDown)
		for _, ticket := range tickets {
			_, _ = r.try(ticket)
		}
		want(t, "calls until held back", w.count(), 5)
		want(t, "asked", w.asked, 0)
		w.reach = func() error { return errors.New("connection refused") }
		w.fails(nil)
		before := r.store.count("SwapTokens")
		for range 600 {
			time.Sleep(100 * time.Millisecond)
			for _, ticket := range tickets {
				_, _ = r.try(ticket)
			}
		}
		want(t, "sent", w.count(), 5)
		want(t, "written", r.store.count("SwapTokens")-before, 0)
		if w.asked < 15 || w.asked > 30 {
			t.Errorf("asked %d times in a minute, want one every two seconds", w.asked)
		}
		w.reach = nil
		time.Sleep(5 * time.Second)
		for _, ticket := range tickets {
			want(t, "after the return", second(r.try(ticket)), nil)
		}
	})
}

// K3: whatever becomes of a renewal, its place at the provider is free again.
func TestPlacesAreGivenBack(t *testing.T) {
	tests := []struct {
		name  string
		wrong func(r *room, w *reachable)
		right func(r *room, w *reachable)
	}{
		{"the call panics", func(_ *room, w *reachable) {
			w.set(func(session.Tokens) (session.Tokens, error) { panic("call") })
		}, func(_ *room, w *reachable) { w.set(nil) }},
		{"asking panics", func(r *room, w *reachable) {
			w.set(func(old session.Tokens) (session.Tokens, error) { w.set(nil); return lose(0, old) })
			w.reach = func() error { panic("reach") }
		}, func(_ *room, w *reachable) { w.reach = nil; w.set(nil) }},
		{"the intent can't be written", func(r *room, _ *reachable) { r.store.set("SwapTokens", errors.New("disk full")) },
			func(r *room, _ *reachable) { r.store.set("SwapTokens", nil) }},
		{"the session is gone from the store", func(r *room, _ *reachable) { r.store.set("SwapTokens", session.ErrNotFound) },
			func(r *room, _ *reachable) { r.store.set("SwapTokens", nil) }},
		{"another writer was first", func(r *room, _ *reachable) { r.store.set("SwapTokens", session.ErrConflict) },
			func(r *room, _ *reachable) { r.store.set("SwapTokens", nil) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &reachable{meter: &meter{provider: &provider{lifetime: 5 * time.Minute}}}
				r := newRoom(t, func(r *room) { r.provider = w.provider }, behind(w))
				tickets := r.crowd(41)
				time.Sleep(6 * time.Minute)
				for _, ticket := range tickets[:40] {
					tt.wrong(r, w)
					_, _ = r.try(ticket)
					_, _ = r.try(ticket)
					time.Sleep(5 * time.Second)
					_, _ = r.try(ticket)
				}
				tt.right(r, w)
				time.Sleep(5 * time.Second)
				want(t, "one more", second(r.try(tickets[40])), nil)
			})
		})
	}
}

// K3, D12: who is signed out, replaced or out of time while waiting for a turn sends
// nothing, and keeps nobody else from it.
func TestOverWhileQueued(t *testing.T) {
	tests := []struct {
		name   string
		limits func(*session.Limits)
		act    func(r *room, ticket session.Ticket)
	}{
		{"signed out", nil, func(r *room, ticket session.Ticket) {
			if _, err := r.End(context.Background(), ticket, session.ReasonLogout); err != nil {
				r.t.Error(err)
			}
		}},
		{"replaced", nil, func(r *room, ticket session.Ticket) { r.signIn("user-40", &ticket) }},
		{"out of time", func(l *session.Limits) { l.Absolute = 6*time.Minute + 5*time.Second }, func(*room, session.Ticket) {}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &meter{provider: &provider{lifetime: 5 * time.Minute}, takes: 8 * time.Second}
				r := newRoom(t, func(r *room) {
					r.provider = w.provider
					if tt.limits != nil {
						tt.limits(&r.limits)
					}
				}, behind(w))
				tickets := r.crowd(41)
				time.Sleep(6 * time.Minute)
				var all sync.WaitGroup
				last := tickets[40]
				s := r.resume(last)
				for _, ticket := range tickets[:32] {
					all.Go(func() { _, _ = r.try(ticket) })
				}
				time.Sleep(time.Second)
				all.Go(func() { _, _ = s.Access(context.Background()) })
				synctest.Wait()
				want(t, "under way", w.count(), 32)
				tt.act(r, last)
				all.Wait()
				time.Sleep(10 * time.Second)
				want(t, "sent in all", w.count(), 32)
			})
		})
	}
}

// K5: a Manager that closes while hundreds wait for their turn lets those inside
// finish and sends nothing more. Nobody is left waiting.
func TestCloseWhileQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &meter{provider: &provider{lifetime: 5 * time.Minute}, takes: 4 * time.Second}
		r := newRoom(t, func(r *room) { r.provider = w.provider }, behind(w))
		tickets := r.crowd(300)
		time.Sleep(6 * time.Minute)
		var all sync.WaitGroup
		var mu sync.Mutex
		served := 0
		for _, ticket := range tickets {
			all.Go(func() {
				_, err := r.try(ticket)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					served++
				} else if _, ok := retryAfter(err); !ok {
					t.Errorf("got %v, want Unavailable", err)
				}
			})
		}
		time.Sleep(time.Second)
		start := time.Now()
		r.stop()
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
		want(t, "closed after", time.Since(start), 3*time.Second)
		all.Wait()
		want(t, "sent", w.count(), 32)
		want(t, "served", served, 32)
		for _, ticket := range tickets[:3] { // after the end nothing begins
			_, _ = r.try(ticket)
		}
		want(t, "sent", w.count(), 32)
	})
}

// K3: whose patience ends while waiting leaves no gap behind.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &meter{provider: &provider{lifetime: 5 * time.Minute}, takes: 25 * time.Second}
		r := newRoom(t, func(r *room) { r.provider = w.provider }, behind(w))
		tickets := r.crowd(100)
		time.Sleep(6 * time.Minute)
		for range 4 {
			var all sync.WaitGroup
			for _, ticket := range tickets {
				all.Go(func() { _, _ = r.try(ticket) })
			}
			all.Wait()
			time.Sleep(20 * time.Second)
		}
		want(t, "sent", w.count(), 100)
	})
}
