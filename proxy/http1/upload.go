package http1

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"
)

const pieceSize = 32 << 10

var pieces = sync.Pool{New: func() any { return new([pieceSize]byte) }}

var writers = sync.Pool{New: func() any { return bufio.NewWriter(nil) }}

// upload sends a request that has a body, on a goroutine of its own: the upstream
// may answer before it has all of it.
type upload struct {
	conn *conn
	req  *http.Request
	out  *bufio.Writer // the head is in it

	leave chan struct{} // closed when the upstream wants the body; nil: it isn't asked
	given bool          // leave is closed
	gone  chan struct{} // closed when the exchange is over
	done  chan struct{} // closed when the upload is
	whole bool          // all of it was sent; good once done is closed
}

func newUpload(c *conn, req *http.Request, head []byte) *upload {
	u := &upload{conn: c, req: req, gone: make(chan struct{}), done: make(chan struct{})}
	if req.Header["Expect"] != nil {
		u.leave = make(chan struct{})
	}
	u.out = writers.Get().(*bufio.Writer)
	u.out.Reset(c)
	_, _ = u.out.Write(head) // an error stays until Flush
	return u
}

// run sends the head and the body.
func (u *upload) run(wait time.Duration) {
	defer close(u.done)
	err := u.send(wait)
	_ = u.req.Body.Close()
	u.out.Reset(nil)
	writers.Put(u.out)
	u.whole = err == nil
	if _, ok := errors.AsType[*bodyError](err); ok {
		// The upstream must not wait for what doesn't come. If it is the connection
		// that failed, on the other hand, its answer may be there already.
		u.conn.cut()
	}
}

// ended reports whether the upload is complete now that the exchange is over. wait
// allows for its last moment.
func (u *upload) ended(wait bool) bool {
	close(u.gone)
	if !wait {
		return false
	}
	lag := time.NewTimer(uploadLag)
	defer lag.Stop()
	select {
	case <-u.done:
		return u.whole
	case <-lag.C:
		return false
	}
}

// permit tells the upload that the upstream wants the body.
func (u *upload) permit() {
	if u.leave != nil && !u.given {
		u.given = true
		close(u.leave)
	}
}

// bodyError is an error of the request's body, not of the connection.
type bodyError struct{ error }

func (e *bodyError) Unwrap() error { return e.error }

func (u *upload) send(wait time.Duration) error {
	if u.leave != nil {
		if err := u.out.Flush(); err != nil {
			return err
		}
		if !u.awaitLeave(wait) {
			return errNoLeave
		}
	}
	if u.req.ContentLength >= 0 {
		return u.copy(u.out, u.req.ContentLength)
	}
	chunks := httputil.NewChunkedWriter(u.out)
	if err := u.copy(chunks, unknown); err != nil {
		return err
	}
	_ = chunks.Close()
	_, _ = u.out.WriteString("\r\n") // there are no trailers
	return u.out.Flush()
}

// errNoLeave means that the upstream has answered without the body.
var errNoLeave = errors.New("http1: the body was not wanted")

// unknown is the length of a body that ends when it ends.
const unknown = -1

// awaitLeave waits until the upstream wants the body, or says nothing for so long.
// It reports false if the exchange ended without.
func (u *upload) awaitLeave(wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-u.leave:
	case <-timer.C:
	case <-u.gone:
		return false
	}
	return true
}

// copy passes the body on as it comes, to its end or to that of its length: what is
// beyond that would be another request to the upstream.
func (u *upload) copy(to io.Writer, length int64) error {
	buf := pieces.Get().(*[pieceSize]byte)
	defer pieces.Put(buf)
	for length != 0 {
		p := buf[:]
		if length != unknown {
			p = p[:min(length, pieceSize)]
		}
		n, err := u.req.Body.Read(p)
		if length != unknown {
			length -= int64(n)
		}
		if n > 0 {
			_, _ = to.Write(p[:n]) // an error stays until Flush
			if err := u.out.Flush(); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF && length <= 0:
			return nil
		case err == io.EOF:
			return &bodyError{io.ErrUnexpectedEOF}
		case err != nil:
			return &bodyError{err}
		}
	}
	return u.out.Flush()
}
