package http1_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/proxy/http1"
)

// brokenConn fails as a socket does: the system tells of it with the first read,
// and the next ones find the end.
type brokenConn struct {
	net.Conn
	sent string // comes before it breaks
	err  error
}

func (c *brokenConn) Read(p []byte) (int, error) {
	if c.sent != "" {
		n := copy(p, c.sent)
		c.sent = c.sent[n:]
		return n, nil
	}
	err := c.err
	c.err = io.EOF
	return 0, err
}

func (*brokenConn) Write(p []byte) (int, error) { return len(p), nil }
func (*brokenConn) SetDeadline(time.Time) error { return nil }
func (*brokenConn) Close() error                { return nil }

// F4: why there was no answer is passed on, wherever in it the connection broke: a
// timeout of the network is one to the browser too, and the operator reads what
// the system said.
func TestBrokenConnections(t *testing.T) {
	for name, sent := range map[string]string{
		"before the answer":          "",
		"after an informational one": "HTTP/1.1 103 Early Hints\r\n\r\n",
		"within the status line":     "HTTP/1.1 2",
		"within the head":            "HTTP/1.1 200 OK\r\nContent-Len",
	} {
		for _, errno := range []syscall.Errno{syscall.ETIMEDOUT, syscall.ECONNRESET, syscall.EHOSTUNREACH} {
			t.Run(name+": "+errno.Error(), func(t *testing.T) {
				broken := &brokenConn{sent: sent, err: &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", errno)}}
				tr := &http1.Transport{IdleTimeout: time.Minute, MaxHeader: 1 << 16, Dial: func(context.Context, string, string) (net.Conn, error) {
					return broken, nil
				}}
				r, err := http.NewRequestWithContext(t.Context(), "POST", "http://upstream.test/", nil)
				if err != nil {
					t.Fatal(err)
				}
				res, err := tr.RoundTrip(r)
				if err == nil {
					_ = res.Body.Close()
				}
				if !errors.Is(err, errno) {
					t.Errorf("RoundTrip: %v, want %v", err, errno)
				}
				timeout, ok := errors.AsType[net.Error](err)
				if !ok || timeout.Timeout() != (errno == syscall.ETIMEDOUT) {
					t.Errorf("a timeout to callers: %v, want %v", ok && timeout.Timeout(), errno == syscall.ETIMEDOUT)
				}
			})
		}
	}
}
