package http1_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Whatever goes wrong around them, every answer belongs to its request (G9): the
// upstream echoes a token that no two requests share, and spoils one exchange in
// three.
func TestUsersNeverMix(t *testing.T) {
	const users, requests = 64, 40
	tests := []struct {
		name string
		idle time.Duration
	}{
		{"connections kept", time.Hour},
		{"connections reaped all the time", time.Nanosecond},
		{"some of them", 200 * time.Microsecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			go serveEcho(l)
			tr := newTransport(t)
			tr.IdleTimeout, tr.MaxIdle = tt.idle, 32
			address := "http://" + l.Addr().String()
			var work sync.WaitGroup
			var answered atomic.Int32
			for user := range users {
				work.Go(func() {
					for i := range requests {
						if call(t, tr, address, fmt.Sprintf("u%d-%d-", user, i)) {
							answered.Add(1)
						}
					}
				})
			}
			work.Wait()
			if n := answered.Load(); n < users*requests/4 {
				t.Errorf("only %d were answered", n)
			}
		})
	}
}

// call makes one request with a token and reports whether it was answered. That
// an answer has another token is an error; that there is none is not.
func call(t *testing.T, tr http.RoundTripper, address, token string) bool {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	method, in := "GET", io.Reader(nil)
	if rand.IntN(3) == 0 {
		method, in = "POST", strings.NewReader(token)
	}
	r, err := http.NewRequestWithContext(ctx, method, address+"/"+token, in)
	if err != nil {
		t.Error(err)
		return false
	}
	if rand.IntN(10) == 0 {
		time.AfterFunc(time.Duration(rand.IntN(500))*time.Microsecond, cancel)
	}
	res, err := tr.RoundTrip(r)
	if err != nil {
		return false
	}
	defer func() { _ = res.Body.Close() }()
	if got := res.Header.Get("Token"); got != token {
		t.Errorf("%s got the answer of %s", token, got)
	}
	if rand.IntN(10) == 0 {
		return true // unread
	}
	body, err := io.ReadAll(res.Body)
	for piece := range strings.SplitAfterSeq(string(body), "-") {
		if !strings.Contains(token, piece) {
			t.Errorf("%s got the body %q", token, body)
			break
		}
	}
	return err == nil
}

// serveEcho answers with the token of each request, in whatever way.
func serveEcho(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = c.Close() }()
			in := bufio.NewReader(c)
			for {
				r, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				token := r.URL.Path[1:]
				if rand.IntN(20) != 0 { // else what is unread is the next request
					_, _ = io.Copy(io.Discard, r.Body)
				} else if r.ContentLength > 0 {
					echo(c, token, strings.Repeat(token, 3))
					return
				}
				if !spoil(c, token) {
					return
				}
			}
		}()
	}
}

func echo(w io.Writer, token, body string) {
	_, _ = fmt.Fprintf(w, "HTTP/1.1 200 OK\r\nToken: %s\r\nContent-Length: %d\r\n\r\n%s", token, len(body), body)
}

// spoil writes an answer and reports whether the connection goes on.
func spoil(c net.Conn, token string) bool {
	body := strings.Repeat(token, 1+rand.IntN(2000))
	switch rand.IntN(24) {
	case 0: // no answer
		return false
	case 1: // half an answer
		_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nToken: %s\r\nContent-Length: %d\r\n\r\n%s", token, 2*len(body), body)
		return false
	case 2: // two answers, at once: one that comes after the next request can't be told from its answer
		var both strings.Builder
		echo(&both, token, token)
		echo(&both, "unasked-"+token, "unasked-"+token)
		_, _ = io.WriteString(c, both.String())
	case 3: // bytes behind it
		var more strings.Builder
		echo(&more, token, token)
		_, _ = io.WriteString(c, more.String()+token)
	case 4: // closed after it, unsaid
		echo(c, token, body)
		return false
	case 5: // in time's own
		_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nToken: %s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", token, len(body), body)
		time.Sleep(time.Duration(rand.IntN(500)) * time.Microsecond)
		_, _ = io.WriteString(c, "0\r\n\r\n")
	case 6: // informational ones first
		_, _ = fmt.Fprintf(c, "HTTP/1.1 103 Early Hints\r\nToken: wrong\r\n\r\n")
		echo(c, token, body)
	case 7: // to the end of the connection
		_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nToken: %s\r\n\r\n%s", token, body)
		return false
	default:
		echo(c, token, body)
	}
	return true
}
