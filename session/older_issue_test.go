package session_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// rotate lets a browser that presents ticket get a new issue and use it until it
// is confirmed and the older one is retired.
func (r *room) rotate(ticket session.Ticket) session.Ticket {
	r.t.Helper()
	time.Sleep(16 * time.Minute)
	next, ok := r.resume(ticket).Reissue(ticket)
	if !ok {
		r.t.Fatal("no new issue")
	}
	time.Sleep(61 * time.Second)
	r.resume(next).Touch()
	time.Sleep(31 * time.Second)
	return next
}

func rotating(r *room) { r.limits.RotateEvery = 15 * time.Minute }

// B10: a sign-in remembers the ticket that was presented when it began. That the
// browser has got a newer issue meanwhile is no theft.
func TestReplacedByOlderIssue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, rotating)
		first := r.signIn("alice", nil)
		next := r.rotate(first)
		r.signIn("alice", &first)
		r.resume(next)
		want(t, "ends", r.log.events(session.EventEnded), []string{"replaced"})
		time.Sleep(31 * time.Second)
		r.wantOver(next)
		want(t, "revocations", r.provider.revocations(), []string{})
	})
}

// A request that holds a session which has left memory finds it again by the
// ticket it was loaded with, however old that issue is by now.
func TestEvictedWithOlderIssue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, rotating)
		first := r.signIn("alice", nil)
		held := r.resume(first)
		next := r.rotate(first)
		time.Sleep(12 * time.Minute) // out of memory
		if _, err := held.Access(t.Context()); err != nil {
			t.Errorf("Access: %v", err)
		}
		r.resume(next)
		want(t, "ends", r.log.events(session.EventEnded), []string{})
	})
}

// A confirmation that falls into a write of the head is written with the next
// one, not a minute later: a kill would forget which ticket is retired.
func TestConfirmedWhileWriting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var once sync.Once
		var confirm func()
		r := newRoom(t, rotating, func(r *room) {
			r.wrap = func(s session.Store) session.Store {
				return &hookStore{Store: s, heads: func(write func() error) error {
					if confirm != nil {
						once.Do(confirm)
					}
					return write()
				}}
			}
		})
		first := r.signIn("alice", nil)
		time.Sleep(16 * time.Minute)
		next, ok := r.resume(first).Reissue(first)
		if !ok {
			t.Fatal("no new issue")
		}
		time.Sleep(61 * time.Second)
		writes := r.store.count("UpdateHeads")
		confirm = func() { r.resume(next) }
		r.resume(first).Touch()
		time.Sleep(3 * time.Second)
		want(t, "writes", r.store.count("UpdateHeads")-writes, 2)
	})
}
