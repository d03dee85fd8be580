package session_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// tally is a Metrics that keeps what it is told of reuse, renewals and the breaker.
type tally struct {
	mu   sync.Mutex
	told []string
}

func (m *tally) note(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told = append(m.told, fmt.Sprintf(format, args...))
}

// of returns what was told of one kind.
func (m *tally) of(kind string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := []string{}
	for _, s := range m.told {
		if len(s) > len(kind) && s[:len(kind)] == kind {
			out = append(out, s[len(kind)+1:])
		}
	}
	return out
}

func (m *tally) Renewal(p, outcome string, _ time.Duration) { m.note("renewal %s %s", p, outcome) }
func (m *tally) Rotation(p string, rotated bool)            { m.note("rotation %s %v", p, rotated) }
func (m *tally) Reuse(p string, honoured bool)              { m.note("reuse %s %v", p, honoured) }
func (m *tally) Breaker(p string, open bool)                { m.note("breaker %s %v", p, open) }
func (m *tally) Loaded(p string)                            { m.note("loaded %s", p) }
func (m *tally) Began(p string)                             { m.note("began %s", p) }
func (m *tally) Ended(p, reason string)                     { m.note("ended %s %s", p, reason) }
func (m *tally) Revocations(n int, oldest time.Time) {
	m.note("revocations %d %v", n, time.Since(oldest))
}

// reusing makes the room's provider one of the given kind, behind a meter.
func reusing(w session.Renewer, mode session.ReuseMode, window time.Duration, count session.Metrics) func(*room) {
	return func(r *room) {
		r.config = func(c *session.Config) {
			p := c.Providers["main"]
			p.Renewer, p.Reuse = w, session.Reuse{Mode: mode, Window: window}
			c.Providers["main"], c.Metrics = p, count
		}
	}
}

// R3, R4: after a use of unknown end the token is used once more: at once while
// the provider's window is open, else when the access token has expired, never
// before and never a third time; but for a provider that always answers.
func TestSecondUse(t *testing.T) {
	const valid = 60 * time.Second // what the access token has left at the first use
	tests := []struct {
		mode   session.ReuseMode
		window time.Duration
		slow   time.Duration // how long the first call takes to come to nothing
		uses   string        // seconds since the first use
		over   bool          // in the end
	}{
		{session.ReuseNone, 0, 0, "[0 55]", true},
		{"", 0, 0, "[0 55]", true},
		{session.ReuseNone, time.Hour, 0, "[0 55]", true}, // a window means nothing there
		{session.ReuseGrace, 30 * time.Second, 0, "[0 1]", true},
		{session.ReuseSame, 30 * time.Second, 0, "[0 1]", true},
		{session.ReuseGrace, 30 * time.Second, 20 * time.Second, "[0 21]", true},
		{session.ReuseGrace, 30 * time.Second, 29 * time.Second, "[0 55]", true}, // the pause after it passes the window
		{session.ReuseSame, 30 * time.Second, 31 * time.Second, "[0 55]", true},  // too late
		{session.ReuseCount, 0, 0, "[0 1]", true},
		{session.ReuseCount, 0, 40 * time.Second, "[0 41]", true},
		{session.ReuseUnlimited, 0, 0, "", false}, // more and more,
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%q window %v slow %v", tt.mode, tt.window, tt.slow), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &meter{provider: &provider{lifetime: 5 * time.Minute}}
				r := newRoom(t, func(r *room) { r.provider = w.provider }, reusing(w, tt.mode, tt.window, nil))
				ticket := r.signIn("alice", nil)
				w.set(func(old session.Tokens) (session.Tokens, error) {
					if w.count() == 1 {
						time.Sleep(tt.slow)
					}
					return lose(0, old)
				})
				time.Sleep(5*time.Minute - valid)
				for range 4 * 130 {
					if _, err := r.try(ticket); err != nil && w.count() < 2 && time.Since(w.since(time.Time{})[0]) < valid-5*time.Second {
						t.Fatalf("a valid token does not serve: %v", err)
					}
					time.Sleep(250 * time.Millisecond)
				}
				calls := w.since(time.Time{})
				var at []int
				for _, call := range calls[:min(6, len(calls))] {
					at = append(at, int(call.Sub(calls[0])/time.Second))
				}
				if tt.mode == session.ReuseUnlimited {
					if len(calls) < 6 || at[1] > 3 || at[5] > 60 {
						t.Errorf("uses after: got %v, want more and more of them", at)
					}
				} else {
					want(t, "uses after", at, tt.uses)
				}
				want(t, "over", len(r.log.events(session.EventEnded)) == 1, tt.over)
			})
		})
	}
}

