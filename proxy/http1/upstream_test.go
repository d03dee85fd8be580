package http1_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/proxy/http1"
)

// patience is how long anything may take before it counts as never.
const patience = 10 * time.Second

const (
	okAnswer    = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	emptyAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
)

// upstream is a server without a will of its own: the test reads and writes at
// the other end of each connection.
type upstream struct {
	t        testing.TB
	address  string
	accepted atomic.Int32
	conns    chan *peer
}

func newUpstream(t testing.TB) *upstream {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &upstream{t: t, address: l.Addr().String(), conns: make(chan *peer, 256)}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				close(u.conns)
				return
			}
			u.accepted.Add(1)
			_ = c.SetDeadline(time.Now().Add(patience))
			u.conns <- &peer{TCPConn: c.(*net.TCPConn), in: bufio.NewReader(c), t: t}
		}
	}()
	return u
}

// accept returns the next new connection.
func (u *upstream) accept() *peer {
	u.t.Helper()
	p := wait(u.t, u.conns)
	u.t.Cleanup(func() { _ = p.Close() })
	return p
}

// connections fails the test unless there were so many.
func (u *upstream) connections(want int32) {
	u.t.Helper()
	if got := u.accepted.Load(); got != want {
		u.t.Errorf("got %d connections, want %d", got, want)
	}
}

// peer is the upstream's end of a connection.
type peer struct {
	*net.TCPConn
	in *bufio.Reader
	t  testing.TB
}

// head reads to the end of a request's head, and returns it.
func (p *peer) head() string {
	p.t.Helper()
	var head strings.Builder
	for !strings.HasSuffix(head.String(), "\r\n\r\n") {
		line, err := p.in.ReadString('\n')
		head.WriteString(line)
		if err != nil {
			p.t.Fatalf("upstream got %q and %v, want a head", head.String(), err)
		}
	}
	return head.String()
}

// read fails the test unless want comes next.
func (p *peer) read(want string) {
	p.t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(p.in, got)
	if string(got[:n]) != want {
		p.t.Fatalf("upstream got %q and %v, want %q", got[:n], err, want)
	}
}

func (p *peer) write(answer string) {
	p.t.Helper()
	if _, err := io.WriteString(p.TCPConn, answer); err != nil {
		p.t.Fatal(err)
	}
}

// serve answers one request that has no body.
func (p *peer) serve(answer string) string {
	p.t.Helper()
	head := p.head()
	p.write(answer)
	return head
}

// rest returns what comes until the other side hangs up, in whatever way.
func (p *peer) rest() string {
	p.t.Helper()
	got, err := io.ReadAll(p.in)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Error("the connection stays open")
	}
	return string(got)
}

// gone fails the test unless the other side hangs up without another byte.
func (p *peer) gone() {
	p.t.Helper()
	if got := p.rest(); got != "" {
		p.t.Errorf("upstream got %q, want the end of the connection", got)
	}
}

// newTransport returns a client that must have left no goroutine behind when
// the test is over.
func newTransport(t testing.TB) *http1.Transport {
	t.Helper()
	tr := &http1.Transport{
		Dial: new(net.Dialer).DialContext, MaxIdle: 64, IdleTimeout: time.Hour,
		ContinueTimeout: time.Hour, MaxHeader: 64 << 10,
	}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		if !t.Failed() {
			expectNoGoroutine(t)
		}
	})
	return tr
}

// expectNoGoroutine waits until nothing of package http1 runs any more.
func expectNoGoroutine(t testing.TB) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	for end := time.Now().Add(patience); ; runtime.Gosched() {
		all := string(stacks[:runtime.Stack(stacks, true)])
		if !strings.Contains(all, "/proxy/http1.(") {
			return
		}
		if time.Now().After(end) {
			t.Errorf("goroutines are left:\n%s", all)
			return
		}
	}
}

// request returns a request to u. A body has its length if it is a string, and
// none if it is an io.Reader.
func (u *upstream) request(method, target string, body any) *http.Request {
	u.t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case string:
		in = strings.NewReader(b)
	case io.Reader:
		in = b
	}
	r, err := http.NewRequestWithContext(context.Background(), method, "http://"+u.address+target, in)
	if err != nil {
		u.t.Fatal(err)
	}
	return r
}

// result is how an exchange ended.
type result struct {
	res  *http.Response
	body string
	err  error // of RoundTrip
	cut  error // of reading the body
}

// start makes the exchange and reads the answer to its end.
func start(tr http.RoundTripper, r *http.Request) <-chan result {
	done := make(chan result, 1)
	go func() { done <- exchange(tr, r) }()
	return done
}

func exchange(tr http.RoundTripper, r *http.Request) result {
	res, err := tr.RoundTrip(r)
	if err != nil {
		return result{err: err}
	}
	body, cut := io.ReadAll(res.Body)
	_ = res.Body.Close()
	return result{res: res, body: string(body), cut: cut}
}

// wait returns what comes through c.
func wait[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing happens")
		panic("unreachable")
	}
}

// expect waits for an exchange to end well.
func expect(t testing.TB, done <-chan result, status int, body string) {
	t.Helper()
	got := wait(t, done)
	switch {
	case got.err != nil || got.cut != nil:
		t.Fatalf("got errors %v, %v, want %d %q", got.err, got.cut, status, body)
	case got.res.StatusCode != status || got.body != body:
		t.Fatalf("got %d %q, want %d %q", got.res.StatusCode, got.body, status, body)
	}
}

// source is a request's body that says when it is closed.
type source struct {
	io.Reader
	reads  atomic.Int32
	closed chan struct{}
	shut   atomic.Bool
}

func newSource(r io.Reader) *source { return &source{Reader: r, closed: make(chan struct{})} }

func (s *source) Read(p []byte) (int, error) {
	s.reads.Add(1)
	return s.Reader.Read(p)
}

// Close may be called again, as io.Closer's implementations for bodies may.
func (s *source) Close() error {
	if s.shut.CompareAndSwap(false, true) {
		if c, ok := s.Reader.(io.Closer); ok {
			_ = c.Close()
		}
		close(s.closed)
	}
	return nil
}
