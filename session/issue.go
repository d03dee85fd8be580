package session

import (
	"slices"
	"time"
)

// present judges the issue of a ticket that a request came with. It reports
// false if the ticket is a copy that somebody else has gone on with: then the
// session must end.
func (s *Session) present(n int64, grace time.Duration) bool {
	if n == s.settled.Load() {
		return true
	}
	now := s.m.now().UnixMilli()
	s.issues.Lock()
	v := s.lineage.present(n, now, grace)
	s.settle()
	s.issues.Unlock()
	if v == proving {
		s.writeSoon()
	}
	return v != replay
}

// settle keeps the issue that needs no look at the lineage. It is called with
// issues held.
func (s *Session) settle() {
	n := int64(0)
	if len(s.lineage.open) == 0 {
		n = s.lineage.confirmed
	}
	s.settled.Store(n)
}

// Due reports whether an answer to a request that presented t may carry a new
// issue of it now. It is cheap; [Session.Reissue] decides.
func (s *Session) Due(t Ticket) bool {
	every := s.m.limits.RotateEvery
	if every <= 0 || s.ends.Load() != 0 || s.over.Load() {
		return false
	}
	now := s.m.now().UnixMilli()
	if t.issue == s.settled.Load() {
		return now-t.issue >= every.Milliseconds()
	}
	s.issues.Lock()
	defer s.issues.Unlock()
	return s.lineage.due(t.issue, now, every)
}

// Reissue returns a new issue of t for the answer whose header is being written
// at this moment, or false if it shall have none: it is not time, another
// answer carries one already, or the session is over or replaced.
func (s *Session) Reissue(t Ticket) (Ticket, bool) {
	if !s.Due(t) {
		return Ticket{}, false
	}
	now := s.m.now().UnixMilli()
	s.issues.Lock()
	defer s.issues.Unlock()
	if !s.lineage.due(t.issue, now, s.m.limits.RotateEvery) {
		return Ticket{}, false
	}
	full := len(s.lineage.open) == maxOpen
	n := s.lineage.make(t.issue, now)
	s.settle()
	if full {
		s.markDirty() // a client that takes no new cookie must not cost a write for each
	} else {
		s.writeSoon()
	}
	if s.gone() { // its successor would not know of it
		return Ticket{}, false
	}
	return t.under(n), true
}

// writeSoon makes the next upkeep write the head, however lately it was written:
// until then the death of the process forgets who went on with the ticket.
func (s *Session) writeSoon() {
	s.urgent.Store(true)
	s.markDirty()
}

// lastIssues returns what the head says of the issues.
func (s *Session) lastIssues() lineage {
	s.issues.Lock()
	defer s.issues.Unlock()
	l := s.lineage
	l.open = slices.Clone(l.open)
	return l
}
