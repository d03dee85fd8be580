package session_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

func (r *room) watch(ticket session.Ticket) *session.Watch {
	r.t.Helper()
	w, err := r.resume(ticket).Watch()
	if err != nil {
		r.t.Fatalf("Watch: %v", err)
	}
	r.t.Cleanup(w.Close)
	return w
}

// told reports whether w was told of something by now.
func told(w *session.Watch) bool {
	synctest.Wait()
	select {
	case <-w.Changed():
		return true
	default:
		return false
	}
}

// Those who watch are told of every end, with its reason, though nobody asks for the
// session: also of what happens in the store alone, or by time alone.
func TestWatchEnds(t *testing.T) {
	tests := []struct {
		name   string
		end    func(r *room, ticket session.Ticket)
		reason string
	}{
		{"the user", func(r *room, ticket session.Ticket) { r.signOut(ticket) }, session.ReasonLogout},
		{"idle", func(r *room, _ session.Ticket) { time.Sleep(r.limits.Idle + time.Second) }, session.ReasonIdle},
		{"absolute", func(r *room, ticket session.Ticket) {
			s := r.resume(ticket)
			for range 8 * 4 {
				s.Touch()
				time.Sleep(15 * time.Minute)
			}
			time.Sleep(time.Second)
		}, session.ReasonAbsolute},
		{"the provider", func(r *room, _ session.Ticket) {
			l := session.Logout{Provider: "main", Subject: "alice", Reason: session.ReasonBackchannel}
			if _, err := r.Logout(context.Background(), l); err != nil {
				r.t.Error(err)
			}
		}, session.ReasonBackchannel},
		{"another device", func(r *room, _ session.Ticket) {
			if n, err := r.resume(r.signIn("alice", nil)).EndOthers(context.Background()); n != 1 || err != nil {
				r.t.Errorf("EndOthers = %d, %v", n, err)
			}
		}, session.ReasonDevice},
		{"another user in this browser", func(r *room, ticket session.Ticket) { r.signIn("bob", &ticket) }, session.ReasonReplaced},
		{"a refused renewal", func(r *room, ticket session.Ticket) {
			r.provider.answer = func(int, session.Tokens) (session.Tokens, error) { return session.Tokens{}, session.ErrRefused }
			time.Sleep(r.provider.lifetime)
			_, _ = r.resume(ticket).Access(context.Background())
		}, session.ReasonRefused},
		{"gone from the store", func(r *room, ticket session.Ticket) {
			if err := r.store.Delete(context.Background(), ticket.Key(), nil); err != nil {
				r.t.Error(err)
			}
			time.Sleep(r.provider.lifetime)
			_, _ = r.resume(ticket).Access(context.Background())
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t)
				ticket := r.signIn("alice", nil)
				w := r.watch(ticket)
				if told(w) || w.State().Over {
					t.Error("told before anything happened")
				}
				tt.end(r, ticket)
				if !told(w) {
					t.Error("not told")
				}
				state := w.State()
				want(t, "over", state.Over, true)
				want(t, "reason", state.Reason, tt.reason)
				if told(w) {
					t.Error("told twice")
				}
			})
		})
	}
}

// A renewal is told, and so is that the same user signed in again: the session then
// serves 30 s more before it is over.
func TestWatchChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		ticket := r.signIn("alice", nil)
		w := r.watch(ticket)
		before := w.State()
		time.Sleep(r.provider.lifetime - 10*time.Second)
		r.access(ticket)
		if !told(w) {
			t.Error("a renewal isn't told")
		}
		if after := w.State(); after.Renewals != before.Renewals+1 || !after.TokenExpires.After(before.TokenExpires) {
			t.Errorf("after a renewal: %+v, before: %+v", after, before)
		}
		r.signIn("alice", &ticket)
		if !told(w) {
			t.Error("a replacement isn't told")
		}
		if state := w.State(); !state.Replaced || state.Over {
			t.Errorf("replaced: %+v", state)
		}
		time.Sleep(31 * time.Second)
		if !told(w) {
			t.Error("the end of a replaced session isn't told")
		}
		want(t, "reason", w.State().Reason, session.ReasonReplaced)
	})
}

// Watching is no activity (E8), keeps the session in memory, and is bounded for each
// session; what is closed makes room.
func TestWatchIsNoActivity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, func(r *room) { r.limits.Watches = 2 })
		ticket := r.signIn("alice", nil)
		first, second := r.watch(ticket), r.watch(ticket)
		if _, err := r.resume(ticket).Watch(); !errors.Is(err, session.ErrTooManyStreams) {
			t.Errorf("a third watch: %v", err)
		}
		first.Close()
		first.Close()
		third := r.watch(ticket)
		time.Sleep(r.limits.Idle - time.Minute)
		want(t, "in memory", r.Open(ticket), true)
		if told(second) || told(third) {
			t.Error("told of nothing")
		}
		time.Sleep(time.Minute + time.Second)
		if told(first) || !told(second) || !told(third) {
			t.Error("those who watch aren't told that it idled out, or one who left is")
		}
		r.wantOver(ticket)
	})
}

// A session that nobody watches any more leaves memory like any other.
func TestWatchClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		ticket := r.signIn("alice", nil)
		r.watch(ticket).Close()
		time.Sleep(12 * time.Minute)
		want(t, "in memory", r.Open(ticket), false)
	})
}
