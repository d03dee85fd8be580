package session

import (
	"testing"
	"testing/synctest"
	"time"
)

// R25, experiment 14: however the machine's clock is set while the process runs,
// the Manager's goes on, and times of the machine's are turned into its own.
func TestSteadyClock(t *testing.T) {
	for name, jump := range map[string]time.Duration{
		"as it was": 0, "a second on": time.Second, "five minutes back": -5 * time.Minute, "an hour on": time.Hour,
		"ten years on": 10 * 365 * 24 * time.Hour, "a year back": -365 * 24 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := NewManager(Config{})
				time.Sleep(time.Minute)
				m.clock.wall = func() time.Time { return time.Now().Round(0).Add(jump) }
				steady := m.now()
				for what, machine := range map[string]time.Time{
					"from a message":     m.clock.wall(),
					"just read":          m.clock.wall().Add(0),
					"with both readings": time.Now().Add(jump),
				} {
					if got := m.ours(machine); !got.Equal(steady) {
						t.Errorf("%s: %v off", what, got.Sub(steady))
					}
				}
				if got := m.ours(m.clock.wall().Add(3 * time.Minute)); !got.Equal(steady.Add(3 * time.Minute)) {
					t.Errorf("a time to come: %v off", got.Sub(steady.Add(3*time.Minute)))
				}
				if got := m.ours(time.Time{}); !got.IsZero() {
					t.Errorf("no time: got %v", got)
				}
			})
		})
	}
}

// The clock goes forward to the store's time, never back.
func TestClockNotBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock()
		start := c.now()
		for _, tt := range []struct{ ask, want time.Duration }{{-time.Hour, 0}, {0, 0}, {time.Hour, time.Hour}, {time.Minute, time.Hour}} {
			moved := c.notBefore(start.Add(tt.ask))
			if got := c.now().Sub(start); got != tt.want || moved != (tt.ask == time.Hour) {
				t.Errorf("not before %v: got %v, moved %v, want %v", tt.ask, got, moved, tt.want)
			}
		}
		time.Sleep(time.Minute)
		if got := c.now().Sub(start); got != time.Hour+time.Minute {
			t.Errorf("a minute later: got %v", got)
		}
	})
}

// What a renewal took over from the tokens before was turned once already.
func TestTimesAreTurnedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewManager(Config{})
		m.clock.notBefore(m.now().Add(time.Hour))
		machine := time.Now().Round(0)
		in := Tokens{Obtained: machine, Expires: machine.Add(time.Minute), RefreshExpires: machine.Add(time.Hour)}
		first := m.oursAll(in, Tokens{})
		for what, pair := range map[string][2]time.Time{
			"obtained": {first.Obtained, in.Obtained}, "expires": {first.Expires, in.Expires}, "refresh": {first.RefreshExpires, in.RefreshExpires},
		} {
			if got := pair[0].Sub(pair[1]); got != time.Hour {
				t.Errorf("%s: moved by %v, want an hour", what, got)
			}
		}
		renewed := m.oursAll(Tokens{Obtained: machine, Expires: machine, RefreshExpires: first.RefreshExpires}, first)
		if !renewed.RefreshExpires.Equal(first.RefreshExpires) {
			t.Errorf("taken over: moved by %v", renewed.RefreshExpires.Sub(first.RefreshExpires))
		}
	})
}
