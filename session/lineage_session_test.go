package session

import (
	"testing"
	"time"
)

// heldSession is a session in memory whose ticket is due for a new issue.
func heldSession(every time.Duration, now func() time.Time) (*Session, Ticket) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if now == nil {
		now = func() time.Time { return start.Add(time.Hour) }
	}
	m := NewManager(Config{Now: now, Limits: Limits{Idle: 24 * time.Hour, Absolute: 24 * time.Hour, RotateEvery: every}})
	t := NewTicket(start)
	return m.newSession(t, head{Started: start, Seen: start, Issues: lineage{confirmed: t.issue, confirmedAt: t.issue}}), t
}

// rotate_every 0 is never.
func TestNoRotation(t *testing.T) {
	s, ticket := heldSession(0, nil)
	if _, ok := s.Reissue(ticket); ok || s.Due(ticket) {
		t.Error("a new issue without rotation")
	}
}

// A session that left memory while somebody held it hands out nothing: another
// one stands in its place, and would not know of it.
func TestEvictedReissuesNothing(t *testing.T) {
	s, ticket := heldSession(time.Minute, nil)
	s.evicted.Store(true)
	if _, ok := s.Reissue(ticket); ok {
		t.Error("a new issue of a session that is not in memory")
	}
}

// Two answers that were both told that it is time get one issue: the second
// looks again.
func TestReissueLooksAgain(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	calls, given := 0, 0
	var s *Session
	var ticket Ticket
	s, ticket = heldSession(time.Minute, func() time.Time {
		if calls++; calls == 3 && s != nil { // the outer one was told by its second look at the clock
			if _, ok := s.Reissue(ticket); ok {
				given++
			}
		}
		return start.Add(time.Hour)
	})
	calls = 1
	if _, ok := s.Reissue(ticket); ok {
		given++
	}
	if given != 1 || calls < 4 {
		t.Errorf("%d new issues in %d looks at the clock, want 1", given, calls)
	}
}

// What is being written does not change with the next request.
func TestHeadIsACopy(t *testing.T) {
	s, ticket := heldSession(time.Minute, nil)
	next, _ := s.Reissue(ticket)
	written := s.lastIssues()
	s.present(next.issue, retireAfter)
	if written.open[0].seen != 0 {
		t.Error("a head changed while it was written")
	}
}
