package proxy_test

import (
	"bufio"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/proxy"
)

// Bodies have a limit, with and without a known length (G16).
func TestBodyLimit(t *testing.T) {
	tests := []struct {
		name    string
		size    int
		chunked bool
		want    int
	}{
		{"at the limit", 1000, false, 200},
		{"above", 1001, false, 413},
		{"far above", 1 << 20, false, 413},
		{"chunked, at the limit", 1000, true, 200},
		{"chunked, above", 1001, true, 413},
		{"chunked, far above", 1 << 20, true, 413},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := make(chan string, 1)
			s := newStand(t, proxy.Config{Path: "/api", MaxBody: 1000, Upstream: serve(t, func(_ http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					got <- "broken"
					return
				}
				got <- string(body)
			})})
			var body io.Reader = strings.NewReader(strings.Repeat("x", tt.size))
			if tt.chunked {
				body = struct{ io.Reader }{body}
			}
			r, _ := http.NewRequest("POST", s.URL+"/api", body)
			r.Header.Set("Cookie", "__Host-session=alice")
			res, err := s.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != tt.want {
				t.Errorf("got status %d, want %d", res.StatusCode, tt.want)
			}
			if tt.want == 200 {
				if body := <-got; len(body) != tt.size {
					t.Errorf("upstream got %d bytes, want %d", len(body), tt.size)
				}
				return
			}
			if s.code() != proxy.CodeBodyTooLarge {
				t.Errorf("got %v, want %s", s.lastErr(), proxy.CodeBodyTooLarge)
			}
			select {
			case body := <-got:
				if body != "broken" {
					t.Errorf("upstream took %d bytes for a whole body", len(body))
				}
			default: // no call was made, or none that got far
			}
		})
	}
}

// A body whose length says that it is too large costs no call.
func TestBodyTooLargeByItsLength(t *testing.T) {
	upstream := newRawUpstream(t, nil)
	s := newStand(t, proxy.Config{Path: "/api", MaxBody: 1000, Upstream: mustParse(t, upstream.url())})
	if res, _ := s.do(t, "POST", "/api", strings.Repeat("x", 1001)); res.StatusCode != 413 {
		t.Errorf("got status %d, want 413", res.StatusCode)
	}
	if got := upstream.connections(); got != 0 {
		t.Errorf("upstream got %d connections, want 0", got)
	}
}

// What is not idempotent is sent once, even if the connection it was sent on
// turns out to be dead.
func TestNeverSentTwice(t *testing.T) {
	for _, tt := range []struct{ method, body string }{
		{"POST", "a=b"}, {"POST", ""}, {"PATCH", "a=b"}, {"PUT", "a=b"}, {"DELETE", ""},
	} {
		t.Run(tt.method+" "+tt.body, func(t *testing.T) {
			upstream := newRawUpstream(t, func(n int, _ string) string {
				if n == 1 {
					return plainAnswer
				}
				return "" // hangs up
			})
			s := newStand(t, proxy.Config{Path: "/api", Upstream: mustParse(t, upstream.url())})
			s.do(t, "GET", "/api", "")
			res, _ := s.do(t, tt.method, "/api", tt.body)
			if res.StatusCode != http.StatusBadGateway {
				t.Errorf("got status %d, want 502", res.StatusCode)
			}
			if got := len(upstream.requests()); got != 2 {
				t.Errorf("upstream got %d requests, want 2", got)
			}
		})
	}
}

// Nobody waits for ever.
func TestTimeouts(t *testing.T) {
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	s := newStand(t, proxy.Config{
		Path: "/api", Timeout: 50 * time.Millisecond, Upstream: serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if r.URL.Path == "/api/slow" {
				select {
				case <-release:
				case <-r.Context().Done():
				}
			}
		}),
	})
	t.Run("upstream", func(t *testing.T) {
		if res, _ := s.do(t, "GET", "/api/slow", ""); res.StatusCode != 504 || s.code() != proxy.CodeUpstreamTimeout {
			t.Errorf("got status %d and %q, want 504 and %s", res.StatusCode, s.code(), proxy.CodeUpstreamTimeout)
		}
	})
	t.Run("upstream, after a body", func(t *testing.T) {
		if res, _ := s.do(t, "POST", "/api/slow", "a=b"); res.StatusCode != 504 {
			t.Errorf("got status %d, want 504", res.StatusCode)
		}
	})
	t.Run("browser", func(t *testing.T) {
		conn := dial(t, s)
		_, _ = io.WriteString(conn, "POST /api HTTP/1.1\r\nHost: app\r\nCookie: __Host-session=alice\r\nContent-Length: 10\r\n\r\nhalf")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != 408 || s.code() != proxy.CodeRequestTimeout {
			t.Errorf("got status %d and %q, want 408 and %s", res.StatusCode, s.code(), proxy.CodeRequestTimeout)
		}
	})
}

// Upstream's time counts from the last piece of the body: a long upload is no
// slow upstream.
func TestLongUpload(t *testing.T) {
	s := newStand(t, proxy.Config{
		Path: "/api", Timeout: 500 * time.Millisecond, Upstream: serve(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
		}),
	})
	in, out := io.Pipe()
	go func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for range 15 {
			<-tick.C
			_, _ = io.WriteString(out, "x")
		}
		_ = out.Close()
	}()
	r, _ := http.NewRequest("POST", s.URL+"/api", in)
	r.Header.Set("Cookie", "__Host-session=alice")
	res, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("got status %d, want 200", res.StatusCode)
	}
}

