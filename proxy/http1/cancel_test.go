package http1_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

var errLeft = errors.New("the browser has left")

// Whoever leaves is let go at once, with the reason, at whatever stage; and the
// upstream sees it (G16).
func TestCancel(t *testing.T) {
	tests := []struct {
		name   string
		body   bool
		answer string // "": cancelled before
		until  func(*testing.T, *peer)
	}{
		{"waiting for the answer", false, "", func(t *testing.T, p *peer) { p.head() }},
		{"after an informational answer", false, "", func(t *testing.T, p *peer) { p.serve("HTTP/1.1 103 Early Hints\r\n\r\n") }},
		{"within the answer's head", false, "", func(t *testing.T, p *peer) { p.serve("HTTP/1.1 200 OK\r\nContent-") }},
		{"before the body comes", true, "", func(t *testing.T, p *peer) { p.head() }},
		{"within the answer's body", false, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", nil},
		{"between chunks", false, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", nil},
		{"within an endless answer", false, "HTTP/1.1 200 OK\r\n\r\no", nil},
		{"within an early answer", true, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, tr := newUpstream(t), newTransport(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			r := u.request("GET", "/", nil).WithContext(ctx)
			in, browser := io.Pipe()
			src := newSource(in)
			if tt.body {
				r.Method, r.Body, r.ContentLength = "POST", src, 5
			}
			began := make(chan result, 1)
			go func() {
				res, err := tr.RoundTrip(r)
				began <- result{res: res, err: err}
			}()
			p := u.accept()
			if tt.answer == "" {
				tt.until(t, p)
				cancel(errLeft)
				if got := wait(t, began); !errors.Is(got.err, errLeft) {
					t.Errorf("got %v, want %v", got.err, errLeft)
				}
			} else {
				p.serve(tt.answer)
				got := wait(t, began)
				if _, err := io.ReadFull(got.res.Body, make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
				ended := make(chan error, 1)
				go func() {
					_, err := io.ReadAll(got.res.Body)
					ended <- err
				}()
				cancel(errLeft)
				if err := wait(t, ended); !errors.Is(err, errLeft) {
					t.Errorf("got %v, want %v", err, errLeft)
				}
				_ = got.res.Body.Close()
			}
			p.gone()
			if tt.body {
				_ = browser.Close()
				wait(t, src.closed)
			}
		})
	}
}

// Somebody who had left before gets no connection, and nothing is sent for them.
func TestCancelledBefore(t *testing.T) {
	u, tr := newUpstream(t), newTransport(t)
	p := kept(t, u, tr)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errLeft)
	src := newSource(strings.NewReader("hello"))
	for range 20 {
		if got := exchange(tr, u.request("POST", "/", src).WithContext(ctx)); !errors.Is(got.err, errLeft) {
			t.Errorf("got %v, want %v", got.err, errLeft)
		}
		if got := exchange(tr, u.request("GET", "/", nil).WithContext(ctx)); !errors.Is(got.err, errLeft) {
			t.Errorf("got %v, want %v", got.err, errLeft)
		}
	}
	wait(t, src.closed)
	tr.CloseIdleConnections()
	p.gone()
	u.connections(1)
}

// Nor does anybody wait for a connection that nobody wants any more.
func TestCancelDial(t *testing.T) {
	u, tr := newUpstream(t), newTransport(t)
	dialling := make(chan struct{})
	tr.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		close(dialling)
		<-ctx.Done()
		return nil, errors.New("no connection")
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	src := newSource(strings.NewReader("hello"))
	done := start(tr, u.request("POST", "/", src).WithContext(ctx))
	wait(t, dialling)
	cancel(errLeft)
	if got := wait(t, done); !errors.Is(got.err, errLeft) {
		t.Errorf("got %v, want %v", got.err, errLeft)
	}
	wait(t, src.closed)
}

// An upstream that does not read holds up nobody who leaves, in whatever is being
// written.
func TestCancelWrite(t *testing.T) {
	endless := func(b []byte) (int, error) { return len(b), nil }
	for name, large := range map[string]func(*http.Request){
		"head": func(r *http.Request) { r.Header.Set("X", strings.Repeat("x", 32<<20)) },
		"head and body": func(r *http.Request) {
			r.Header.Set("X", strings.Repeat("x", 32<<20))
			r.Method, r.Body, r.ContentLength = "POST", newSource(readFunc(endless)), -1
		},
		"body": func(r *http.Request) { r.Method, r.Body, r.ContentLength = "POST", newSource(readFunc(endless)), 1<<40 },
	} {
		t.Run(name, func(t *testing.T) {
			u, tr := newUpstream(t), newTransport(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			r := u.request("GET", "/", nil).WithContext(ctx)
			large(r)
			done := start(tr, r)
			p := u.accept()
			if _, err := p.in.Peek(4); err != nil { // it has begun
				t.Fatal(err)
			}
			cancel(errLeft)
			if got := wait(t, done); !errors.Is(got.err, errLeft) {
				t.Errorf("got %v, want %v", got.err, errLeft)
			}
			p.rest()
			if src, ok := r.Body.(*source); ok {
				wait(t, src.closed)
			}
		})
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// A body is closed however little of its request could be sent.
func TestBodyIsClosed(t *testing.T) {
	refusing := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("refused") }
	for name, spoil := range map[string]func(*http.Request) func(context.Context, string, string) (net.Conn, error){
		"refused request": func(r *http.Request) func(context.Context, string, string) (net.Conn, error) {
			r.Method = "A B"
			return nil
		},
		"refused connection": func(*http.Request) func(context.Context, string, string) (net.Conn, error) { return refusing },
	} {
		t.Run(name, func(t *testing.T) {
			u, tr := newUpstream(t), newTransport(t)
			src := newSource(strings.NewReader("hello"))
			r := u.request("POST", "/", src)
			if dial := spoil(r); dial != nil {
				tr.Dial = dial
			}
			if got := exchange(tr, r); got.err == nil {
				t.Error("it was answered")
			}
			wait(t, src.closed)
			if n := src.reads.Load(); n != 0 {
				t.Error("it was read")
			}
		})
	}
}
