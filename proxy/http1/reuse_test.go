package http1_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A flawless exchange leaves its connection for the next, whoever's that is.
func TestReuse(t *testing.T) {
	u, tr := newUpstream(t), newTransport(t)
	var p *peer
	for _, tt := range []struct {
		method, body, answer string
		status               int
		want                 string
	}{
		{"GET", "", okAnswer, 200, "ok"},
		{"HEAD", "", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 200, ""},
		{"GET", "", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, "ok"},
		{"GET", "", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n", 200, ""},
		{"POST", "hello", okAnswer, 200, "ok"},
		{"POST", "hello", emptyAnswer, 200, ""},
		{"GET", "", "HTTP/1.1 204 No Content\r\n\r\n", 204, ""},
		{"GET", "", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", 304, ""},
		{"GET", "", "HTTP/1.1 103 Early Hints\r\n\r\n" + okAnswer, 200, "ok"},
		{"DELETE", "", okAnswer, 200, "ok"},
	} {
		done := start(tr, u.request(tt.method, "/", body(tt.body)))
		if p == nil {
			p = u.accept()
		}
		p.head()
		p.read(tt.body)
		p.write(tt.answer)
		expect(t, done, tt.status, tt.want)
	}
	u.connections(1)
}

func body(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// What an upstream sends that belongs to no request is nobody's answer: it ends
// with its connection (G9).
func TestNoReuse(t *testing.T) {
	const poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
	tests := []struct {
		name, method, answer string
		status               int
		want                 string
	}{
		{"two answers", "GET", okAnswer + poison, 200, "ok"},
		{"two answers without bodies", "GET", emptyAnswer + poison, 200, ""},
		{"bytes behind the body", "GET", okAnswer + "x", 200, "ok"},
		{"a line behind the body", "GET", okAnswer + "\r\n", 200, "ok"},
		{"bytes behind chunks", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + poison, 200, "ok"},
		{"bytes behind trailers", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n" + poison, 200, ""},
		{"HEAD with a body", "HEAD", okAnswer, 200, ""},
		{"HEAD with chunks", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, ""},
		{"204 with a body", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", 204, ""},
		{"204 with chunks", "GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 204, ""},
		{"304 with a body", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nok", 304, ""},
		{"two final answers after 100", "GET", "HTTP/1.1 100 Continue\r\n\r\n" + okAnswer + poison, 200, "ok"},
		{"Connection: close", "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 200, "ok"},
		{"in a list", "GET", "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n", 200, ""},
		{"HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok"},
		// Its coding is none that net/http would let us see (RFC 9112 section 6.1).
		{"HTTP/1.0 kept alive", "GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nok", 200, "ok"},
		{"another HTTP", "GET", "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, tr := newUpstream(t), newTransport(t)
			first := start(tr, u.request(tt.method, "/first", nil))
			p := u.accept()
			p.serve(tt.answer)
			expect(t, first, tt.status, tt.want)
			p.gone()
			second := start(tr, u.request("GET", "/second", nil))
			u.accept().serve(okAnswer)
			expect(t, second, 200, "ok")
		})
	}
}

// The same holds for what comes while nobody uses the connection, and nothing is sent
// to who hung up meanwhile.
func TestUnaskedAnswer(t *testing.T) {
	for name, unasked := range map[string]string{
		"an answer": okAnswer, "a byte": "x", "408": "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", "100": "HTTP/1.1 100 Continue\r\n\r\n", "the end": "",
	} {
		for _, second := range []string{"", "hello"} {
			t.Run(name+", then "+second, func(t *testing.T) {
				u, tr := newUpstream(t), newTransport(t)
				first := start(tr, u.request("HEAD", "/first", nil))
				p := u.accept()
				p.serve("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
				expect(t, first, 200, "")
				if p.write(unasked); unasked == "" {
					_ = p.CloseWrite()
				}
				done := start(tr, u.request("POST", "/second", body(second)))
				fresh := u.accept()
				fresh.head()
				fresh.read(second)
				fresh.write(okAnswer)
				expect(t, done, 200, "ok")
				p.gone()
			})
		}
	}
}

// An exchange that was given up leaves nothing behind for the next.
func TestGivenUp(t *testing.T) {
	tests := []struct {
		name   string
		answer string
		end    func(t *testing.T, res *http.Response, cancel context.CancelFunc)
	}{
		{"body not read", okAnswer, func(_ *testing.T, res *http.Response, _ context.CancelFunc) {}},
		{"body read in part", okAnswer, func(t *testing.T, res *http.Response, _ context.CancelFunc) {
			if _, err := io.ReadFull(res.Body, make([]byte, 1)); err != nil {
				t.Error(err)
			}
		}},
		{"last chunk not read", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", func(t *testing.T, res *http.Response, _ context.CancelFunc) {
			if _, err := io.ReadFull(res.Body, make([]byte, 2)); err != nil {
				t.Error(err)
			}
		}},
		{"cancelled", okAnswer, func(_ *testing.T, _ *http.Response, cancel context.CancelFunc) { cancel() }},
		{"cancelled, but read", okAnswer, func(t *testing.T, res *http.Response, cancel context.CancelFunc) {
			cancel()
			_, _ = io.ReadAll(res.Body)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, tr := newUpstream(t), newTransport(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			began := make(chan *http.Response, 1)
			go func() {
				res, err := tr.RoundTrip(u.request("GET", "/first", nil).WithContext(ctx))
				if err != nil {
					t.Error(err)
				}
				began <- res
			}()
			p := u.accept()
			p.serve(tt.answer)
			res := wait(t, began)
			tt.end(t, res, cancel)
			_ = res.Body.Close()
			p.gone()
			second := start(tr, u.request("GET", "/second", nil))
			u.accept().serve(okAnswer)
			expect(t, second, 200, "ok")
			if n, err := res.Body.Read(make([]byte, 9)); n > 0 && err == nil {
				t.Error("the body is read after it was closed")
			}
		})
	}
}

// Reading on at the end, or closing twice, takes nothing from the next user of
// the connection and gives it to nobody else.
func TestAfterTheEnd(t *testing.T) {
	u, tr := newUpstream(t), newTransport(t)
	began := make(chan *http.Response, 1)
	go func() {
		res, err := tr.RoundTrip(u.request("GET", "/first", nil))
		if err != nil {
			t.Error(err)
		}
		_, _ = io.ReadAll(res.Body)
		began <- res
	}()
	p := u.accept()
	p.serve(okAnswer)
	res := wait(t, began)
	second := start(tr, u.request("GET", "/second", nil))
	p.head()
	_ = res.Body.Close()
	if n, err := res.Body.Read(make([]byte, 9)); n != 0 || err == nil {
		t.Errorf("got %d bytes, %v, want the end", n, err)
	}
	_ = res.Body.Close()
	third := start(tr, u.request("GET", "/third", nil))
	other := u.accept()
	if head := other.serve(okAnswer); !strings.HasPrefix(head, "GET /third ") {
		t.Errorf("got %q", head)
	}
	expect(t, third, 200, "ok")
	p.write(okAnswer)
	expect(t, second, 200, "ok")
}

// Of the connections that nobody uses, some are kept, for a while.
func TestIdleConnections(t *testing.T) {
	const users = 5
	fill := func(t *testing.T, u *upstream, tr http.RoundTripper) (peers []*peer) {
		var done []<-chan result
		for range users {
			done = append(done, start(tr, u.request("GET", "/", nil)))
			peers = append(peers, u.accept())
		}
		for i, p := range peers {
			p.serve(okAnswer)
			expect(t, done[i], 200, "ok")
		}
		return peers
	}
	t.Run("no more than MaxIdle", func(t *testing.T) {
		u, tr := newUpstream(t), newTransport(t)
		tr.MaxIdle = 2
		peers := fill(t, u, tr)
		for _, p := range peers[2:] {
			p.gone()
		}
		for range 2 {
			done := start(tr, u.request("GET", "/", nil))
			peers[1].serve(okAnswer) // the last used first
			expect(t, done, 200, "ok")
		}
		u.connections(users)
	})
	t.Run("none", func(t *testing.T) {
		u, tr := newUpstream(t), newTransport(t)
		tr.MaxIdle = 0
		for _, p := range fill(t, u, tr) {
			p.gone()
		}
	})
	t.Run("for IdleTimeout", func(t *testing.T) {
		u, tr := newUpstream(t), newTransport(t)
		tr.IdleTimeout = time.Millisecond
		for _, p := range fill(t, u, tr) {
			p.gone()
		}
	})
	t.Run("until they are closed", func(t *testing.T) {
		u, tr := newUpstream(t), newTransport(t)
		peers := fill(t, u, tr)
		tr.CloseIdleConnections()
		for _, p := range peers {
			p.gone()
		}
	})
}
