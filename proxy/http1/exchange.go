package http1

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"time"
)

// mostInforms bounds the informational answers before the one that counts.
const mostInforms = 10

// uploadLag is how long an upload may take to end after the answer did before it
// costs the connection. It usually ended long before; but who wrote the last byte
// may not have got to say so.
const uploadLag = 50 * time.Millisecond

// exchange is one request and its answer on a connection. Once the answer's head is
// there it is the answer's body, for one goroutine at a time.
type exchange struct {
	t    *Transport
	pool *pool
	conn *conn
	req  *http.Request

	stop   func() bool // of what watches the context
	upload *upload     // nil: the request has no body
	sent   bool        // something of a request without one was written

	body  io.Reader // of the answer, as it is parsed; nil: there is none
	fixed fixed     // that, if quick has read the head
	close bool      // the connection ends with the answer
	over  bool      // the connection is not this exchange's any more
}

// do sends the request and returns when the answer's head is there. The connection
// is closed if it returns an error.
func (x *exchange) do(head []byte) (*http.Response, error) {
	x.stop = afterFunc(x.req.Context(), x.conn.abort)
	x.conn.begin(x.t.MaxHeader)
	err := x.send(head)
	if err == nil {
		var res *http.Response
		if res, err = x.receive(); err == nil {
			return res, nil
		}
	}
	x.end(false)
	if x.upload != nil {
		err = cmp.Or(x.upload.broken(), err)
	}
	return nil, err
}

// afterFunc is context.AfterFunc, which makes a context of its own on the way even
// if ctx can do it itself.
func afterFunc(ctx context.Context, f func()) (stop func() bool) {
	if direct, ok := ctx.(interface{ AfterFunc(func()) func() bool }); ok {
		return direct.AfterFunc(f)
	}
	return context.AfterFunc(ctx, f)
}

func (x *exchange) send(head []byte) error {
	if bodyLength(x.req) == 0 {
		n, err := x.conn.Write(head)
		x.sent = n > 0
		return err
	}
	x.upload = newUpload(x.conn, x.req, head)
	go x.upload.run(x.t.ContinueTimeout)
	return nil
}

// repeatable reports whether the request, which had no answer, may be sent again.
func (x *exchange) repeatable() bool {
	if x.upload != nil || x.conn.got {
		return false
	}
	switch x.req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	return !x.sent
}

// receive returns the answer, past the informational ones.
func (x *exchange) receive() (*http.Response, error) {
	for range mostInforms + 1 {
		if res := x.quick(); res != nil {
			x.answered(res)
			return res, nil
		}
		res, err := http.ReadResponse(x.conn.in, x.req)
		switch {
		case err != nil && x.conn.room <= 0:
			return nil, ErrHeader
		case err != nil && x.conn.broke == io.EOF:
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, cmp.Or(x.conn.broke, err) // it was cut off before it was malformed
		case res.StatusCode < http.StatusContinue: // its body would be taken for the next answer
			return nil, ErrStatus
		case res.StatusCode == http.StatusSwitchingProtocols && x.upload != nil:
			return nil, ErrSwitch // two would write
		case res.StatusCode == http.StatusSwitchingProtocols:
			x.conn.unbound()
			res.Body = switched{x}
			return res, nil
		case res.StatusCode >= http.StatusOK:
			x.answered(res)
			return res, nil
		case res.StatusCode == http.StatusContinue && x.upload != nil:
			x.upload.decide(true)
		}
	}
	return nil, ErrInforms
}

// answered makes x the body of res, unless there is none.
func (x *exchange) answered(res *http.Response) {
	x.conn.unbound()
	if x.upload != nil {
		x.upload.decide(false)
	}
	// What net/http takes off an HTTP/1.0 answer with a coding must not be trusted
	// to say where it ends (RFC 9112 section 6.1).
	x.close = res.Close || res.ProtoMajor != 1 || res.ProtoMinor == 0
	if res.Body == http.NoBody {
		x.end(!x.close)
		return
	}
	if x.body == nil { // else quick has read the head
		x.body, res.Body = res.Body, x
	}
}

// Read implements io.Reader. At the end of the answer the connection is free.
func (x *exchange) Read(p []byte) (int, error) {
	n, err := x.body.Read(p)
	if err != nil {
		x.end(err == io.EOF && !x.close)
		if err != io.EOF {
			err = because(x.req.Context(), err)
		}
	}
	return n, err
}

// Close gives up what was not read of the answer, and the connection with it.
func (x *exchange) Close() error {
	x.end(false)
	return nil
}

// end gives the connection back to its pool if the exchange was flawless, and closes
// it otherwise.
func (x *exchange) end(flawless bool) {
	if x.over {
		return
	}
	x.over = true
	if x.upload != nil {
		flawless = x.upload.ended(flawless) && flawless
	}
	if !x.stop() { // the cut may come at any moment
		flawless = false
	}
	if !flawless || x.conn.in.Buffered() > 0 {
		_ = x.conn.Close()
		return
	}
	x.pool.put(x.conn)
}

// switched is the connection after 101 Switching Protocols. Close ends what reads
// and writes at the time.
type switched struct{ x *exchange }

func (s switched) Read(p []byte) (int, error)  { return s.x.conn.in.Read(p) }
func (s switched) Write(p []byte) (int, error) { return s.x.conn.Write(p) }

// Close implements io.Closer.
func (s switched) Close() error {
	s.x.stop()
	return s.x.conn.Close()
}

// CloseWrite says that nothing more will be written.
func (s switched) CloseWrite() error {
	if half, ok := s.x.conn.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return http.ErrNotSupported
}
