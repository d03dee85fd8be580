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

// A body goes in pieces of pieceSize, or of largeSize if it is known to be longer.
const (
	pieceSize = 32 << 10
	largeSize = 128 << 10
)

// headLag is how long a head waits for the first piece of its body, so that one
// write sends both. It goes alone then: the upstream may answer it as it is, and the
// browser may send nothing before that.
const headLag = time.Millisecond

var (
	pieces      = sync.Pool{New: func() any { b := make([]byte, pieceSize); return &b }}
	largePieces = sync.Pool{New: func() any { b := make([]byte, largeSize); return &b }}
)

var writers = sync.Pool{New: func() any { return bufio.NewWriter(nil) }}

// upload sends a request that has a body, on a goroutine of its own: the upstream
// may answer before it has all of it.
type upload struct {
	conn *conn
	req  *http.Request
	out  *bufio.Writer // the head is in it

	lead  sync.Once     // sends the head, alone or with the first piece of the body
	leave chan bool     // whether the upstream wants the body; nil: it isn't asked
	given bool          // leave was given, or refused
	gone  chan struct{} // closed when the exchange is over
	done  chan struct{} // closed when the upload is
	err   error         // nil: all of it was sent; good once done is closed
}

func newUpload(c *conn, req *http.Request, head []byte) *upload {
	u := &upload{conn: c, req: req, gone: make(chan struct{}), done: make(chan struct{})}
	if req.Header["Expect"] != nil {
		u.leave = make(chan bool, 1)
	}
	u.out = writers.Get().(*bufio.Writer)
	u.out.Reset(c)
	_, _ = u.out.Write(head) // an error stays until Flush
	return u
}

// run sends the head and the body.
func (u *upload) run(wait time.Duration) {
	u.err = u.send(wait)
	_ = u.req.Body.Close()
	u.out.Reset(nil)
	writers.Put(u.out)
	close(u.done)
	if u.broken() != nil {
		// The upstream must not wait for what doesn't come. If it is the connection
		// that failed, on the other hand, its answer may be there already.
		u.conn.cut()
	}
}

// broken returns the error of the body that has ended the upload, or nil.
func (u *upload) broken() error {
	select {
	case <-u.done:
		if e, ok := errors.AsType[*bodyError](u.err); ok {
			return e.error
		}
	default:
	}
	return nil
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
		return u.err == nil
	case <-lag.C:
		return false
	}
}

// decide tells the upload whether the upstream wants the body, the first time.
func (u *upload) decide(wanted bool) {
	if u.leave != nil && !u.given {
		u.given = true
		u.leave <- wanted
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
	alone := time.AfterFunc(headLag, func() {
		u.lead.Do(func() { _ = u.out.Flush() }) // an error stays
	})
	defer alone.Stop()
	if length := bodyLength(u.req); length != unknown {
		return u.copy(u.out, length)
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

// awaitLeave waits until the upstream wants the body, or says nothing for so long.
// It reports false if the upstream answered without.
func (u *upload) awaitLeave(wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case wanted := <-u.leave:
		return wanted
	case <-timer.C:
		return true
	case <-u.gone:
		return false
	}
}

// copy passes the body on as it comes, to its end or to that of its length: what is
// beyond that would be another request to the upstream.
func (u *upload) copy(to io.Writer, length int64) error {
	pool := &pieces
	if length > pieceSize {
		pool = &largePieces
	}
	buf := pool.Get().(*[]byte)
	defer pool.Put(buf)
	for length != 0 {
		p := *buf
		if length != unknown {
			p = p[:min(length, int64(len(p)))]
		}
		n, err := u.req.Body.Read(p)
		u.lead.Do(func() {}) // from now on the head goes with what is sent here
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
