package main_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// Times of the rotation under load. A user signs in again after life, well
// before absolute ends the session.
const (
	rotationAbsolute = 6 * time.Second
	rotationLife     = 3 * time.Second
)

// traffic is users who sign in, call and sign out, over and over.
type traffic struct {
	*site
	stop chan struct{}
	work sync.WaitGroup

	mu       sync.Mutex
	calls    int
	failures []string
}

func (s *site) traffic(users int) *traffic {
	f := &traffic{site: s, stop: make(chan struct{})}
	for range users {
		u := s.user()
		f.work.Go(func() { f.live(u) })
	}
	return f
}

// live is one user's time: every call in it must succeed.
func (f *traffic) live(u *user) {
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := u.trySignIn(); err != nil {
			f.failed("sign-in: %v", err)
			return
		}
		for until := time.Now().Add(rotationLife); time.Now().Before(until); {
			if status, body := u.send("GET", "/api/whoami"); status != http.StatusOK {
				f.failed("a call = %d %s", status, body)
			}
			f.mu.Lock()
			f.calls++
			f.mu.Unlock()
			select {
			case <-f.stop:
				return
			case <-tick.C:
			}
		}
		if status, body := u.send("POST", "/bff/logout"); status != http.StatusOK {
			f.failed("logout = %d %s", status, body)
		}
	}
}

func (f *traffic) failed(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures = append(f.failures, fmt.Sprintf(format, args...))
}

// end stops the users and reports what went wrong for them.
func (f *traffic) end() {
	f.Helper()
	close(f.stop)
	f.work.Wait()
	f.Logf("%d calls", f.calls)
	if f.calls < 100 {
		f.Errorf("only %d calls: no load", f.calls)
	}
	if n := len(f.failures); n > 0 {
		f.Errorf("%d failures, the first: %s", n, f.failures[0])
	}
}

// trySignIn signs in, for goroutines that can't fail the test themselves.
func (u *user) trySignIn() error {
	callback, err := u.provider.SignIn(u.hc, u.origin+"/bff/login", "alice")
	if err != nil {
		return err
	}
	path := strings.TrimPrefix(callback.String(), u.origin)
	if status, body := u.send("GET", path, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"); status != http.StatusSeeOther {
		return fmt.Errorf("the callback answers %d %s", status, body)
	}
	return nil
}

// hup sends SIGHUP and waits until text is in the log.
func (p *process) hup(text string) {
	p.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		p.Fatal(err)
	}
	if !p.stderr.until(text, p.ended) {
		p.Fatalf("after SIGHUP, no %s:\n%s", text, p.stderr)
	}
}

// listKeys returns the lines of "keys list", and fails unless it worked.
func (s *site) listKeys() []string {
	s.Helper()
	r := cloakroom(s.T, s.dir, "keys", "list")
	if r.code != 0 {
		s.Fatalf("keys list = exit %d, %s", r.code, r.stderr)
	}
	return strings.Split(strings.TrimSpace(r.stdout), "\n")[1:]
}

// Under load a key is added, and the older one removed when keys list says so:
// no request fails, nobody is signed out (J5).
func TestRotationUnderLoad(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{AccessTTL: 2 * time.Second})
	write(t, s.dir, "config.yaml", s.config("renew_timeout: 5s", fmt.Sprintf("renew_timeout: 5s, idle: %v, absolute: %v", rotationAbsolute, rotationAbsolute),
		"level: debug", "level: info"))
	p := s.serve()
	load := s.traffic(6)
	if !p.stderr.until(`"msg":"tokens_renewed"`, p.ended) {
		t.Fatal("nothing is renewed")
	}
	if r := cloakroom(t, s.dir, "keys", "new", "data/keys"); r.code != 0 {
		t.Fatal(r.stderr)
	}
	p.hup(`"msg":"keys_changed","audit":true,"keys":2,"added":1,"removed":0,"seals":"`)
	retired := time.Now()
	lines := s.listKeys()
	if len(lines) != 2 || !strings.HasSuffix(lines[0], "no: it seals") || !strings.Contains(lines[1], "not before ") {
		t.Fatalf("keys list = %q, want the new one sealing and the older one waiting", lines)
	}

	deadline := time.After(5 * rotationAbsolute)
	for tick := time.Tick(200 * time.Millisecond); !strings.HasSuffix(s.listKeys()[1], "  yes"); {
		select {
		case <-tick:
		case <-deadline:
			t.Fatalf("the older key may never go: %q", s.listKeys())
		}
	}
	if waited := time.Since(retired); waited < rotationAbsolute-time.Second {
		t.Errorf("the older key may go after %v, but its tickets live for %v", waited, rotationAbsolute)
	}
	keys, err := os.ReadFile(s.file("data/keys"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(keys), "\n")
	write(t, s.dir, "data/keys", first+"\n")
	p.hup(`"msg":"keys_changed","audit":true,"keys":1,"added":0,"removed":1,"seals":"`)
	u := s.user()
	u.signIn()
	load.end()

	// What was sealed after the change opens with the new key alone.
	p.stop()
	p.wait()
	if strings.Contains(p.stderr.String(), strings.TrimRight(first, "=")) {
		t.Error("the log holds a key")
	}
	p = s.serve()
	if got := u.name(); got != "u-1001" {
		t.Errorf("after a restart with the new key alone, signed in as %q:\n%s", got, p.stderr)
	}
}
