package session_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

func capped(r *room) { r.limits.PerUser = 3 }

// alive tells which of the tickets open a session.
func (r *room) alive(tickets []session.Ticket) (out []int) {
	for i, ticket := range tickets {
		if _, err := r.Resume(context.Background(), ticket); err == nil {
			out = append(out, i)
		}
	}
	return out
}

// E13: with a cap of three the fourth sign-in ends the oldest session and revokes
// it: at once if it is in memory, else when its ticket comes. Other users are not
// counted, nor sessions that are over or replaced.
func TestSessionsPerUser(t *testing.T) {
	tests := []struct {
		name   string
		before func(r *room, tickets []session.Ticket) // the fourth sign-in
		alive  string
	}{
		{"in memory", func(*room, []session.Ticket) {}, "[1 2 3]"},
		{"elsewhere", func(r *room, _ []session.Ticket) { r.restart() }, "[1 2 3]"},
		{"filed under an older key", func(r *room, _ []session.Ticket) {
			if err := r.SetKeys(r.t.Context(), keyring(r.t, session.NewKey(), oldKey)); err != nil {
				r.t.Error(err)
			}
		}, "[1 2 3]"},
		{"one was ended", func(r *room, tickets []session.Ticket) { r.signOut(tickets[1]) }, "[0 2 3]"},
		{"one idled out, and nobody noticed yet", func(r *room, tickets []session.Ticket) {
			for range 31 {
				time.Sleep(time.Minute)
				r.resume(tickets[0]).Touch()
				r.resume(tickets[2]).Touch()
			}
			r.restart()
		}, "[0 2 3]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t, capped, func(r *room) { r.keys = keyring(t, oldKey) })
				if err := r.Unlock(t.Context()); err != nil {
					t.Fatal(err)
				}
				bob := r.signIn("bob", nil)
				var tickets []session.Ticket
				for range 3 {
					time.Sleep(time.Second)
					tickets = append(tickets, r.signIn("alice", nil))
				}
				tt.before(r, tickets)
				if tt.alive == "[1 2 3]" {
					r.resume(bob)
				}
				tickets = append(tickets, r.signIn("alice", nil))
				want(t, "alive", r.alive(tickets), tt.alive)
				synctest.Wait()
				want(t, "revoked", len(r.provider.revocations()), 1)
			})
		})
	}
}

var oldKey = session.NewKey()

// E13: a session that its own browser replaces does not count, so that no other
// one has to go for it.
func TestReplacedDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, capped)
		var tickets []session.Ticket
		for range 3 {
			tickets = append(tickets, r.signIn("alice", nil))
			time.Sleep(time.Second)
		}
		tickets = append(tickets, r.signIn("alice", &tickets[2]))
		want(t, "alive", r.alive(tickets), "[0 1 2 3]")
		time.Sleep(31 * time.Second)
		want(t, "alive later", r.alive(tickets), "[0 1 3]")
	})
}

// E13: sign-ins at the same time leave as many as there may be, not fewer.
func TestSignInsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, capped)
		tickets := make([]session.Ticket, 20)
		var all sync.WaitGroup
		for i := range tickets {
			all.Go(func() { tickets[i], _ = r.Start(context.Background(), r.provider.signIn("alice"), nil) })
		}
		all.Wait()
		want(t, "alive", len(r.alive(tickets)), 3)
		synctest.Wait()
		want(t, "revoked", len(r.provider.revocations()), 17)
	})
}

// E12: streams and downloads close within two seconds of every kind of end.
func TestStreamsOfEachEnd(t *testing.T) {
	tests := []struct {
		name string
		act  func(r *room, ticket session.Ticket)
	}{
		{"logout", func(r *room, ticket session.Ticket) { r.signOut(ticket) }},
		{"provider's logout", func(r *room, _ session.Ticket) { _, _ = r.Logout(r.t.Context(), says("")) }},
		{"operator", func(r *room, ticket session.Ticket) {
			_ = r.EndByKey(r.t.Context(), ticket.Key(), session.ReasonOperator)
		}},
		{"too many sessions", func(r *room, _ session.Ticket) {
			time.Sleep(time.Second)
			for range 3 {
				r.signIn("alice", nil)
			}
		}},
		{"another browser", func(r *room, ticket session.Ticket) {
			_ = r.resume(ticket).From(session.UserContext{UserAgent: "thief"})
		}},
		{"absolute end", func(*room, session.Ticket) { time.Sleep(8 * time.Hour) }},
		{"refused renewal", func(r *room, ticket session.Ticket) {
			r.provider.answer = func(int, session.Tokens) (session.Tokens, error) { return session.Tokens{}, session.ErrRefused }
			time.Sleep(6 * time.Minute)
			_, _ = r.try(ticket)
		}},
	}
	for _, tt := range tests {
		for _, sick := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, sick store: %v", tt.name, sick), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRoom(t, capped, func(r *room) {
						r.config = func(c *session.Config) { c.Bind = session.BindStrict }
					})
					ticket := r.signIn("alice", nil)
					stream, release, err := r.resume(ticket).Stream()
					if err != nil {
						t.Fatal(err)
					}
					defer release()
					download, done := r.resume(ticket).Download(true)
					defer done()
					if sick {
						r.store.set("Delete", fmt.Errorf("disk full"))
					}
					tt.act(r, ticket)
					time.Sleep(2 * time.Second)
					want(t, "stream open", open(stream), false)
					want(t, "download open", open(download) && tt.name != "absolute end", false)
				})
			})
		}
	}
}
