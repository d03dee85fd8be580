package proxy

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var errWhy = errors.New("why")

// The context of a call ends once, with the first reason, for everybody who waits
// for it in any of the ways that there are.
func TestCallContext(t *testing.T) {
	tests := []struct {
		name  string
		end   func(c *callContext, leave context.CancelCauseFunc)
		want  error // of Err
		cause error // context.Cause follows the browser's request as soon as that ends
	}{
		{"cancelled", func(c *callContext, _ context.CancelCauseFunc) { c.cancel(errWhy) }, errWhy, errWhy},
		{"cancelled twice", func(c *callContext, _ context.CancelCauseFunc) { c.cancel(errWhy); c.cancel(errOver) }, errWhy, errWhy},
		{"the browser left", func(_ *callContext, leave context.CancelCauseFunc) { leave(errWhy) }, errWhy, errWhy},
		{"cancelled, then the browser left", func(c *callContext, leave context.CancelCauseFunc) { c.cancel(errWhy); leave(errOver) }, errWhy, errOver},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				parent, leave := context.WithCancelCause(t.Context())
				c := &callContext{Context: parent}
				var ran, stopped, derived atomic.Int32
				c.AfterFunc(func() { ran.Add(1) })
				stop := c.AfterFunc(func() { stopped.Add(1) })
				c.AfterFunc(func() { ran.Add(1) })
				child, cancel := context.WithTimeout(c, time.Hour)
				defer cancel()
				context.AfterFunc(child, func() { derived.Add(1) })
				if !stop() || stop() {
					t.Error("stop reported that there was nothing to stop, or that there was twice")
				}
				if c.Err() != nil || context.Cause(c) != nil {
					t.Fatalf("got %v before the end", c.Err())
				}
				tt.end(c, leave)
				<-c.Done()
				synctest.Wait()
				late := c.AfterFunc(func() { ran.Add(1) })
				synctest.Wait()
				if late() {
					t.Error("a function that ran was stopped")
				}
				if ran.Load() != 3 || stopped.Load() != 0 || derived.Load() != 1 {
					t.Errorf("%d functions ran of 3, %d that was stopped, %d of a context below", ran.Load(), stopped.Load(), derived.Load())
				}
				if c.Err() != tt.want || context.Cause(c) != tt.cause || context.Cause(child) == nil {
					t.Errorf("got %v because of %v, want %v because of %v", c.Err(), context.Cause(c), tt.want, tt.cause)
				}
			})
		})
	}
}

// Who only left a function hears of the browser's end as soon as the context
// listens, who waits for Done from the beginning; and after its own end it listens no more.
func TestCallContextListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, leave := context.WithCancel(t.Context())
		c := &callContext{Context: parent}
		var heard atomic.Bool
		c.AfterFunc(func() { heard.Store(true) })
		leave()
		synctest.Wait()
		if heard.Load() {
			t.Error("a call that takes a moment is registered with the server's context")
		}
		c.listen()
		synctest.Wait()
		if !heard.Load() {
			t.Error("a function was not called")
		}

		over := &callContext{Context: t.Context()}
		over.cancel(errWhy)
		over.listen()
		if over.deafen != nil {
			t.Error("a context that is over listens")
		}
	})
}

// Who asks and hears that it is over can rely on that: Done is closed, the functions
// run, and what comes later is not the reason.
func TestCallContextAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, leave := context.WithCancelCause(t.Context())
		c := &callContext{Context: parent}
		var ran atomic.Bool
		c.AfterFunc(func() { ran.Store(true) })
		leave(errWhy)
		if c.Err() != errWhy {
			t.Errorf("got %v after the browser left, want %v", c.Err(), errWhy)
		}
		select {
		case <-c.Done():
		default:
			t.Error("Done is open after Err told of the end")
		}
		synctest.Wait()
		if !ran.Load() {
			t.Error("a function did not run")
		}
		c.cancel(errOver)
		if c.Err() != errWhy {
			t.Errorf("then %v, want %v still", c.Err(), errWhy)
		}
	})
}