// R3: a window counts from the first use, however often the provider could not
// be reached in between, and across a restart.
func TestWindowCountsFromFirstUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &meter{provider: &provider{lifetime: 5 * time.Minute}}
		r := newRoom(t, func(r *room) { r.provider = w.provider }, reusing(w, session.ReuseGrace, 20*time.Second, nil))
		ticket := r.signIn("alice", nil)
		time.Sleep(4*time.Minute + time.Second)
		w.set(func(old session.Tokens) (session.Tokens, error) {
			if w.count() == 1 {
				return lose(0, old)
			}
			return session.Tokens{}, errDown
		})
		for range 120 {
			r.access(ticket)
			time.Sleep(250 * time.Millisecond)
		}
		calls := w.since(time.Time{})
		if last := calls[len(calls)-1].Sub(calls[0]); len(calls) < 4 || last >= 20*time.Second {
			t.Errorf("%d calls, the last after %v; want some, all within 20 s of the first", len(calls), last)
		}
	})
}

// R4: an intent that is found after a restart leads to one use at once, whatever
// the provider is like, and then to the rule of its mode.
func TestSecondUseAfterRestart(t *testing.T) {
	tests := []struct {
		mode session.ReuseMode
		uses int // in the end, with two restarts
	}{{session.ReuseNone, 2}, {session.ReuseGrace, 2}, {session.ReuseSame, 2}, {session.ReuseCount, 2}, {session.ReuseUnlimited, 3}}
	for _, tt := range tests {
		t.Run(string(tt.mode), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &meter{provider: &provider{lifetime: 5 * time.Minute}}
				r := newRoom(t, func(r *room) { r.provider = w.provider }, reusing(w, tt.mode, time.Millisecond, nil))
				ticket := r.signIn("alice", nil)
				time.Sleep(4*time.Minute + time.Second)
				w.set(func(old session.Tokens) (session.Tokens, error) { return lose(0, old) })
				r.access(ticket)
				synctest.Wait()
				r.restart()
				want(t, "valid token", r.access(ticket), "access-1")
				synctest.Wait()
				want(t, "after one restart", w.count(), 2)
				w.set(nil)
				r.restart()
				_, err := r.try(ticket)
				synctest.Wait()
				want(t, "after two", w.count(), tt.uses)
				want(t, "lives", err == nil, tt.mode == session.ReuseUnlimited)
			})
		})
	}
}

