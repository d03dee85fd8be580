package web

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// Times for the body of a request that no upstream gets. net/http reads what is
// left of it before it sends an answer: a browser that stops half way would hold
// its connection for ever, and every stop of the server (G16, K5).
const (
	bodyTime = 10 * time.Second // from the beginning of the answer's making
	lastBody = time.Second      // once it is made, at least; and once the server stops, at most
)

// mostDiscarded is what net/http reads of a body to keep a connection. Where it
// knows that there is more, it reads nothing.
const mostDiscarded = 256 << 10

// unread knows the requests whose bodies are waited for and go to no upstream.
type unread struct {
	mu       sync.Mutex
	stopping bool                                  // guarded by mu
	bodies   map[*http.ResponseController]struct{} // guarded by mu
}

// expect lets the body of b arrive until then, or for lastBody if the server
// stops.
func (u *unread) expect(b *http.ResponseController, until time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if last := time.Now().Add(lastBody); u.stopping && last.Before(until) {
		until = last
	}
	u.bodies[b] = struct{}{}
	_ = b.SetReadDeadline(until)
}

// release forgets b, before its connection may serve another request.
func (u *unread) release(b *http.ResponseController) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.bodies, b)
}

// stop leaves every body no more than lastBody.
func (u *unread) stop() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.stopping = true
	for b := range u.bodies {
		_ = b.SetReadDeadline(time.Now().Add(lastBody))
	}
}

// Close ends event streams, and lets no request body hold up the end of the server
// that no upstream is getting. Other requests are still served.
func (s *Server) Close() {
	s.streams.close()
	s.unread.stop()
}

// own makes an answer of our own, for which no upstream gets the request's body.
// The error is answer's. Calls to upstreams don't come here: their bodies have the
// proxy's times, and no deadline is left over for them. Nor is one for the
// connection's next request: net/http sets another.
func (s *Server) own(w http.ResponseWriter, r *http.Request, answer func() error) error {
	if r.ContentLength == 0 {
		return answer()
	}
	until := time.Now().Add(bodyTime)
	b := http.NewResponseController(w)
	s.unread.expect(b, until)
	defer s.unread.release(b)
	if err := answer(); err != nil {
		return err // Fail makes the answer
	}
	last := time.Now().Add(lastBody)
	if r.Header["Expect"] != nil || until.Before(last) {
		until = last // who asked before sending has the answer now
	}
	s.unread.expect(b, until)
	if r.ProtoMajor == 1 && r.Header["Expect"] == nil && r.ContentLength < mostDiscarded {
		// net/http would do it after this, when stop no longer reaches it.
		_, _ = io.CopyN(io.Discard, r.Body, mostDiscarded)
	}
	return nil
}
