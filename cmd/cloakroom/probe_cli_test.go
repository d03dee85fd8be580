package main_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// TestProbeCommand runs the program itself; checkLeaks sees to what it prints
// (N1).
func TestProbeCommand(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{Refresh: demo.RefreshRotate})
	p := s.run("check", "--probe-reuse", "main")
	if !p.stderr.until("Open "+s.origin+"/bff/login ", p.ended) {
		t.Fatalf("it names no address:\n%s", p.stderr)
	}
	u := s.user()
	callback, err := s.provider.SignIn(u.hc, s.origin+"/bff/login", "alice")
	if err != nil {
		t.Fatal(err)
	}
	if status, body := u.send("GET", strings.TrimPrefix(callback.String(), s.origin)); status != http.StatusOK {
		t.Errorf("the callback = %d %s", status, body)
	}
	if code := p.wait(); code != 0 || !strings.Contains(p.stdout.String(), "refresh_reuse: {mode: none}\n") {
		t.Errorf("exit %d, it says\n%s%s\nwant mode none", code, p.stdout, p.stderr)
	}
	if !strings.Contains(p.stderr.String(), "TEST user") {
		t.Errorf("it says\n%s\nwant a warning", p.stderr)
	}

	// Ctrl-C.
	p = s.run("check", "--probe-reuse", "main")
	if !p.stderr.until("Open ", p.ended) {
		t.Fatalf("it does not listen:\n%s", p.stderr)
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := p.wait(); code != 1 || !strings.Contains(p.stderr.String(), "nothing learnt: stopped") {
		t.Errorf("exit %d:\n%s\nwant 1 and that it was stopped", code, p.stderr)
	}
}

func TestProbeCommandRefusals(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	s.serve()
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"an unknown provider", []string{"--probe-reuse", "mian"}, "has no provider \"mian\"\nhint: it has: main\n"},
		{"the server is running", []string{"--probe-reuse", "main"}, "hint: the provider sends the browser back to this very address: stop Cloakroom"},
		{"no time", []string{"--probe-reuse", "main", "--probe-timeout", "0s"}, "--probe-timeout: must be positive"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := cloakroom(t, s.dir, append([]string{"check"}, tt.args...)...)
			if r.code != 1 || !strings.Contains(r.stderr, tt.want) || strings.Contains(r.stdout, "refresh_reuse") {
				t.Errorf("exit %d, %q, %q, want exit 1 and %q", r.code, r.stdout, r.stderr, tt.want)
			}
		})
	}
}
