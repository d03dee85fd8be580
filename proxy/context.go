package proxy

import (
	"context"
	"sync"
	"time"
)

// lull is how long a call takes before its context listens whether the browser
// leaves. Most calls are over by then: to register each with the server's context,
// and to take that back, was a twentieth of what it cost.
const lull = 20 * time.Millisecond

// callContext is the context of a call upstream. It ends with cancel, and with the
// browser's request: that is heard by Done as soon as it was asked for, and by
// AfterFunc once listen was called. Its error is the first reason, and so is its
// context.Cause as long as the browser's request goes on. It is safe for concurrent use.
type callContext struct {
	context.Context // of the browser's request

	mu     sync.Mutex
	err    error         // why it ended; nil: it didn't
	done   chan struct{} // nil: nobody asked
	first  *afterwards   // what runs then; nil: nothing
	deafen func() bool   // ends listening; nil: it doesn't listen
}

// afterwards is a function that runs when the context ends, in a list.
type afterwards struct {
	ctx  *callContext
	f    func()
	next *afterwards
}

// Done implements context.Context.
func (c *callContext) Done() <-chan struct{} {
	c.mu.Lock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		}
	}
	done := c.done
	c.mu.Unlock()
	c.listen()
	return done
}

// Err implements context.Context.
func (c *callContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && c.Context.Err() != nil {
		c.end(context.Cause(c.Context)) // nobody listened, or heard it yet
	}
	return c.err
}

// listen makes the end of the browser's request that of the context.
func (c *callContext) listen() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && c.deafen == nil {
		c.deafen = context.AfterFunc(c.Context, func() { c.cancel(context.Cause(c.Context)) })
	}
}

// cancel ends the context, the first time.
func (c *callContext) cancel(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.end(why)
	}
}

// end is called with mu held, once.
func (c *callContext) end(why error) {
	c.err = why
	if c.done != nil {
		close(c.done)
	}
	if c.deafen != nil {
		c.deafen()
	}
	for a := c.first; a != nil; a = a.next {
		go a.f()
	}
	c.first = nil
}

// AfterFunc does what context.AfterFunc does, which uses it.
func (c *callContext) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := &afterwards{ctx: c, f: f}
	if c.err != nil {
		go f()
	} else {
		a.next, c.first = c.first, a
	}
	return a.stop
}

// stop keeps the function from running. It reports false if it runs or ran, or was
// stopped before.
func (a *afterwards) stop() bool {
	a.ctx.mu.Lock()
	defer a.ctx.mu.Unlock()
	for at := &a.ctx.first; *at != nil; at = &(*at).next {
		if *at == a {
			*at = a.next
			return true
		}
	}
	return false
}
