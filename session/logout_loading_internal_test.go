package session

import (
	"context"
	"errors"
	"testing"
	"time"
)

// I6, E11: a session that a call is just loading, and whose end was written
// since it was read, is found by nobody else meanwhile.
func TestLoadedTooLate(t *testing.T) {
	now := time.Now()
	m := NewManager(Config{Limits: Limits{Idle: time.Hour, Absolute: time.Hour}})
	ticket := NewTicket(now)
	s := m.newSession(ticket, head{Started: now, Seen: now, Issues: lineage{confirmed: ticket.issue}})
	s.loading.Store(true)
	m.open.Store(s.key, s)
	if _, err := m.Resume(context.Background(), ticket); err != nil {
		t.Errorf("while nothing speaks against it: got %v", err)
	}
	m.ended.Store(s.key, &burial{at: now})
	if _, err := m.Resume(context.Background(), ticket); !errors.Is(err, ErrNotFound) {
		t.Errorf("after its end: got %v, want ErrNotFound", err)
	}
}
