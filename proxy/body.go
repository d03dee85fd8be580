package proxy

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

var (
	errBodyTooLarge = errors.New("the request body is too large")
	errBodyClosed   = errors.New("the request body is closed")
)

// body is a request's body on its way upstream: limited, and kept while it may
// have to be sent again. The transport may go on reading after it has returned
// an answer, so every attempt reads through an attempt of its own, which
// detach cuts off.
type body struct {
	src   io.ReadCloser // the server's
	limit int64         // negative: none
	keep  bool          // whether what was read is kept
	call  *call

	reading atomic.Bool // a read from the browser is under way
	ended   atomic.Bool // err is set

	mu   sync.Mutex
	read int64  // bytes taken from src
	kept []byte // all of them, if keep
	err  error  // of src; io.EOF at its end
}

// failed returns why the browser's side of the body failed, or nil.
func (b *body) failed() error {
	if b == nil || b.reading.Load() {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == io.EOF {
		return nil
	}
	return b.err
}

// unfinished reports whether there is a body of which the browser has more.
func (b *body) unfinished() bool { return b.src != nil && !b.ended.Load() }

// settle waits until nothing reads from the browser. Its attempts are closed, and so
// is its time to send.
func (b *body) settle() {
	b.mu.Lock()
	defer b.mu.Unlock()
}

// attempt is the body as one attempt reads it.
type attempt struct {
	body   *body
	off    int
	closed atomic.Bool
}

// Close does not close the server's body: that would wait for the browser, and
// end what the next attempt needs.
func (a *attempt) Close() error {
	a.closed.Store(true)
	return nil
}

func (a *attempt) Read(p []byte) (int, error) {
	b := a.body
	b.mu.Lock()
	defer b.mu.Unlock()
	if a.closed.Load() {
		return 0, errBodyClosed
	}
	if a.off < len(b.kept) {
		n := copy(p, b.kept[a.off:])
		a.off += n
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.fill(p)
	if b.keep {
		b.kept = append(b.kept, p[:n]...)
		a.off += n
	}
	return n, err
}

// fill reads from the browser.
func (b *body) fill(p []byte) (int, error) {
	b.reading.Store(true)
	n, err := b.src.Read(p)
	b.reading.Store(false)
	b.call.progress()
	b.read += int64(n)
	if b.limit >= 0 && b.read > b.limit {
		n, err = 0, errBodyTooLarge
	}
	b.err = err
	b.ended.Store(err != nil)
	return n, err
}
