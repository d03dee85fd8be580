package proxy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// watchAfter is how long an answer takes before it is worth watching whether
// its session ends meanwhile.
const watchAfter = time.Second

// lastWrite is how long a browser may take to accept what was under way to it
// when its session ended.
const lastWrite = time.Second

// lastRead is how long a browser that has its answer may go on with its body.
const lastRead = time.Second

var (
	errTimeout = errors.New("no answer in time")
	errOver    = errors.New("the session ended, or the proxy is closing")
)

// call is one request on its way through.
type call struct {
	route   *route
	w       http.ResponseWriter
	r       *http.Request
	session *session.Session // nil: none
	token   session.Secret   // empty: none
	upgrade bool             // a WebSocket handshake

	url       url.URL     // where it goes
	header    http.Header // what goes there
	sent      bool        // an attempt was made with header
	forwarded [2]string   // X-Forwarded-For, Forwarded
	body      body        // src is nil if there is none
	attempt   *attempt    // the body of the last attempt

	ctx callContext // of the call upstream

	finite bool // the answer's length is known; not written once the answer is watched

	moved atomic.Int64 // when the browser last sent a piece of the body, in ns

	mu    sync.Mutex
	stage stage       // guarded by mu
	timer *time.Timer // runs fire; guarded by mu
	long  bool        // it has taken longer than lull; guarded by mu
	timed bool        // the timer watches the answer; guarded by mu
	slow  bool        // the time ran out while the browser was sending; guarded by mu
}

// stage is how far a call has come. It says what the timer is for.
type stage int

const (
	waiting   stage = iota // for the header of the answer
	expired                // it did not come in time
	answering              // the answer is passed on
	finished               // nothing may touch the browser's connection any more
)

// do makes the call and passes the answer on.
func (c *call) do() error {
	c.ctx.Context = c.r.Context()
	defer c.finish()
	if c.r.ContentLength != 0 && c.r.Body != nil {
		c.body.src, c.body.limit, c.body.call = c.r.Body, c.route.MaxBody, c
		c.body.keep = c.route.Token == TokenAccess && c.session != nil &&
			0 < c.r.ContentLength && c.r.ContentLength <= c.route.proxy.opts.BufferForReplay
	}
	c.header = c.route.requestHeader(c.r)
	c.route.proxy.forwarded(c.header, c.route.proxy.opts.ClientIP(c.r), &c.forwarded)
	if c.session != nil {
		c.route.identify(c.header, c.session)
	}
	if c.upgrade {
		return c.handshake()
	}
	res, err := c.exchange()
	if err != nil {
		return err
	}
	return c.answer(res)
}

// exchange returns the upstream's answer, after a second attempt with another
// token if need be.
func (c *call) exchange() (*http.Response, error) {
	res, err := c.send()
	if err == nil && res.StatusCode == http.StatusUnauthorized {
		return c.challenged(res)
	}
	return res, err
}

// send makes one attempt. It returns with the header of the answer.
func (c *call) send() (*http.Response, error) {
	if c.sent {
		c.header = maps.Clone(c.header) // the last attempt may still be reading it
	}
	if c.token != "" {
		c.header["Authorization"] = []string{"Bearer " + c.token.Reveal()}
	}
	c.sent = true
	out := c.route.template.WithContext(&c.ctx)
	out.Method, out.URL, out.Header = c.r.Method, &c.url, c.header
	if c.body.src != nil {
		if c.attempt != nil {
			_ = c.attempt.Close()
		}
		c.attempt = &attempt{body: &c.body}
		out.Body, out.ContentLength = c.attempt, c.r.ContentLength
	}
	c.await()
	res, err := c.route.transport.RoundTrip(out)
	if late := c.arrived(); late && err == nil {
		_ = res.Body.Close()
		err = errTimeout
	}
	if err != nil {
		return nil, c.failed(err)
	}
	return res, nil
}

// await starts the time for the header of the answer. The timer that has not fired yet
// is to do so in any case.
func (c *call) await() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stage = waiting
	c.moved.Store(time.Now().UnixNano())
	switch {
	case c.timer == nil:
		c.timer = time.AfterFunc(min(lull, c.route.Timeout), c.fire)
	case c.long:
		c.timer.Reset(c.route.Timeout)
	}
}

