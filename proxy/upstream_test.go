package proxy_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// rawUpstream is an API that remembers the very bytes it received, and answers
// with the very bytes it is told.
type rawUpstream struct {
	net.Listener
	answer func(n int, head string) string // n counts from 1; "" closes the connection

	mu    sync.Mutex
	heads []string
	body  []string
	conns int // accepted
}

const plainAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"

func newRawUpstream(t testing.TB, answer func(n int, head string) string) *rawUpstream {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if answer == nil {
		answer = func(int, string) string { return plainAnswer }
	}
	u := &rawUpstream{Listener: l, answer: answer}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			u.mu.Lock()
			u.conns++
			u.mu.Unlock()
			work.Go(func() { u.serve(conn) })
		}
	})
	t.Cleanup(func() { _ = l.Close() })
	return u
}

func (u *rawUpstream) url() string { return "http://" + u.Addr().String() }

func (u *rawUpstream) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		var head strings.Builder
		for !strings.HasSuffix(head.String(), "\r\n\r\n") {
			b, err := in.ReadByte()
			if err != nil {
				return
			}
			head.WriteByte(b)
		}
		r, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(head.String()), in)))
		body := []byte("unreadable")
		if err == nil {
			body, _ = io.ReadAll(r.Body)
		}
		u.mu.Lock()
		u.heads = append(u.heads, head.String())
		u.body = append(u.body, string(body))
		n := len(u.heads)
		u.mu.Unlock()
		reply := u.answer(n, head.String())
		if strings.HasPrefix(head.String(), "HEAD ") {
			reply, _, _ = strings.Cut(reply, "\r\n\r\n")
			reply += "\r\n\r\n"
		}
		if _, err := io.WriteString(conn, reply); err != nil || reply == "" || strings.Contains(reply, "Connection: close") {
			return
		}
	}
}

// requests returns the heads of the requests received so far.
func (u *rawUpstream) requests() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]string(nil), u.heads...)
}

// bodies returns the bodies of the requests received so far.
func (u *rawUpstream) bodies() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]string(nil), u.body...)
}

// connections returns how many connections were accepted so far.
func (u *rawUpstream) connections() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.conns
}

// last returns the last request: its first line, and its fields by name in
// lower case.
func (u *rawUpstream) last(t testing.TB) (line string, fields map[string][]string) {
	t.Helper()
	heads := u.requests()
	if len(heads) == 0 {
		t.Fatal("upstream got no request")
	}
	lines := strings.Split(strings.TrimSuffix(heads[len(heads)-1], "\r\n\r\n"), "\r\n")
	fields = map[string][]string{}
	for _, l := range lines[1:] {
		name, value, _ := strings.Cut(l, ": ")
		name = strings.ToLower(name)
		fields[name] = append(fields[name], value)
	}
	return lines[0], fields
}

// send writes raw to addr and returns all that comes back until the peer
// closes.
func send(t testing.TB, addr, raw string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	got, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection stays open after %q", raw)
	}
	return string(got)
}
