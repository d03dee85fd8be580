package session

import (
	"context"
	"testing"
	"time"
)

// headWrites counts the heads of one session that are written.
type headWrites struct {
	Store
	key Key
	n   int
}

func (h *headWrites) UpdateHeads(_ context.Context, updates []HeadUpdate) error {
	for _, u := range updates {
		if u.Key == h.key {
			h.n++
		}
	}
	return nil
}

// A session that left memory just as it changed writes nothing: its successor's
// head may be newer.
func TestGoneWritesNothing(t *testing.T) {
	for _, gone := range []bool{false, true} {
		now := time.Now()
		store := &headWrites{}
		keys, err := ParseKeyring([]byte(NewKey()))
		if err != nil {
			t.Fatal(err)
		}
		m := NewManager(Config{Store: store, Keys: keys, Limits: Limits{Idle: time.Hour, Absolute: time.Hour}})
		s := m.newSession(NewTicket(now), head{Started: now, Seen: now})
		store.key = s.key
		s.markDirty()
		s.evicted.Store(gone)
		if !m.flush(t.Context(), now, true) {
			t.Error("the flush failed")
		}
		if want := map[bool]int{false: 1, true: 0}[gone]; store.n != want {
			t.Errorf("gone %v: %d heads written, want %d", gone, store.n, want)
		}
	}
}
