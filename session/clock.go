package session

import (
	"sync/atomic"
	"time"
)

// clock tells the time by what has elapsed since it was made: setting the
// machine's clock while the process runs changes nothing. It can be set forward
// once, if the machine's clock was behind at the start.
type clock struct {
	start  time.Time
	offset atomic.Int64     // in ns
	wall   func() time.Time // the machine's clock, as it is set; without a monotonic reading
}

func newClock() *clock {
	return &clock{start: time.Now(), wall: func() time.Time { return time.Now().Round(0) }}
}

func (c *clock) now() time.Time {
	return c.start.Add(time.Since(c.start) + time.Duration(c.offset.Load()))
}

// notBefore sets the clock forward to t if it is behind, and reports whether it
// was: sessions must not come back to life because a machine's clock went back.
func (c *clock) notBefore(t time.Time) bool {
	behind := t.Sub(c.now())
	if behind <= 0 {
		return false
	}
	c.offset.Add(int64(behind))
	return true
}

// ours turns a time of the machine's clock into one of the Manager's.
func (m *Manager) ours(t time.Time) time.Time {
	if m.clock == nil || t.IsZero() {
		return t
	}
	// Without its monotonic reading: that of both is the same, however the machine's
	// clock was set since the start.
	return t.Round(0).Add(m.clock.now().Sub(m.clock.wall()))
}

// oursAll is ours for the times of a token set. What it took over from the one
// before, ours already is.
func (m *Manager) oursAll(t, before Tokens) Tokens {
	t.Obtained, t.Expires = m.ours(t.Obtained), m.ours(t.Expires)
	if !t.RefreshExpires.Equal(before.RefreshExpires) {
		t.RefreshExpires = m.ours(t.RefreshExpires)
	}
	return t
}
