package web_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/web"
)

// hotPath is one signed-in call as a current browser sends it, ready to be served
// again and again: by everything behind the server's socket, to an upstream behind
// another.
type hotPath struct {
	s *stand
	r *http.Request
	w *counting
}

func newHotPath(t testing.TB) *hotPath {
	upstream := &url.URL{Scheme: "http", Host: constantUpstream(t)}
	s := newStand(t, options{
		plain: true,
		routes: func([]proxy.Config) []proxy.Config {
			c := usualRoutes(upstream)[0]
			return []proxy.Config{c}
		},
		web: func(c *web.Config) { c.Log = slog.New(slog.DiscardHandler) },
	})
	b := s.browser(t)
	b.signIn("alice", "").want(http.StatusSeeOther)
	r := httptest.NewRequest("GET", s.origin+"/api/orders?page=2", nil)
	r.RequestURI = "/api/orders?page=2"
	r.RemoteAddr = "127.0.0.1:40000"
	r.Header = http.Header{
		"Accept": {"application/json"}, "Accept-Encoding": {"gzip, deflate, br, zstd"}, "Accept-Language": {"de"},
		"User-Agent": {"Go-http-client/1.1"}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"},
		"Referer": {s.origin + "/"}, "Cookie": {"theme=dark; " + s.prefix() + "session=" + b.cookie("session")},
	}
	ctx, cancel := context.WithCancel(context.Background()) // as every request of net/http has
	t.Cleanup(cancel)
	return &hotPath{s, r.WithContext(ctx), &counting{header: http.Header{}}}
}

// serve serves the call once.
func (h *hotPath) serve(t testing.TB) {
	clear(h.w.header)
	h.w.status, h.w.n = 0, 0
	h.s.server.ServeHTTP(h.w, h.r)
	if h.w.status != http.StatusOK || h.w.n != constantBody {
		t.Fatalf("got %d with %d bytes", h.w.status, h.w.n)
	}
}

// budget is how many allocations a signed-in call may make between the two sockets.
// One that is not there yet must earn its place: bench/baseline.txt has its price.
const budget = 24

// The hot path keeps its budget of allocations. Beside the call nothing runs here that
// would allocate.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector lets pools lose what they hold")
	}
	h := newHotPath(t)
	h.serve(t)
	if n := testing.AllocsPerRun(500, func() { h.serve(t) }); n > budget {
		t.Errorf("a call makes %v allocations, want %d at most", n, budget)
	}
}

// BenchmarkSignedIn is what a call costs between the two sockets.
func BenchmarkSignedIn(b *testing.B) {
	h := newHotPath(b)
	b.ReportAllocs()
	for b.Loop() {
		h.serve(b)
	}
}

// counting is a ResponseWriter that keeps nothing.
type counting struct {
	header http.Header
	status int
	n      int
}

func (c *counting) Header() http.Header              { return c.header }
func (c *counting) WriteHeader(status int)           { c.status = status }
func (c *counting) Write(p []byte) (int, error)      { c.n += len(p); return len(p), nil }
func (c *counting) Flush()                           {}
func (c *counting) SetReadDeadline(time.Time) error  { return nil }
func (c *counting) SetWriteDeadline(time.Time) error { return nil }

const constantBody = 1 << 10 // bytes

// constantUpstream answers every request with the same bytes, and allocates
// nothing for it. It returns its address.
func constantUpstream(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1024\r\n" +
		"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\nServer: constant\r\n\r\n" + strings.Repeat("x", constantBody))
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				buf := make([]byte, 16<<10)
				for {
					n, err := conn.Read(buf)
					if err != nil || !bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")) {
						return
					}
					if _, err := conn.Write(answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}
