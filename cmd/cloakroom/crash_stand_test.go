package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// faultBinary is the program with its fault points, built when first asked for.
var faultBinary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(filepath.Dir(binary), "cloakroom-faultpoints")
	out, err := exec.Command("go", "build", "-tags", "faultpoints", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

// runAs starts a binary in the site's folder with some more environment.
func (s *site) runAs(path string, env []string, args ...string) *process {
	s.Helper()
	p := &process{site: s, cmd: exec.Command(path, args...), stdout: &output{}, stderr: &output{}, ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = s.dir, p.stdout, p.stderr
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + s.dir}, env...)
	if err := p.cmd.Start(); err != nil {
		s.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.ended) }()
	s.Cleanup(func() { p.kill(); p.checkLeaks() })
	return p
}

// serveToDie starts a process that kills itself at the fault point.
func (s *site) serveToDie(fault string) *process {
	s.Helper()
	path, err := faultBinary()
	if err != nil {
		s.Fatal(err)
	}
	p := s.runAs(path, []string{"CLOAKROOM_FAULT=" + fault}, "serve")
	if !p.stderr.until(`"msg":"serving"`, p.ended) {
		s.Fatalf("it does not serve:\n%s", p.stderr)
	}
	return p
}

// auditEvent is one audit line of a process's log.
type auditEvent struct {
	Msg, Session, Sub, Reason, Class string
	Attempt                          int
}

// events returns the audit events of that name, in order.
func (p *process) events(name string) (out []auditEvent) {
	for line := range strings.Lines(p.stderr.String()) {
		var e struct {
			auditEvent
			Audit bool
		}
		if json.Unmarshal([]byte(line), &e) == nil && e.Audit && e.Msg == name {
			out = append(out, e.auditEvent)
		}
	}
	return out
}

// every calls f, and again after each pause, until it returns true: for what a
// process or a provider does in its own time. It reports false after 20 s.
func every(pause time.Duration, f func() bool) bool {
	tick, timeout := time.NewTicker(pause), time.NewTimer(20*time.Second)
	defer tick.Stop()
	defer timeout.Stop()
	for {
		if f() {
			return true
		}
		select {
		case <-tick.C:
		case <-timeout.C:
			return false
		}
	}
}

// hasEnded reports whether the process is gone.
func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// renewUntil makes calls and asks for renewals until stop says that it is enough.
// A new token is not renewed at once, so it takes several.
func (u *user) renewUntil(stop func() bool) {
	u.Helper()
	if !every(100*time.Millisecond, func() bool {
		if stop() {
			return true
		}
		u.send("GET", anyCall)
		u.send("POST", "/bff/session/renew")
		return stop()
	}) {
		u.Fatal("no renewal happens")
	}
}

// anyCall is a call that needs a session, on an API that takes any token: what
// becomes of it is Cloakroom's doing alone.
const anyCall = "/api/public/any"

// isProblem reports whether body is a problem with that code.
func isProblem(body, code string) bool {
	var p struct{ Code, Title string }
	return json.Unmarshal([]byte(body), &p) == nil && p.Code == code && p.Title != ""
}

// tokenUses counts how often each refresh token was presented, by its hash.
func tokenUses(calls []demo.Call) map[string]int {
	uses := map[string]int{}
	for _, c := range calls {
		uses[c.TokenHash]++
	}
	return uses
}

// A release has no fault points: not even a trace of them is in the binary, and
// the variable does nothing.
func TestReleaseHasNoFaultPoints(t *testing.T) {
	code, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	for _, trace := range []string{"CLOAKROOM_FAULT", "after-response", "before-commit"} {
		if strings.Contains(string(code), trace) {
			t.Errorf("the release contains %q", trace)
		}
	}
	s := newSite(t, demo.ProviderConfig{AccessTTL: time.Minute})
	p := s.runAs(binary, []string{"CLOAKROOM_FAULT=after-create:1"}, "serve")
	if !p.stderr.until(`"msg":"serving"`, p.ended) {
		t.Fatalf("it does not serve:\n%s", p.stderr)
	}
	u := s.user()
	u.signIn()
	if status, _ := u.send("GET", anyCall); status != http.StatusOK || p.hasEnded() {
		t.Errorf("a call = %d, want 200 of a living process", status)
	}

	// The build for tests dies where it is told to; else this proves nothing.
	p.kill()
	p = s.serveToDie("after-create:1")
	u = s.user()
	callback, err := s.provider.SignIn(u.hc, s.origin+"/bff/login", "alice")
	if err != nil {
		t.Fatal(err)
	}
	status, _ := u.send("GET", strings.TrimPrefix(callback.String(), s.origin), "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate")
	<-p.ended
	if status != 0 {
		t.Errorf("the callback of a process that dies = %d, want no answer", status)
	}
}
