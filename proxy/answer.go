package proxy

import (
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/cloakroom/cloakroom/session"
)

// Bodies are passed on in pieces of bufferSize, or of largeSize if they are known to
// be longer: fewer of those are fewer system calls, but a stream holds its buffer for
// as long as it lasts.
const (
	bufferSize = 32 << 10
	largeSize  = 128 << 10
)

var (
	buffers      = sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}
	largeBuffers = sync.Pool{New: func() any { b := make([]byte, largeSize); return &b }}
)

// answer passes res on, unless the session ended while it was waited for. An
// answer that can't be completed panics with http.ErrAbortHandler: net/http then
// breaks the connection (HTTP/1) or resets the stream (HTTP/2), so that no browser
// takes a part for the whole.
func (c *call) answer(res *http.Response) error {
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode < http.StatusOK {
		return badGateway(errUnasked)
	}
	stream := isEventStream(res)
	if c.session != nil && c.session.Over(res.ContentLength != unknown && !stream) {
		return session.ErrNotFound
	}
	if stream && !c.upgrade { // a handshake holds a stream already
		over, release, err := c.openStream()
		if err != nil {
			return err
		}
		defer release()
		go c.watch(over, c.route.proxy.closing)
	} else {
		c.finite = res.ContentLength != unknown
		c.watchLater()
	}
	h := c.w.Header()
	c.route.responseHeader(h, res, &c.url)
	announceTrailers(h, res.Trailer)
	if c.r.ProtoMajor == 1 && c.body.unfinished() {
		// Else net/http reads the rest of the body before it writes, beside the upload.
		// As it doesn't, it must not take for a request what it hasn't read of this one.
		_ = http.NewResponseController(c.w).EnableFullDuplex()
		h["Connection"] = closing
	}
	c.w.WriteHeader(res.StatusCode)
	left := res.ContentLength
	if stream {
		left = unknown
	}
	err := c.copy(res.Body, left)
	switch {
	case err == nil:
		_ = res.Body.Close()                    // fills in the trailers
		copyTrailers(c.w.Header(), res.Trailer) // another answer may have taken this one's place
	case stream && c.ctx.Err() == errOver:
		// An event stream has no end that it could miss.
	default:
		if c.r.Context().Err() == nil && c.ctx.Err() != errOver {
			c.route.proxy.opts.Log.Warn("an answer broke off", "route", c.route.Path, "error", err)
		}
		panic(http.ErrAbortHandler)
	}
	return nil
}

// openStream counts the call among the streams of its session. The channel is
// nil if it has none.
func (c *call) openStream() (over <-chan struct{}, release func(), err error) {
	if c.session == nil {
		return nil, func() {}, nil
	}
	return c.session.Stream()
}

// unknown is the length of a body that ends when it ends.
const unknown = -1

// copy passes the body on as it comes: of left bytes, or unknown. Nothing waits
// for the next piece; where the length is unknown, nor does the header for the
// first.
func (c *call) copy(src io.Reader, left int64) error {
	control := http.NewResponseController(c.w)
	if left == unknown {
		if err := control.Flush(); err != nil {
			return err
		}
	}
	pool := &buffers
	if left > bufferSize {
		pool = &largeBuffers
	}
	buf := pool.Get().(*[]byte)
	defer pool.Put(buf)
	for {
		n, err := src.Read(*buf)
		if n > 0 {
			if _, err := c.w.Write((*buf)[:n]); err != nil {
				return err
			}
			if left != unknown {
				left = max(left-int64(n), 0)
			}
			if left != 0 {
				if err := control.Flush(); err != nil {
					return err
				}
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func isEventStream(res *http.Response) bool {
	kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	return strings.EqualFold(strings.Trim(kind, " \t"), "text/event-stream")
}
