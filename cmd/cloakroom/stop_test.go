package main_test

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// A stop answers the calls under way and takes no new ones.
func TestStopAnswersCalls(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{AccessTTL: time.Minute})
	p := s.serve()
	u := s.user()
	u.signIn()
	arrived, release := make(chan struct{}), make(chan struct{})
	letGo := sync.OnceFunc(func() { close(release) })
	defer letGo()
	s.api.Handle("/held", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = w.Write([]byte("the whole answer"))
	}))
	type result struct {
		status int
		body   string
	}
	answered := make(chan result)
	go func() {
		status, body := u.send("GET", "/api/held")
		answered <- result{status, body}
	}()
	<-arrived
	p.stop()
	if !p.stderr.until(`"msg":"stopping"`, p.ended) {
		t.Fatalf("it does not stop:\n%s", p.stderr)
	}
	if status, body := s.ask("/readyz", nil); status != http.StatusServiceUnavailable || !strings.Contains(body, `"draining"`) {
		t.Errorf("/readyz = %d %s, want 503, draining", status, body)
	}
	if status, _ := s.ask("/healthz", nil); status != http.StatusOK {
		t.Errorf("/healthz = %d, want 200", status)
	}
	refused(t, s)
	letGo()
	if got := <-answered; got.status != http.StatusOK || got.body != "the whole answer" {
		t.Errorf("the call under way got %d %q", got.status, got.body)
	}
	if code := p.wait(); code != 0 {
		t.Errorf("exit %d:\n%s", code, p.stderr)
	}
}

// refused waits until the public port takes no connections.
func refused(t *testing.T, s *site) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		c, err := net.Dial("tcp", strings.Replace(strings.TrimPrefix(s.origin, "http://"), "localhost", "127.0.0.1", 1))
		if err != nil {
			return
		}
		_ = c.Close()
	}
	t.Error("it takes new connections")
}

// A renewal under way is answered and written before the process ends, though
// nobody waits for it any more (K5, D6). The one-time refresh token that was used
// is never used again.
func TestStopWritesRenewal(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{AccessTTL: 2 * time.Second})
	p := s.serve()
	u := s.user()
	u.signIn()
	release := make(chan struct{})
	s.provider.FailNext("refresh", demo.Fault{GateAfter: release})
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		// A new token is not renewed at once: keep asking until one is.
		for len(s.provider.Calls("refresh")) == 0 {
			u.hc.Timeout = 200 * time.Millisecond
			u.send("POST", "/bff/session/renew")
		}
	}()
	<-gone
	u.hc.Timeout = 30 * time.Second
	p.stop()
	if !p.stderr.until(`"msg":"stopping"`, p.ended) {
		t.Fatalf("it does not stop:\n%s", p.stderr)
	}
	close(release)
	if code := p.wait(); code != 0 || !strings.Contains(p.stderr.String(), `"tokens_renewed"`) {
		t.Fatalf("exit %d:\n%s", code, p.stderr)
	}

	s.serve()
	for len(s.provider.Calls("refresh")) < 2 {
		if status, body := u.send("GET", "/api/whoami"); status != http.StatusOK {
			t.Fatalf("after the restart a call = %d %s", status, body)
		}
	}
	if err := s.provider.WaitDone("refresh", 2, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	calls := s.provider.Calls("refresh")
	if calls[1].TokenHash != calls[0].ReplacedBy || calls[1].Status != http.StatusOK {
		t.Errorf("the second renewal was answered %d and used another token than the first one brought", calls[1].Status)
	}
}

// A call that never ends is cut off after shutdown_timeout, and said to be.
func TestStopTimeout(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{AccessTTL: time.Minute})
	write(t, s.dir, "short.yaml", s.config("shutdown_timeout: 10s", "shutdown_timeout: 1s", "token_timeout: 5s", "token_timeout: 1s"))
	p := s.run("serve", "-c", "short.yaml")
	if !p.stderr.until(`"msg":"serving"`, p.ended) {
		t.Fatal(p.stderr)
	}
	u := s.user()
	u.signIn()
	arrived, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	s.api.Handle("/held", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(arrived); <-release }))
	go u.send("GET", "/api/held")
	<-arrived
	begun := time.Now()
	p.stop()
	if code := p.wait(); code != 1 || time.Since(begun) > 8*time.Second || !strings.Contains(p.stderr.String(), "shutdown_timeout") {
		t.Errorf("exit %d after %v:\n%s", code, time.Since(begun), p.stderr)
	}
	if strings.Contains(p.stderr.String(), "renewals had ended") {
		t.Errorf("it tells of renewals, and there were none:\n%s", p.stderr)
	}
	s.serve()
	if got := u.name(); got != "u-1001" {
		t.Errorf("after the restart signed in as %q", got)
	}
}
