package main_test

import (
	"net/http"
	"path/filepath"
	"regexp"
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
	p := s.run("demo", "-v", "--listen", "127.0.0.1:"+port, "--provider", "127.0.0.1:"+idp, "--idle", "90s")
	if !p.stderr.until("msg=serving", p.ended) {
		t.Fatalf("it does not serve:\n%s%s", p.stdout, p.stderr)
	}
	if strings.Contains(p.stderr.String(), "level=WARN") {
		t.Errorf("it warns of its own settings:\n%s", p.stderr)
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
	if status, body := u.send("GET", "/bff/session"); status != http.StatusOK || !regexp.MustCompile(`"idle_expires_in":(90|8\d),`).MatchString(body) {
		t.Errorf("the session = %d %s, want 90 s of idle time", status, body)
	}
	if status, body := u.send("POST", "/bff/logout"); status != http.StatusOK || !strings.Contains(body, "http://127.0.0.1:"+idp+"/") {
		t.Errorf("logout = %d %s", status, body)
	}
	// A logout that begins at the provider is seen here too.
	u.signIn()
	res, err := u.hc.Get("http://127.0.0.1:" + idp + "/logout")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if !p.stderr.until("reason=backchannel_logout sessions=1", p.ended) || u.name() != "" {
		t.Errorf("signed out at the provider, %q is still signed in here:\n%s", u.name(), p.stderr)
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

// For a configuration of one's own the development provider knows one more
// client, and where its users may come back to.
func TestDemoClient(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	const app = "http://localhost:3000/bff/callback"
	issuer, api := "http://127.0.0.1:"+freePort(t), freePort(t)
	p := s.run("demo", "--listen", "0", "--provider", strings.TrimPrefix(issuer, "http://127.0.0.1:"), "--api", api,
		"--redirect-uri", app, "--client-id", "mine", "--client-secret", "its-secret")
	for _, want := range []string{"Open      http://localhost:", "Client    mine, for " + app + ", with the secret of --client-secret", "API       http://127.0.0.1:" + api} {
		if !p.stdout.until(want, p.ended) {
			t.Fatalf("it does not say %q:\n%s%s", want, p.stdout, p.stderr)
		}
	}
	if strings.Contains(p.stdout.String(), "its-secret") {
		t.Error("it prints the secret")
	}
	hc := s.user().hc
	res, err := hc.Get("http://127.0.0.1:" + api + "/public/whoami")
	if err != nil {
		t.Fatal(err)
	}
	if _ = res.Body.Close(); res.StatusCode != http.StatusOK {
		t.Errorf("the API = %d, want %d", res.StatusCode, http.StatusOK)
	}
	for path, want := range map[string]int{
		"/authorize?client_id=mine&redirect_uri=" + app:                                                      http.StatusSeeOther,
		"/authorize?client_id=mine&redirect_uri=" + app + "/other":                                           http.StatusBadRequest,
		"/logout?client_id=mine&post_logout_redirect_uri=http://localhost:3000/bff/logout/callback":          http.StatusSeeOther,
		"/logout?client_id=mine&post_logout_redirect_uri=http://localhost:3000/bff/callback/logout/callback": http.StatusBadRequest,
	} {
		res, err := hc.Get(issuer + path)
		if err != nil {
			t.Fatal(err)
		}
		if _ = res.Body.Close(); res.StatusCode != want {
			t.Errorf("%s = %d, want %d", path, res.StatusCode, want)
		}
	}
}

// The secret that nobody chose is told.
func TestDemoClientSecret(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	p := s.run("demo", "--listen", "0", "--provider", "0", "--redirect-uri", "http://localhost:3000/bff/callback")
	if !p.stdout.until("with the secret app-secret", p.ended) {
		t.Errorf("it says:\n%s%s", p.stdout, p.stderr)
	}
}

// A port that is taken is said to be, both at once, with a command that works.
func TestDemoPortInUse(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	taken := strings.TrimPrefix(s.provider.URL, "http://")
	other, err := demo.StartProvider(demo.ProviderConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	alsoTaken := strings.TrimPrefix(other.URL, "http://")
	free := "127.0.0.1:" + freePort(t)
	for _, tt := range []struct {
		name                  string
		listen, provider, api string
		want                  []string
	}{
		{"the provider's", free, taken, "0", []string{"--provider " + taken + ": bind: address already in use", "--listen " + free + " --provider 127.0.0.1:"}},
		{"the app's", taken, free, "0", []string{"--listen " + taken + ": bind: address already in use", "--provider " + free}},
		{"both", taken, alsoTaken, "0", []string{"--listen " + taken + ": bind: ", "--provider " + alsoTaken + ": bind: "}},
		{"a port alone", strings.TrimPrefix(taken, "127.0.0.1:"), free, "0", []string{"--listen " + taken + ": bind: "}},
		{"the API's", free, "0", taken, []string{"--api " + taken + ": bind: ", "--listen " + free + " --provider 127.0.0.1:0 --api 127.0.0.1:"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := s.run("demo", "--listen", tt.listen, "--provider", tt.provider, "--api", tt.api)
			if code := p.wait(); code != 1 {
				t.Errorf("exit %d, want 1", code)
			}
			for _, want := range append(tt.want, "hint: try: cloakroom demo --listen 127.0.0.1:") {
				if !strings.Contains(p.stderr.String(), want) {
					t.Errorf("it does not say %q:\n%s", want, p.stderr)
				}
			}
			hint := p.stderr.String()[strings.Index(p.stderr.String(), "hint: "):]
			if strings.Contains(hint, taken+"\n") || strings.Contains(hint, taken+" ") {
				t.Errorf("it proposes the address that is taken: %s", hint)
			}
		})
	}
}
