package http1_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cloakroom/cloakroom/proxy/http1"
)

// kept returns a connection that has carried an exchange.
func kept(t *testing.T, u *upstream, tr http.RoundTripper) *peer {
	t.Helper()
	done := start(tr, u.request("GET", "/", nil))
	p := u.accept()
	p.serve(okAnswer)
	expect(t, done, 200, "ok")
	return p
}

// A connection that the upstream has closed while nobody used it costs nobody a
// request, not even one that must not be sent twice.
func TestClosedWhileIdle(t *testing.T) {
	for _, tt := range []struct{ method, body string }{
		{"GET", ""}, {"POST", "hello"}, {"POST", ""}, {"DELETE", ""}, {"PUT", "hello"},
	} {
		for name, hangUp := range map[string]func(*peer){
			"closed":      func(p *peer) { _ = p.Close() },
			"half closed": func(p *peer) { _ = p.CloseWrite() },
			"reset":       func(p *peer) { _ = p.SetLinger(0); _ = p.Close() },
		} {
			t.Run(tt.method+" "+name, func(t *testing.T) {
				u, tr := newUpstream(t), newTransport(t)
				hangUp(kept(t, u, tr))
				done := start(tr, u.request(tt.method, "/second", body(tt.body)))
				p := u.accept()
				p.head()
				p.read(tt.body)
				p.write(okAnswer)
				expect(t, done, 200, "ok")
				u.connections(2)
			})
		}
	}
}

// One that closes when the request is under way may have read it: it is sent once
// more if it only reads, over a connection that can't have the same fate, and
// never again.
func TestClosedUnderWay(t *testing.T) {
	tests := []struct {
		name, method, body string
		said               string // before it closed
		repeated           bool
	}{
		{"GET", "GET", "", "", true},
		{"HEAD", "HEAD", "", "", true},
		{"OPTIONS", "OPTIONS", "", "", true},
		{"POST", "POST", "hello", "", false},
		{"POST without a body", "POST", "", "", false},
		{"PUT", "PUT", "hello", "", false},
		{"PUT without a body", "PUT", "", "", false},
		{"PATCH", "PATCH", "hello", "", false},
		{"DELETE", "DELETE", "", "", false},
		{"another method", "REPORT", "", "", false},
		{"GET with a body", "GET", "hello", "", false},
		{"a byte of an answer", "GET", "", "H", false},
		{"an informational answer", "GET", "", "HTTP/1.1 103 Early Hints\r\n\r\n", false},
		{"half an answer", "GET", "", "HTTP/1.1 200 OK\r\n", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, tr := newUpstream(t), newTransport(t)
			p := kept(t, u, tr)
			done := start(tr, u.request(tt.method, "/second", body(tt.body)))
			p.head()
			p.read(tt.body)
			if tt.said != "" {
				p.write(tt.said)
			}
			_ = p.Close()
			if tt.repeated {
				u.accept().serve("HTTP/1.1 204 No Content\r\n\r\n")
				expect(t, done, 204, "")
				u.connections(2)
				return
			}
			if got := wait(t, done); got.err == nil {
				t.Errorf("got %d, want an error", got.res.StatusCode)
			}
			u.connections(1)
		})
	}
}

// However many connections are kept, a request that each of them dies of is sent
// twice at most.
func TestRepeatedOnce(t *testing.T) {
	u, tr := newUpstream(t), newTransport(t)
	const users = 4
	var peers []*peer
	var done []<-chan result
	for range users {
		done = append(done, start(tr, u.request("GET", "/", nil)))
		peers = append(peers, u.accept())
	}
	for i, p := range peers {
		p.serve(okAnswer)
		expect(t, done[i], 200, "ok")
	}
	deadly := start(tr, u.request("GET", "/deadly", nil))
	var sent atomic.Int32
	for _, p := range peers {
		go func() {
			if head, err := p.in.ReadString('\n'); err == nil && strings.HasPrefix(head, "GET /deadly ") {
				sent.Add(1)
			}
			_ = p.SetLinger(0)
			_ = p.Close()
		}()
	}
	go func() {
		for p := range u.conns {
			if _, err := p.in.ReadString('\n'); err == nil {
				sent.Add(1)
			}
			_ = p.Close()
		}
	}()
	if got := wait(t, deadly); got.err == nil {
		t.Error("it was answered")
	}
	if n := sent.Load(); n != 2 {
		t.Errorf("it was sent %d times, want 2", n)
	}
}

// A new connection that fails is the upstream's answer.
func TestClosedWhenNew(t *testing.T) {
	u, tr := newUpstream(t), newTransport(t)
	done := start(tr, u.request("GET", "/", nil))
	p := u.accept()
	p.head()
	_ = p.Close()
	if got := wait(t, done); got.err == nil {
		t.Error("it was answered")
	}
	u.connections(1)
}

// Nothing is repeated for somebody who has left.
func TestClosedAfterCancel(t *testing.T) {
	u, tr := newUpstream(t), newTransport(t)
	p := kept(t, u, tr)
	ctx, cancel := context.WithCancelCause(t.Context())
	left := errors.New("left")
	done := start(tr, u.request("GET", "/second", nil).WithContext(ctx))
	p.head()
	cancel(left)
	if got := wait(t, done); !errors.Is(got.err, left) {
		t.Errorf("got %v, want %v", got.err, left)
	}
	p.gone()
	u.connections(1)
}

// A write that fails at once has sent nothing, so that even a POST goes over
// another connection.
func TestNothingSent(t *testing.T) {
	u, tr := newUpstream(t), newTransport(t)
	dialled := lastDialled(tr)
	p := kept(t, u, tr)
	_ = dialled.Load().CloseWrite()
	done := start(tr, u.request("POST", "/second", nil))
	u.accept().serve(okAnswer)
	expect(t, done, 200, "ok")
	p.gone()
	u.connections(2)
}

// lastDialled has the connection that tr has dialled last. Its CloseWrite is what
// makes all of tr's writes to it fail.
func lastDialled(tr *http1.Transport) *atomic.Pointer[net.TCPConn] {
	last := new(atomic.Pointer[net.TCPConn])
	tr.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			last.Store(c.(*net.TCPConn))
		}
		return c, err
	}
	return last
}

// A connection of which the system can't say whether it is silent is used once.
func TestUnknownSilence(t *testing.T) {
	var dialled atomic.Int32
	tr := &http1.Transport{MaxIdle: 9, IdleTimeout: patience, MaxHeader: 1 << 10}
	dial := pipe(func(c net.Conn) {
		buf := make([]byte, 1<<10)
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
			if _, err := io.WriteString(c, okAnswer); err != nil {
				return
			}
		}
	})
	tr.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled.Add(1)
		return dial(ctx, network, address)
	}
	for range 3 {
		r, _ := http.NewRequest("GET", "http://upstream/", nil)
		if got := exchange(tr, r); got.err != nil || got.body != "ok" {
			t.Fatalf("got %+v", got)
		}
	}
	if n := dialled.Load(); n != 3 {
		t.Errorf("got %d connections, want 3", n)
	}
}
