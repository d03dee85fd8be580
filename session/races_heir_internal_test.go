package session

import (
	"testing"
	"time"
)

// E11: an end that found the session before it left memory ends the one that was
// loaded since, too, and goes by its tokens.
func TestHeirEndsToo(t *testing.T) {
	now := time.Now()
	m := NewManager(Config{})
	ticket := NewTicket(now)
	old := m.newSession(ticket, head{Started: now, Seen: now})
	heir := m.newSession(ticket, head{Started: now, Seen: now})
	old.content.Store(&version{content: content{Tokens: Tokens{Refresh: "old"}}, number: 1})
	heir.content.Store(&version{content: content{Tokens: Tokens{Refresh: "new"}}, number: 2})
	old.evicted.Store(true)
	m.open.Store(heir.key, heir)
	if first, _ := m.bury(old, ReasonLogout); !first {
		t.Error("was over already")
	}
	if _, found := m.open.Load(heir.key); found || !heir.over.Load() {
		t.Errorf("the other one: found %v, over %v", found, heir.over.Load())
	}
	if got := old.content.Load().Tokens.Refresh.Reveal(); got != "new" {
		t.Errorf("to be revoked: got %s, want new", got)
	}
}