// arrived ends that time and reports whether it had run out. The timer goes on if it
// has not fired yet: to set it is dearer than to let it fire in vain.
func (c *call) arrived() (late bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stage == expired {
		return true
	}
	c.stage = answering
	if c.long {
		c.timer.Stop()
	}
	return false
}

// watchLater lets the timer watch the session if the answer takes its time. Until it
// has fired for the first time it is still to do so. Streams are watched otherwise.
func (c *call) watchLater() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timed = true
	if c.long {
		c.timer.Reset(watchAfter)
	}
}

// progress notes that the browser sent a piece of the body: upstream's time
// starts again.
func (c *call) progress() { c.moved.Store(time.Now().UnixNano()) }

// fire is what the timer does: at first it makes the context listen; then it ends a
// call without an answer, or begins to watch the session.
func (c *call) fire() {
	c.ctx.listen()
	c.mu.Lock()
	first := !c.long
	c.long = true
	timed := c.stage == answering && c.timed
	switch {
	case c.stage == waiting:
		c.expire()
	case timed && first:
		c.timer.Reset(watchAfter)
	}
	c.mu.Unlock()
	if timed && !first && c.session != nil {
		over, release := c.session.Download(c.finite)
		defer release()
		c.watch(over, nil)
	}
}

// expire is called with mu held.
func (c *call) expire() {
	since := time.Duration(time.Now().UnixNano() - c.moved.Load())
	if left := c.route.Timeout - since; left > 0 {
		c.timer.Reset(left)
		return
	}
	c.stage = expired
	c.ctx.cancel(errTimeout)
	if c.body.reading.Load() {
		// net/http's Transport waits for the body before it gives up; and the browser
		// is told that it was its own slowness.
		c.slow = true
		_ = http.NewResponseController(c.w).SetReadDeadline(time.Unix(1, 0))
	}
}

// watch ends the answer when the session ends or the proxy closes (nil: it
// does not matter). It returns when the call does, at the latest.
func (c *call) watch(over, closing <-chan struct{}) {
	select {
	case <-over:
	case <-closing:
	case <-c.ctx.Done():
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stage == answering {
		c.ctx.cancel(errOver)
		// The browser may have stopped reading.
		_ = http.NewResponseController(c.w).SetWriteDeadline(time.Now().Add(lastWrite))
	}
}

// finish lets nothing of the call go on after its handler.
func (c *call) finish() {
	c.mu.Lock()
	c.stage = finished
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	if c.attempt != nil {
		_ = c.attempt.Close()
	}
	if c.body.unfinished() {
		// What the browser still sends net/http will read, so that the browser gets to
		// its answer; it would take the deadline off if the upload were still reading.
		control := http.NewResponseController(c.w)
		_ = control.SetReadDeadline(time.Unix(1, 0))
		c.body.settle()
		_ = control.SetReadDeadline(time.Now().Add(lastRead))
		if c.r.ProtoMajor == 1 && !c.body.unfinished() {
			// To net/http the read that was cut means that the browser left: whatever
			// came next on the connection would be cancelled from its beginning.
			c.w.Header()["Connection"] = closing
		}
	}
	c.ctx.cancel(context.Canceled)
}

// failed says what it means that no answer came. A browser that left gets none.
func (c *call) failed(err error) error {
	c.mu.Lock()
	late, slow := c.stage == expired, c.slow
	c.mu.Unlock()
	timeout, isNet := errors.AsType[net.Error](err)
	broken := c.body.failed()
	switch {
	case late && slow: // net/http takes the deadline for a browser that left
		return &Refusal{Status: http.StatusRequestTimeout, Code: CodeRequestTimeout}
	case late:
		return &Refusal{Status: http.StatusGatewayTimeout, Code: CodeUpstreamTimeout, Err: c.from(errTimeout)}
	case c.r.Context().Err() != nil:
		panic(http.ErrAbortHandler)
	case broken == errBodyTooLarge:
		return tooLarge()
	case broken != nil:
		return &Refusal{Status: http.StatusBadRequest, Code: CodeBadRequest, Err: broken}
	case isNet && timeout.Timeout():
		return &Refusal{Status: http.StatusGatewayTimeout, Code: CodeUpstreamTimeout, Err: c.from(err)}
	}
	return badGateway(c.from(err))
}

// from says in an error which route and upstream it came from.
func (c *call) from(err error) error {
	return fmt.Errorf("route %s, upstream %s: %w", c.route.Path, c.url.Host, err)
}
