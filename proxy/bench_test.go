package proxy_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync"
	"testing"

	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/session"
)

// BenchmarkProxied measures one call through the handler to an upstream on a
// kept connection, beside what net/http/httputil needs for the same. The
// upstream allocates nothing.
func BenchmarkProxied(b *testing.B) {
	const body = 1 << 10
	upstream := mustParse(b, benchUpstream(b, body))
	s := newStand(b, proxy.Config{Path: "/api", Upstream: upstream})
	sess, err := s.sessions.Resume(context.Background(), s.tickets["alice"])
	if err != nil {
		b.Fatal(err)
	}
	pool := &bufferPool{sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}}
	reverse := &httputil.ReverseProxy{BufferPool: pool, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(upstream)
		r.SetXForwarded()
		r.Out.Header.Del("Cookie")
		r.Out.Header.Set("Authorization", "Bearer alice-1")
	}}
	r := httptest.NewRequest("GET", "/api/orders?page=2", nil)
	r.Header = http.Header{
		"Cookie": {"__Host-session=alice"}, "Accept": {"application/json"}, "Accept-Encoding": {"gzip, br"}, "Accept-Language": {"de"},
		"User-Agent": {"bench"}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}, "Referer": {publicURL},
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r = r.WithContext(session.NewContext(ctx, sess))
	_, route := s.proxy.Route(r)
	for _, bb := range []struct {
		name string
		h    http.Handler
	}{{"Cloakroom", route}, {"ReverseProxy", reverse}} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			w := &discard{header: http.Header{}}
			for b.Loop() {
				clear(w.header)
				w.n = 0
				bb.h.ServeHTTP(w, r)
				if w.n != body {
					b.Fatalf("got %d bytes, want %d", w.n, body)
				}
			}
		})
	}
}

// benchUpstream answers every request on a connection with the same bytes.
func benchUpstream(b *testing.B, size int) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1024\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n" +
		strings.Repeat("x", size))
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				buf := make([]byte, 8<<10)
				for {
					n, err := conn.Read(buf)
					if err != nil || !bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")) {
						_ = conn.Close()
						return
					}
					_, _ = conn.Write(answer)
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// discard is a ResponseWriter that counts.
type discard struct {
	header http.Header
	n      int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(p []byte) (int, error) { d.n += len(p); return len(p), nil }
func (d *discard) Flush()                      {}

var _ io.Writer = (*discard)(nil)

type bufferPool struct{ sync.Pool }

func (p *bufferPool) Get() []byte  { return *p.Pool.Get().(*[]byte) }
func (p *bufferPool) Put(b []byte) { p.Pool.Put(&b) }
