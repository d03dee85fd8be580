package main_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// G16, K5: requests that never send their bodies, which anybody can make, hold
// no stop up.
func TestStopDespiteStalledBodies(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	p := s.serve()
	host := strings.TrimPrefix(s.origin, "http://")
	for _, request := range []string{
		"POST /bff/backchannel-logout/main HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: application/x-www-form-urlencoded",
		"POST /api/x HTTP/1.1\r\nHost: " + host + "\r\nSec-Fetch-Site: same-origin",
		"POST /api/x HTTP/1.1\r\nHost: " + host + "\r\nSec-Fetch-Site: cross-site",
		"GET /bff/session HTTP/1.1\r\nHost: " + host + "\r\nSec-Fetch-Site: same-origin",
		"GET / HTTP/1.1\r\nHost: evil.example",
		"POST /nothing HTTP/1.1\r\nHost: " + host,
	} {
		c, err := net.Dial("tcp", strings.Replace(host, "localhost", "127.0.0.1", 1))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if _, err := fmt.Fprintf(c, "%s\r\nContent-Length: 1000\r\n\r\nlogout_tok", request); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.raw("GET /bff/session HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"); got == "" {
		t.Fatal("no answer") // by now the others are accepted too
	}
	begun := time.Now()
	p.stop()
	if code := p.wait(); code != 0 || time.Since(begun) > 5*time.Second {
		t.Errorf("exit %d after %v:\n%s", code, time.Since(begun), p.stderr)
	}
}

// K5: a renewal that begins while a stop waits for calls has its whole time, also
// where those calls use up shutdown_timeout.
func TestStopWritesLateRenewal(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{AccessTTL: 3 * time.Second})
	write(t, s.dir, "short.yaml", s.config("shutdown_timeout: 10s", "shutdown_timeout: 2s", "token_timeout: 5s", "token_timeout: 2s"))
	p := s.run("serve", "-c", "short.yaml")
	if !p.stderr.until(`"msg":"serving"`, p.ended) {
		t.Fatal(p.stderr)
	}
	u := s.user()
	u.signIn()
	arrived, late := make(chan struct{}), make(chan struct{})
	s.api.Handle("/held", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-late
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	release := make(chan struct{})
	s.provider.FailNext("refresh", demo.Fault{GateAfter: release})
	cut := make(chan struct{})
	go func() {
		defer close(cut)
		_, _ = u.open("/api/held")
	}()
	<-arrived
	p.stop()
	if !p.stderr.until(`"msg":"stopping"`, p.ended) {
		t.Fatalf("it does not stop:\n%s", p.stderr)
	}
	time.Sleep(time.Second) // it is the clock that runs out
	close(late)
	<-cut
	select {
	case <-p.ended:
	case <-time.After(200 * time.Millisecond): // of the second that is left
	}
	close(release)
	if code := p.wait(); code != 1 || !strings.Contains(p.stderr.String(), `"tokens_renewed"`) || strings.Contains(p.stderr.String(), "renewals had ended") {
		t.Errorf("exit %d:\n%s", code, p.stderr)
	}
}
