package session

import "context"

// Upkeep does what Run does at a tick, at the Manager's time.
func (m *Manager) Upkeep() {
	now := m.now()
	m.closeStreams(now)
	m.deletePending(context.Background())
	m.flush(context.Background(), now, false)
}

// Evict does what Run does once a minute.
func (m *Manager) Evict() { m.evict(m.now()) }

// OpenIssues returns how many issues the session of t holds in memory as
// unconfirmed.
func (m *Manager) OpenIssues(t Ticket) int {
	s, ok := m.open.Load(t.Key())
	if !ok {
		return 0
	}
	s.issues.Lock()
	defer s.issues.Unlock()
	return len(s.lineage.open)
}

// ConfirmedAt returns the session's confirmed issue and when it was confirmed, in
// ms.
func (m *Manager) ConfirmedAt(t Ticket) (issue, at int64) {
	s, ok := m.open.Load(t.Key())
	if !ok {
		return 0, 0
	}
	s.issues.Lock()
	defer s.issues.Unlock()
	return s.lineage.confirmed, s.lineage.confirmedAt
}

// Under returns the ticket with another issue.
func (t Ticket) Under(issue int64) Ticket { return t.under(issue) }
