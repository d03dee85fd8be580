package proxy_test

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/proxy"
)

const halfSize = 100_000 // bytes of each half of a body

// An upstream may begin to answer before it has the whole body: nothing of either
// is lost, though net/http would read the rest of the body for itself (G16).
func TestEarlyAnswer(t *testing.T) {
	got := make(chan int64, 1)
	s := newStand(t, proxy.Config{Path: "/api", Upstream: serve(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		first, _ := io.CopyN(io.Discard, r.Body, halfSize)
		_, _ = io.WriteString(w, strings.Repeat("a", halfSize))
		_ = control.Flush()
		rest, _ := io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, strings.Repeat("b", halfSize))
		got <- first + rest
	})})
	for range 20 {
		conn := dial(t, s)
		_, _ = io.WriteString(conn, "POST /api HTTP/1.1\r\nHost: app\r\nCookie: __Host-session=alice\r\nContent-Length: 200000\r\n\r\n")
		_, _ = io.WriteString(conn, strings.Repeat("x", halfSize))
		in := bufio.NewReader(conn)
		res, err := http.ReadResponse(in, nil) // before the second half is sent
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, strings.Repeat("y", halfSize))
		body, err := io.ReadAll(res.Body)
		if want := strings.Repeat("a", halfSize) + strings.Repeat("b", halfSize); err != nil || string(body) != want {
			t.Fatalf("the answer had %d bytes, %v, want %d", len(body), err, len(want))
		}
		if n := <-got; n != 2*halfSize {
			t.Fatalf("upstream got %d bytes, want %d", n, 2*halfSize)
		}
		_ = conn.Close()
	}
}

// A browser that has its answer and does not go on with its body is not waited for.
func TestEarlyAnswerToStalledBody(t *testing.T) {
	for _, tt := range []struct{ name, framing, piece string }{
		{"with a length", "Content-Length: 1000", "half"},
		{"chunked", "Transfer-Encoding: chunked", "4\r\nhalf\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStand(t, proxy.Config{Path: "/api", Upstream: serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Connection", "close")
				http.Error(w, "no", http.StatusForbidden)
			})})
			conn := dial(t, s)
			_, _ = io.WriteString(conn, "POST /api HTTP/1.1\r\nHost: app\r\nCookie: __Host-session=alice\r\n"+tt.framing+"\r\n\r\n"+tt.piece)
			in := bufio.NewReader(conn)
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(res.Body); res.StatusCode != 403 || string(body) != "no\n" || err != nil {
				t.Errorf("got status %d with %q, %v, want 403 with no", res.StatusCode, body, err)
			}
			// What comes after all is no request of its own.
			_, _ = io.WriteString(conn, "GET /api HTTP/1.1\r\nHost: app\r\nCookie: __Host-session=alice\r\n\r\n")
			if rest, err := io.ReadAll(in); len(rest) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %q, %v, want the end of the connection", rest, err)
			}
		})
	}
}

// telling is a ResponseWriter that says when the header is written.
type telling struct {
	http.ResponseWriter
	written chan<- int
}

func (w telling) WriteHeader(status int) {
	w.written <- status
	w.ResponseWriter.WriteHeader(status)
}

func (w telling) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// An upload that is cut off because upstream hung up cuts off nothing else: what
// comes after it on the connection is answered, or the browser knows that it must
// take another (G19).
func TestRequestAfterBrokenUpload(t *testing.T) {
	s := newStand(t, proxy.Config{Path: "/api", Upstream: serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = io.CopyN(io.Discard, r.Body, 4)
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_ = conn.Close()
		}
	})})
	written := make(chan int, 2)
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.ServeHTTP(telling{w, written}, r) })
	conn := dial(t, s)
	in := bufio.NewReader(conn)
	_, _ = io.WriteString(conn, "POST /api HTTP/1.1\r\nHost: app\r\nCookie: __Host-session=alice\r\nContent-Length: 8\r\n\r\nhalf")
	<-written
	_, _ = io.WriteString(conn, "rest")
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusBadGateway {
		t.Errorf("the upload got status %d, want 502", res.StatusCode)
	}
	if res.Close {
		return
	}
	_, _ = io.WriteString(conn, "GET /api HTTP/1.1\r\nHost: app\r\nCookie: __Host-session=alice\r\n\r\n")
	if res, err = http.ReadResponse(in, nil); err != nil {
		t.Fatalf("the next request on the kept connection got no answer: %v", err)
	}
	if res.StatusCode != http.StatusOK {
		t.Errorf("the next request got status %d, want 200", res.StatusCode)
	}
}
