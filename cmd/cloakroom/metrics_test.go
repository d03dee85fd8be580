package main_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// series are the lines of a scrape that are ours, without values.
func series(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if name, _, ok := strings.Cut(strings.TrimSpace(line), " "); ok && strings.HasPrefix(line, "cloakroom_") {
			out = append(out, name)
		}
	}
	return out
}

// A scrape counts what has happened and names nobody: no user, no session, no
// address, no path, nothing secret (N1, N8). Its series do not grow with users.
func TestMetrics(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{AccessTTL: 2 * time.Second})
	p := s.serve()
	status, before := s.ask("/metrics", nil)
	if status != http.StatusOK {
		t.Fatalf("/metrics = %d", status)
	}
	u := s.user()
	for range 3 {
		u.signIn()
		u.send("GET", "/api/whoami")
		u.send("POST", "/bff/logout")
	}
	u.signIn()
	u.send("GET", "/bff/callback?state=x&code=y")
	u.send("GET", "/nothing.js")
	for tick := time.Tick(50 * time.Millisecond); !strings.Contains(p.stderr.String(), `"tokens_renewed"`); <-tick {
		if status, body := u.send("GET", "/api/whoami"); status != http.StatusOK {
			t.Fatalf("a call = %d %s", status, body)
		}
	}
	_, after := s.ask("/metrics", nil)
	for _, want := range []string{
		`cloakroom_sessions_begun_total{provider="main"} 4`,
		`cloakroom_sessions_loaded_total{provider="main"} 0`,
		`cloakroom_sessions_ended_total{provider="main",reason="logout"} 3`,
		`cloakroom_sessions_ended_total{provider="main",reason="ticket_replayed"} 0`,
		`cloakroom_renewals_total{outcome="renewed",provider="main"} 1`,
		`cloakroom_renewals_total{outcome="refused",provider="main"} 0`,
		`cloakroom_renewal_seconds_count{provider="main"} 1`,
		`cloakroom_refresh_rotations_total{provider="main",rotated="true"} 1`,
		`cloakroom_refresh_reuse_total{honoured="false",provider="main"} 0`,
		`cloakroom_breaker_open{provider="main"} 0`,
		`cloakroom_refusals_total{code="login_expired"} 1`,
		`cloakroom_refusals_total{code="cross_site"} 0`,
		`cloakroom_sign_ins_refused_total{reason="login_expired"} 1`,
		`cloakroom_sign_ins_refused_total{reason="client_refused"} 0`,
		`cloakroom_revocations_pending 0`,
		`cloakroom_revocations_oldest_seconds 0`,
		`cloakroom_sessions_in_memory 1`,
		`cloakroom_store_ready 1`,
		`cloakroom_store_sound 1`,
		`cloakroom_keys_file_valid 1`,
		`version="v1.2.3-test`,
		`go_goroutines `,
		`process_resident_memory_bytes `,
	} {
		if !strings.Contains(after, want) {
			t.Errorf("the scrape has no %s", want)
		}
	}
	if added := slices.DeleteFunc(series(after), func(name string) bool { return slices.Contains(series(before), name) }); len(added) > 4 {
		t.Errorf("series that were not there at the start: %v, want one for the reason logout, and three for refusals", added)
	}
	p.stop()
	p.wait()
	s.serve()
	if status, body := u.send("GET", "/api/whoami"); status != http.StatusOK {
		t.Fatalf("a call after a restart = %d %s", status, body)
	}
	if _, again := s.ask("/metrics", nil); !strings.Contains(again, `cloakroom_sessions_loaded_total{provider="main"} 1`) {
		t.Error("a session that was read from the store is not counted")
	}
	for _, secret := range s.provider.Secrets() {
		if strings.Contains(after, secret.Value) {
			t.Errorf("the scrape holds a %s", secret.Kind)
		}
	}
	for _, name := range []string{"u-1001", "alice", "whoami", "127.0.0.1", "localhost", canary, s.token()} {
		if strings.Contains(after, name) {
			t.Errorf("the scrape holds %q", name)
		}
	}
}

// Names follow the conventions, each metric says what to do about it, and all of
// them stand in the guide.
func TestMetricNames(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	s.serve()
	_, text := s.ask("/metrics", nil)
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Error(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "cloakroom_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	guide := read(t, "docs/operating.md")
	found := regexp.MustCompile(`(?m)^# HELP (cloakroom_\w+) (.*)\n# TYPE \w+ (\w+)$`).FindAllStringSubmatch(text, -1)
	if len(found) < 11 {
		t.Fatalf("found %d metrics, want all of them", len(found))
	}
	for _, match := range found {
		name, help, kind := match[1], match[2], match[3]
		if strings.HasSuffix(name, "_total") != (kind == "counter") {
			t.Errorf("%s is a %s", name, kind)
		}
		if !strings.HasSuffix(help, ".") || len(help) < 20 {
			t.Errorf("%s says only %q", name, help)
		}
		if !strings.Contains(guide, "`"+name) {
			t.Errorf("docs/operating.md does not explain %s", name)
		}
	}
}
