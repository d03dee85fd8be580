package proxy

import (
	"testing"
	"testing/synctest"
	"time"
)

// The timer of a call ends the wait for an answer, watches a download that takes its
// time, and leaves streams alone: those are watched from their beginning, and end in
// their own way.
func TestTimerOfCall(t *testing.T) {
	const never = 0
	tests := []struct {
		name     string
		timeout  time.Duration
		answered time.Duration
		download bool
		at       time.Duration
		armed    bool
		err      error // of the context
	}{
		{"no answer yet", time.Minute, never, false, time.Minute - 1, true, nil},
		{"no answer in time", time.Minute, never, false, time.Minute + 1, false, errTimeout},
		{"no answer in a short time", lull / 4, never, false, lull/4 + 1, false, errTimeout},
		{"a download that is short", time.Minute, lull / 2, true, lull + watchAfter - 1, true, nil},
		{"a download that is watched", time.Minute, lull / 2, true, lull + watchAfter + 1, false, nil},
		{"a late download that is short", time.Minute, time.Second, true, time.Second + watchAfter - 1, true, nil},
		{"a late download that is watched", time.Minute, time.Second, true, time.Second + watchAfter + 1, false, nil},
		{"a download is not late", watchAfter / 2, lull / 2, true, watchAfter, true, nil},
		{"a stream", time.Minute, lull / 2, false, lull + 1, false, nil},
		{"a late stream", time.Minute, time.Second, false, time.Second + 1, false, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &call{route: &route{Config: Config{Timeout: tt.timeout}}}
				c.ctx.Context = t.Context()
				c.await()
				if tt.answered != never {
					time.Sleep(tt.answered)
					if c.arrived() {
						t.Error("the answer is late")
					}
					if tt.download {
						c.watchLater()
					}
				}
				time.Sleep(tt.at - tt.answered)
				if armed := c.timer.Stop(); armed != tt.armed {
					t.Errorf("is the timer armed: got %v, want %v", armed, tt.armed)
				}
				if err := c.ctx.Err(); err != tt.err {
					t.Errorf("the context ended with %v, want %v", err, tt.err)
				}
				c.ctx.cancel(errOver)
			})
		})
	}
}

// A call that is repeated listens as soon as any other whether the browser leaves, and
// has its whole time once more (G16).
func TestTimerOfSecondAttempt(t *testing.T) {
	for _, first := range []time.Duration{lull / 2, time.Second} {
		t.Run(first.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &call{route: &route{Config: Config{Timeout: time.Minute}}}
				c.ctx.Context = t.Context()
				defer c.ctx.cancel(errOver)
				c.await()
				time.Sleep(first)
				c.arrived()
				c.await()
				time.Sleep(lull + 1)
				c.ctx.mu.Lock()
				listens := c.ctx.deafen != nil
				c.ctx.mu.Unlock()
				if !listens {
					t.Error("the call does not listen")
				}
				time.Sleep(time.Minute - lull - 2)
				if err := c.ctx.Err(); err != nil {
					t.Errorf("got %v before its time was over", err)
				}
				time.Sleep(2 * time.Nanosecond)
				if err := c.ctx.Err(); err != errTimeout {
					t.Errorf("got %v after its time, want %v", err, errTimeout)
				}
			})
		})
	}
}
