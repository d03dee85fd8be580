package main_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// The demo is there within seconds and shows the main job, with nothing but the
// binary; it leaves nothing behind.
func TestDemo(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{}) // for its folder and its checks only
	port, idp := freePort(t), freePort(t)
	s.origin = "http://localhost:" + port
	begun := time.Now()
	p := s.run("demo", "-v", "--listen", "127.0.0.1:"+port, "--provider", "127.0.0.1:"+idp)
	if !p.stderr.until("msg=serving", p.ended) {
		t.Fatalf("it does not serve:\n%s%s", p.stdout, p.stderr)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v to start", took)
	}
	for _, want := range []string{"Open      " + s.origin, "alice, bob, carol", "http://127.0.0.1:" + idp, "Ctrl-C"} {
		if !p.stdout.until(want, p.ended) {
			t.Errorf("it does not say %q:\n%s", want, p.stdout)
		}
	}
	u := s.user()
	if status, body := u.send("GET", "/"); status != http.StatusOK || !strings.Contains(body, "<html") {
		t.Errorf("the app = %d %s", status, body)
	}
	// A provider that does not listen lends its browser, for the demo's own.
	var err error
	s.provider.Provider, err = demo.NewProvider(demo.ProviderConfig{Issuer: "http://127.0.0.1:" + idp})
	if err != nil {
		t.Fatal(err)
	}
	u.signIn()
	if status, body := u.send("GET", "/api/whoami"); status != http.StatusOK || !strings.Contains(body, `"sub":"u-1001"`) {
		t.Errorf("a call = %d %s", status, body)
	}
	if status, body := u.send("POST", "/bff/logout"); status != http.StatusOK || !strings.Contains(body, "http://127.0.0.1:"+idp+"/") {
		t.Errorf("logout = %d %s", status, body)
	}
	folders := func() []string {
		found, _ := filepath.Glob(s.file("cloakroom-demo-*"))
		return found
	}
	if len(folders()) != 1 {
		t.Errorf("temporary folders %v, want 1", folders())
	}
	p.stop()
	if code := p.wait(); code != 0 {
		t.Errorf("exit %d:\n%s", code, p.stderr)
	}
	if left := folders(); len(left) != 0 {
		t.Errorf("it left %v", left)
	}
}

// A port that is taken is said to be, and how to choose another.
func TestDemoPortInUse(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	taken := strings.TrimPrefix(s.provider.URL, "http://")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--provider", taken, "--listen", "127.0.0.1:" + freePort(t)}, "--provider 127.0.0.1:PORT"},
		{[]string{"--listen", taken, "--provider", "127.0.0.1:" + freePort(t)}, "hint: "},
		{[]string{"--listen", "8080"}, "--listen takes HOST:PORT"},
	} {
		p := s.run(append([]string{"demo"}, tt.args...)...)
		if code := p.wait(); code != 1 || !strings.Contains(p.stderr.String(), tt.want) {
			t.Errorf("demo %v = exit %d:\n%s", tt.args, code, p.stderr)
		}
	}
}