// R9, N3: what a refused refresh token means, and what is observed of reuse.
func TestRefusalClasses(t *testing.T) {
	tests := []struct {
		name    string
		mode    session.ReuseMode
		renewed int  // times before the refusal
		lost    bool // an answer was lost before it
		expires time.Duration
		static  bool // the provider keeps the same token
		want    string
		reuse   string
	}{
		{"never rotated", "", 0, false, 0, false, session.ClassUnknown, "[]"},
		{"rotated", "", 1, false, 0, false, session.ClassTheft, "[]"},
		{"rotated, and within its stated life", "", 2, false, time.Hour, false, session.ClassTheft, "[]"},
		{"rotated, and it had run out on the way", "", 1, false, 5*time.Minute + 500*time.Millisecond, false, session.ClassUnknown, "[]"},
		{"not rotated by renewals", "", 2, false, 0, true, session.ClassUnknown, "[]"},
		{"an answer was lost", "", 0, true, 0, false, session.ClassOwnCrash, "[main false]"},
		{"rotated, then an answer was lost", "", 1, true, 0, false, session.ClassOwnCrash, "[main false]"},
		{"rotated where old ones stay good", session.ReuseUnlimited, 1, false, 0, false, session.ClassUnknown, "[]"},
		{"rotated with a grace", session.ReuseGrace, 1, false, 0, false, session.ClassTheft, "[]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				count := &tally{}
				w := &meter{provider: &provider{lifetime: 5 * time.Minute}, takes: time.Second}
				r := newRoom(t, func(r *room) { r.provider = w.provider }, reusing(w, tt.mode, time.Minute, count))
				ticket := r.signIn("alice", nil)
				w.set(func(old session.Tokens) (session.Tokens, error) {
					next := w.next()
					if tt.static {
						next.Refresh = old.Refresh
					}
					if tt.expires > 0 {
						next.RefreshExpires = time.Now().Add(tt.expires)
					}
					return next, nil
				})
				for range tt.renewed {
					time.Sleep(5 * time.Minute)
					r.access(ticket)
				}
				if tt.lost {
					w.set(func(old session.Tokens) (session.Tokens, error) { return lose(0, old) })
					time.Sleep(5 * time.Minute)
					_, _ = r.try(ticket)
					time.Sleep(time.Minute)
				}
				w.fails(session.ErrRefused)
				time.Sleep(5 * time.Minute)
				_, _ = r.try(ticket)
				synctest.Wait()
				want(t, "ends", r.log.events(session.EventEnded), []string{"renewal_refused " + tt.want})
				want(t, "reuse", count.of("reuse"), tt.reuse)
				want(t, "revocations", w.revocations(), []string{})
			})
		})
	}
}

// What is observed of a provider that honours a second use is told as such, and
// a first use is no observation.
func TestReuseObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		count := &tally{}
		w := &meter{provider: &provider{lifetime: 5 * time.Minute}}
		r := newRoom(t, func(r *room) { r.provider = w.provider }, reusing(w, session.ReuseNone, 0, count))
		ticket := r.signIn("alice", nil)
		time.Sleep(6 * time.Minute)
		w.set(func(old session.Tokens) (session.Tokens, error) { w.set(nil); return lose(0, old) })
		_, _ = r.try(ticket)
		want(t, "first use", count.of("reuse"), []string{})
		time.Sleep(5 * time.Second)
		r.access(ticket)
		time.Sleep(6 * time.Minute)
		r.access(ticket)
		want(t, "reuse", count.of("reuse"), []string{"main true"})
		want(t, "outcomes", slices.Compact(count.of("renewal")), []string{"main unknown", "main renewed"})
		want(t, "rotations", count.of("rotation"), []string{"main true", "main true"})
	})
}

// Providers that kill the old access token when they rotate: every call waits
// for a renewal that is due or under way, not only the one that began it.
func TestBlockingWaitsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &meter{provider: &provider{lifetime: 5 * time.Minute}, takes: 2 * time.Second}
		r := newRoom(t, func(r *room) { r.provider = w.provider }, func(r *room) {
			r.config = func(c *session.Config) {
				p := c.Providers["main"]
				p.Renewer, p.Blocking = w, true
				c.Providers["main"] = p
			}
		})
		ticket := r.signIn("alice", nil)
		time.Sleep(4*time.Minute + time.Second)
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if token, err := r.try(ticket); token != "access-2" || err != nil {
					t.Errorf("during the renewal: got %q, %v, want access-2", token, err)
				}
			})
			time.Sleep(300 * time.Millisecond)
		}
		all.Wait()
		want(t, "calls", w.count(), 1)
	})
}
