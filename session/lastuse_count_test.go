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

// R9: a refused refresh token was stolen perhaps if it was never sent before; if
// it was, and the answer said nothing of it, a gateway may have lost what the
// provider said.
func TestRefusedAfterNoWord(t *testing.T) {
	tests := []struct {
		name  string
		fails int                             // calls that end with a 5xx, before the refusal
		then  func(*room, session.Ticket) int // between the two; how often it renews
		ends  string
	}{
		{"no 5xx", 0, nil, "[renewal_refused suspected_theft]"},
		{"one 5xx", 1, nil, "[renewal_refused unknown]"},
		{"several", 5, nil, "[renewal_refused unknown]"},
		{"a restart between", 1, func(r *room, _ session.Ticket) int { r.restart(); return 0 }, "[renewal_refused unknown]"},
		{"a renewal between", 1, func(r *room, ticket session.Ticket) int {
			synctest.Wait()
			r.provider.answer = nil
			r.access(ticket)
			time.Sleep(4*time.Minute + 5*time.Second)
			return 1
		}, "[renewal_refused suspected_theft]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t)
				ticket := r.signIn("alice", nil)
				time.Sleep(4*time.Minute + 5*time.Second)
				r.access(ticket)
				time.Sleep(4*time.Minute + 5*time.Second)
				synctest.Wait()
				r.provider.answer = func(int, session.Tokens) (session.Tokens, error) { return session.Tokens{}, errDown }
				for range 60 {
					if len(r.provider.sent()) > tt.fails {
						break
					}
					_, _ = r.try(ticket)
					time.Sleep(time.Second)
				}
				want(t, "uses before", len(r.provider.sent()), 1+tt.fails)
				time.Sleep(time.Second)
				renewed := 1
				if tt.then != nil {
					renewed += tt.then(r, ticket)
				}
				synctest.Wait()
				r.provider.answer = func(int, session.Tokens) (session.Tokens, error) { return session.Tokens{}, session.ErrRefused }
				_, _ = r.try(ticket)
				time.Sleep(10 * time.Second)
				_, _ = r.try(ticket)
				synctest.Wait()
				want(t, "renewals", len(r.log.events(session.EventRenewed)), renewed)
				want(t, "ends", r.log.events(session.EventEnded), tt.ends)
			})
		})
	}
}

// vague is a store that writes tokens and says then that it does not know
// whether it did.
type vague struct {
	session.Store
	on atomic.Bool
}

func (v *vague) SwapTokens(ctx context.Context, k session.Key, u session.TokensUpdate) error {
	err := v.Store.SwapTokens(ctx, k, u)
	if err == nil && v.on.Load() {
		return errors.New("the outcome of the change is unknown: fdatasync: EIO")
	}
	return err
}

// R3, K4: an intent that was written, though the store did not say so, is no use
// of the refresh token: nothing was sent. It can be sent twice still.
func TestIntentOfUnknownEnd(t *testing.T) {
	tests := []struct {
		name   string
		before func(*room) // the store is well again
		answer func(int, session.Tokens) (session.Tokens, error)
		used   []string
		ends   string
	}{
		{"then all is well", func(*room) {}, nil, []string{"refresh-1"}, "[]"},
		{"a restart, then all is well", func(r *room) { r.restart() }, nil, []string{"refresh-1"}, "[]"},
		{"then no answer comes", func(*room) {}, lose, []string{"refresh-1", "refresh-1"}, "[own_crash own_crash]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &vague{}
				r := newRoom(t, func(r *room) {
					r.wrap = func(s session.Store) session.Store { v.Store = s; return v }
				})
				ticket := r.signIn("alice", nil)
				v.on.Store(true)
				time.Sleep(4*time.Minute + 5*time.Second)
				for range 120 {
					time.Sleep(time.Second)
					_, _ = r.try(ticket)
				}
				want(t, "uses while no intent is certain", len(r.provider.sent()), 0)
				v.on.Store(false)
				r.provider.answer = tt.answer
				tt.before(r)
				for range 30 {
					time.Sleep(time.Second)
					_, _ = r.try(ticket)
				}
				want(t, "uses", r.provider.sent(), tt.used)
				want(t, "ends", r.log.events(session.EventEnded), tt.ends)
				if tt.ends == "[]" {
					want(t, "token", r.access(ticket), "access-2")
				}
			})
		})
	}
}
