package session

import (
	"testing"
	"time"
)

// K3: a call whose token is fresh, or due while renewals are held back, has
// nothing to do with the gate's locks: nobody's renewal keeps it waiting.
func TestNoLockOfTheGate(t *testing.T) {
	m := NewManager(Config{
		Limits:    Limits{Idle: time.Hour, Absolute: time.Hour, RenewBefore: time.Minute, RenewTimeout: time.Second},
		Providers: map[string]Provider{"main": {}},
	})
	now := time.Now()
	g := m.gates["main"]
	g.hold(time.Hour)
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, left := range map[string]time.Duration{"fresh": 5 * time.Minute, "due": 50 * time.Second} {
		s := m.newSession(NewTicket(now), head{Identity: Identity{Provider: "main"}, Started: now, Seen: now})
		s.content.Store(&version{content: content{Tokens: Tokens{
			Access: "access", Refresh: "refresh", Obtained: now.Add(-5 * time.Minute), Expires: now.Add(left),
		}}})
		done := make(chan error, 1)
		go func() { _, err := s.Access(t.Context()); done <- err }()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("%s: got %v", name, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: the call waits for the gate", name)
		}
	}
}
