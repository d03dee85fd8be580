// Package http1 is the HTTP/1.1 client for upstreams without TLS: an
// [http.RoundTripper] that does on the caller's goroutine what net/http's
// Transport does on two more for each connection. A call without a body is one
// write and one wait; nothing is handed from one goroutine to another, which is
// a third of what a proxied call cost with Transport (bench/results).
//
// # What it takes from net/http, and what not
//
// Answers are parsed by [http.ReadResponse], but for the plainest, of which the same
// is made at half the cost; chunks in both directions are net/http's: what is read as
// an answer, and where it ends, is the same as with Transport. Ours are the
// connections, the times, and writing the request's head. There is no proxy from the environment, no compression, no redirect, no
// cookie and no HTTP/2: upstreams with TLS keep Transport, which speaks it, and
// whose cost is small beside that of encryption.
//
// # Connections
//
// A connection carries one exchange at a time, and only a flawless one leaves it
// for the next: the answer read to its end, nothing behind it, the request's body
// sent, nobody cancelled. Before it carries another it must be silent: an answer
// that nobody asked for would be taken for that of the next user's request
// (response queue poisoning), and one that the upstream has closed would lose the
// request. An answer that nobody asked for and that comes once the next request is
// written can't be told from its own: HTTP/1.1 has no way.
//
// # Repetition
//
// A request is sent a second time only over a connection that was used before,
// on which no byte of an answer came, and only if that can do no harm: nothing of
// it was sent, or it is a GET, HEAD or OPTIONS without a body (RFC 9110 section
// 9.2.2 would allow more). The second time is over a new connection, and the last.
package http1

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// Transport is an HTTP/1.1 client. Its fields are set before it is used; it is
// then safe for concurrent use.
type Transport struct {
	// Dial connects to an address. Required.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	MaxIdle     int           // unused connections kept for each upstream; 0: none
	IdleTimeout time.Duration // how long they are kept. Required.

	// ContinueTimeout is how long a request with Expect: 100-continue waits for
	// leave to send its body. Then it is sent without (RFC 9110 section 10.1.1).
	ContinueTimeout time.Duration

	MaxHeader int64 // bytes of an answer's head, informational ones included. Required.

	upstreams sync.Map // address: *pool
}

// The errors of RoundTrip that are not the network's.
var (
	ErrRequest = errors.New("http1: the request can't be sent as it is")
	ErrHeader  = errors.New("http1: the answer's head is too large")
	ErrInforms = errors.New("http1: too many informational answers")
	ErrStatus  = errors.New("http1: the answer's status is below 100")
	ErrSwitch  = errors.New("http1: 101 Switching Protocols for a request with a body")
)

// RoundTrip implements http.RoundTripper for absolute http URLs. The request's
// Host, if there is one, goes before that of its URL, and of its Header nothing is
// left out but Host, Content-Length, Transfer-Encoding and Trailer, which follow
// from the rest. An error is one of those above, the network's, the body's, or that
// of the context.
//
// The body is read on another goroutine, which may go on for a while after
// RoundTrip has returned, until the answer's body is closed or read to its end. As
// with net/http, a ContentLength of 0 beside a Body means that it is unknown.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	buf := heads.Get().(*[]byte)
	defer heads.Put(buf)
	head, err := appendHead((*buf)[:0], req)
	*buf = head[:0]
	if err != nil {
		closeBody(req)
		return nil, err
	}
	ctx, p := req.Context(), t.pool(req.URL)
	for again := false; ; again = true {
		c, err := p.take(ctx, again)
		if err == nil {
			x := &exchange{t: t, pool: p, conn: c, req: req}
			var res *http.Response
			if res, err = x.do(head); err == nil {
				return res, nil
			}
			if ctx.Err() == nil && c.used && x.repeatable() {
				continue
			}
		}
		closeBody(req)
		return nil, because(ctx, err)
	}
}

// because returns why ctx was cancelled, if it was: err then only follows from that.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// CloseIdleConnections closes what is not in use.
func (t *Transport) CloseIdleConnections() {
	t.upstreams.Range(func(_, p any) bool {
		p.(*pool).clear()
		return true
	})
}

// heads are where requests' heads are put together.
var heads = sync.Pool{New: func() any { return new([]byte) }}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
