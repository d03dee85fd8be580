package session_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// D12, R24: a session that was replaced by one of the same user is dropped and
// never revoked, whatever ends it and whatever its renewal brings: providers
// revoke a whole grant, and that may be its successor's too.
func TestNothingOfTheReplacedIsRevoked(t *testing.T) {
	tests := []struct {
		name   string
		before func(r *room) // the new sign-in
		after  func(r *room, old session.Ticket)
	}{
		{"that it was replaced can't be written", func(r *room) { r.store.set("UpdateHeads", errors.New("disk full")) }, func(r *room, _ session.Ticket) {
			r.store.set("UpdateHeads", nil)
		}},
		{"it ends for another reason too", func(*room) {}, func(r *room, old session.Ticket) {
			if err := r.EndByKey(r.t.Context(), old.Key(), session.ReasonPerUser); err != nil {
				r.t.Errorf("EndByKey: %v", err)
			}
		}},
		{"its user signs out in an old tab", func(*room) {}, func(r *room, old session.Ticket) { r.signOut(old) }},
		{"the renewal is over after it", func(*room) {}, func(r *room, old session.Ticket) {
			time.Sleep(31 * time.Second)
			r.wantOver(old)
		}},
		{"what the renewal brought can't be written", func(r *room) { r.store.set("SwapTokens", errors.New("disk full")) }, func(r *room, old session.Ticket) {
			time.Sleep(45 * time.Second)
			r.wantOver(old)
			r.store.set("SwapTokens", nil)
		}},
		{"it ends, and the store has it no more", func(r *room) { r.store.set("SwapTokens", errors.New("disk full")) }, func(r *room, old session.Ticket) {
			time.Sleep(35 * time.Second)
			_ = r.EndByKey(r.t.Context(), old.Key(), session.ReasonOperator)
			r.store.set("SwapTokens", nil)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t)
				old := r.signIn("alice", nil)
				time.Sleep(4*time.Minute + 5*time.Second)
				r.provider.takes(33 * time.Second)
				want(t, "token", r.access(old), "access-1")
				time.Sleep(time.Second)
				tt.before(r)
				successor := r.signIn("alice", &old)
				tt.after(r, old)
				time.Sleep(50 * time.Second)
				r.wantOver(old)
				want(t, "uses", r.provider.sent(), []string{"refresh-1"})
				want(t, "revocations", r.provider.revocations(), []string{})
				want(t, "the successor's token", r.access(successor), "access-2")
			})
		})
	}
}

// E10: a copy of a ticket is noticed on a session that was replaced too. It is
// told once, and its successor lives.
func TestReplayOnTheReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, func(r *room) { r.limits.RotateEvery, r.provider.lifetime = 5*time.Minute, 8*time.Hour })
		copied := r.signIn("alice", nil)
		time.Sleep(5 * time.Minute)
		ticket, ok := r.resume(copied).Reissue(copied)
		want(t, "a new issue", ok, true)
		time.Sleep(61 * time.Second)
		r.resume(ticket)
		time.Sleep(31 * time.Second)
		successor := r.signIn("alice", &ticket)
		for range 2 {
			r.wantOver(copied)
		}
		r.wantOver(ticket)
		r.resume(successor)
		time.Sleep(time.Minute)
		want(t, "ends", r.log.events(session.EventEnded), "[replaced ticket_replayed]")
		want(t, "revocations", r.provider.revocations(), []string{})
	})
}
