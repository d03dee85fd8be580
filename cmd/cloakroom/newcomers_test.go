package main_test

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// K5, experiment 18: browsers open connections before they need them. Such a
// one does not hold up a stop for the five seconds that net/http grants it.
func TestStopDismissesIdleNewcomers(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	p := s.serve()
	c, err := net.Dial("tcp", strings.Replace(strings.TrimPrefix(s.origin, "http://"), "localhost", "127.0.0.1", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if got := s.raw("GET /bff/session HTTP/1.1\r\nHost: " + strings.TrimPrefix(s.origin, "http://") + "\r\nConnection: close\r\n\r\n"); got == "" {
		t.Fatal("no answer") // by now the first connection is accepted too
	}
	p.stop()
	_ = c.SetReadDeadline(time.Now().Add(3500 * time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("a connection that says nothing holds up the stop")
	}
	if code := p.wait(); code != 0 {
		t.Errorf("exit %d:\n%s", code, p.stderr)
	}
}
