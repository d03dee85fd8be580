package session

import (
	"errors"
	"testing"
	"time"
)

// D4: of two Sessions for one ticket only the one in memory ever renews, however
// late the other notices that it is not.
func TestEvictedRenewsNothing(t *testing.T) {
	now := time.Now()
	s := NewManager(Config{}).newSession(NewTicket(now), head{Started: now, Seen: now})
	s.evicted.Store(true)
	var wait *Unavailable
	if f, err := s.renewal(t.Context(), now, false); f != nil || !errors.As(err, &wait) {
		t.Errorf("got a renewal: %v, and %v, want Unavailable", f != nil, err)
	}
}