// An upstream that is not there, or does not speak HTTP.
func TestUpstreamBroken(t *testing.T) {
	closed := newRawUpstream(t, nil)
	_ = closed.Close()
	tests := []struct{ name, upstream string }{
		{"not there", closed.url()},
		{"hangs up", newRawUpstream(t, func(int, string) string { return "" }).url()},
		{"no HTTP", newRawUpstream(t, func(int, string) string { return "SSH-2.0\r\nConnection: close\r\n\r\n" }).url()},
		{"switches unasked", newRawUpstream(t, func(int, string) string {
			return "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
		}).url()},
		{"endless header", newRawUpstream(t, func(int, string) string {
			return "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n"
		}).url()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStand(t, proxy.Config{Path: "/api", Upstream: mustParse(t, tt.upstream)})
			res, _ := s.do(t, "GET", "/api", "")
			if res.StatusCode != 502 || s.code() != proxy.CodeUpstreamUnreachable {
				t.Errorf("got status %d and %v, want 502", res.StatusCode, s.lastErr())
			}
		})
	}
}

// A browser that leaves takes its call with it, however far that is, and whichever
// client calls the upstream: soon, and not when the answer's time is over (G16).
func TestBrowserLeaves(t *testing.T) {
	tests := []struct {
		name   string
		tls    bool
		answer func(http.ResponseWriter)
	}{
		{"before the answer", false, func(http.ResponseWriter) {}},
		{"before the answer, TLS", true, func(http.ResponseWriter) {}},
		{"within an answer of known length", false, func(w http.ResponseWriter) { w.Header().Set("Content-Length", "2"); begin(w) }},
		{"within an answer of known length, TLS", true, func(w http.ResponseWriter) { w.Header().Set("Content-Length", "2"); begin(w) }},
		{"within an answer of unknown length", false, begin},
		{"within an event stream", false, func(w http.ResponseWriter) { w.Header().Set("Content-Type", "text/event-stream"); begin(w) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			arrived, left := make(chan struct{}), make(chan struct{})
			upstream := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("X-Stay") == "" {
					return
				}
				tt.answer(w)
				close(arrived)
				<-r.Context().Done()
				close(left)
			}))
			config := proxy.Config{Path: "/api"}
			if tt.tls {
				upstream.StartTLS()
				config.TLS.CAFile = authority(t, upstream)
			} else {
				upstream.Start()
			}
			t.Cleanup(func() { upstream.CloseClientConnections(); upstream.Close() })
			config.Upstream = mustParse(t, upstream.URL)
			s := newStand(t, config)
			s.do(t, "GET", "/api", "") // to connect, which listens by itself
			conn := dial(t, s)
			_, _ = io.WriteString(conn, "GET /api HTTP/1.1\r\nHost: app\r\nX-Stay: yes\r\nCookie: __Host-session=alice\r\n\r\n")
			<-arrived
			_ = conn.Close()
			select {
			case <-left:
			case <-time.After(10 * time.Second):
				t.Error("the upstream goes on")
			}
		})
	}
}

// begin sends the first byte of an answer.
func begin(w http.ResponseWriter) {
	_, _ = io.WriteString(w, "o")
	_ = http.NewResponseController(w).Flush()
}

// authority returns a file with the certificate of s.
func authority(t testing.TB, s *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	pem := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(file, pem, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Half an upload is never taken for the whole.
func TestUploadBreaksOff(t *testing.T) {
	arrived, read := make(chan struct{}), make(chan error, 1)
	s := newStand(t, proxy.Config{Path: "/api", Upstream: serve(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		_, err := io.ReadAll(r.Body)
		read <- err
	})})
	conn := dial(t, s)
	_, _ = io.WriteString(conn, "POST /api HTTP/1.1\r\nHost: app\r\nCookie: __Host-session=alice\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
	<-arrived
	_ = conn.Close()
	if err := <-read; err == nil {
		t.Error("upstream took half a body for the whole")
	}
}

// A browser that asks first is told to send by the upstream, not before.
func TestExpectContinue(t *testing.T) {
	s := newStand(t, proxy.Config{Path: "/api", Upstream: serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/no" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	})})
	for _, tt := range []struct{ path, first, want string }{
		{"/api/yes", "HTTP/1.1 100 Continue\r\n", "200"},
		{"/api/no", "HTTP/1.1 403 Forbidden\r\n", "403"},
	} {
		t.Run(tt.path, func(t *testing.T) {
			conn := dial(t, s)
			_, _ = io.WriteString(conn, "POST "+tt.path+" HTTP/1.1\r\nHost: app\r\nCookie: __Host-session=alice\r\n"+
				"Expect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n")
			in := bufio.NewReader(conn)
			line, err := in.ReadString('\n')
			if err != nil || line != tt.first {
				t.Fatalf("got %q and %v, want %q", line, err, tt.first)
			}
			if tt.want != "200" {
				return
			}
			_, _ = io.WriteString(conn, "hello")
			rest, _ := io.ReadAll(in)
			if !strings.Contains(string(rest), "HTTP/1.1 200 OK") || !strings.HasSuffix(string(rest), "hello") {
				t.Errorf("got %q, want 200 and the body", rest)
			}
		})
	}
}

// serve starts an API and returns where it is.
func serve(t testing.TB, h http.HandlerFunc) *url.URL {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return mustParse(t, s.URL)
}

// dial opens a connection to the proxy.
func dial(t testing.TB, s *stand) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	return conn
}
