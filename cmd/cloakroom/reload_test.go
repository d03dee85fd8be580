package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// inFolder is a configuration whose files lie in a folder of its own.
func inFolder(t *testing.T) *Config {
	t.Helper()
	dir := t.TempDir()
	cfg := DefaultConfig()
	cfg.PublicURL = mustURL("https://app.example.com")
	cfg.KeysFile, cfg.Store.Bolt.Path = filepath.Join(dir, "keys"), filepath.Join(dir, "sessions.db")
	cfg.Admin.TokenFile = filepath.Join(dir, "admin-token")
	return cfg
}

// wired is an app that does not listen, in a folder of its own. edit may be nil.
func wired(t *testing.T, log *bytes.Buffer, edit func(*Config)) *app {
	t.Helper()
	cfg := inFolder(t)
	if edit != nil {
		edit(cfg)
	}
	a, err := wire(cfg, nil, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(a.manager.Close(ctx), a.closeFiles()); err != nil {
			t.Error(err)
		}
	})
	return a
}

// scrape returns what GET /metrics answers.
func (a *app) scrape(t *testing.T) string {
	t.Helper()
	var draining atomic.Bool
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "http://localhost/metrics", nil)
	a.adminHandler(&draining).ServeHTTP(w, r)
	if w.Code != 200 {
		t.Fatalf("/metrics = %d", w.Code)
	}
	return w.Body.String()
}

// The key file is read when it has changed and has come to rest; one that can't
// be used changes nothing and is reported once, as is that it is good again; whoever
// asks is told in any case (J5).
func TestKeyWatch(t *testing.T) {
	var log bytes.Buffer
	a := wired(t, &log, nil)
	first, err := os.ReadFile(a.cfg.KeysFile)
	if err != nil {
		t.Fatal(err)
	}
	second, third := session.NewKey()+"\n", session.NewKey()+"\n"
	w := a.watchKeys(a.keyIDs)
	hup := func() { w.asked(t.Context()) }
	look := func() { w.look(t.Context()) }
	put := func(content string) func() {
		return func() {
			if err := os.WriteFile(a.cfg.KeysFile, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func() { _ = os.Remove(a.cfg.KeysFile) }
	for _, tt := range []struct {
		name  string
		steps []func()
		want  string // in the new lines of the log; empty: there are none
		valid string // the metric
	}{
		{"untouched", []func(){look, look, look}, "", "1"},
		{"changed a moment ago", []func(){put(second + string(first)), look}, "", "1"},
		{"at rest", []func(){look}, "msg=keys_changed audit=true keys=2 added=1 removed=0", "1"},
		{"already read", []func(){look, look}, "", "1"},
		{"asked about what is read", []func(){hup}, "nothing changed", "1"},
		{"only half written yet", []func(){put(second), look, put(third + second + string(first)), look}, "", "1"},
		{"written", []func(){look}, "msg=keys_changed audit=true keys=3 added=1 removed=0", "1"},
		{"no keys", []func(){put("no sense\n"), look, look}, "not base64", "0"},
		{"no keys still", []func(){look, look}, "", "0"},
		{"asked about", []func(){hup}, "not base64", "0"},
		{"without the key that seals", []func(){put(second + string(first)), look, look}, "the key that seals now (" + shortIDOf(t, third) + ") is missing", "0"},
		{"gone", []func(){remove, look, look}, "no such file", "0"},
		{"gone still", []func(){look, look}, "", "0"},
		{"mended", []func(){put(third + second + string(first)), look, look}, "keys_file is good again", "1"},
		{"still good", []func(){look, look}, "", "1"},
		{"wrong once more", []func(){put("no sense\n"), hup}, "not base64", "0"},
		{"mended when asked", []func(){put(third + second + string(first)), hup}, "keys_file is good again", "1"},
		{"without the oldest", []func(){put(third + second), hup}, "msg=keys_changed audit=true keys=2 added=0 removed=1", "1"},
	} {
		before := log.Len()
		for _, step := range tt.steps {
			step()
		}
		said := log.String()[before:]
		if !strings.Contains(said, tt.want) || (said == "") != (tt.want == "") || strings.Count(said, "\n") > 1 {
			t.Errorf("%s: it says %q, want one line with %q", tt.name, said, tt.want)
		}
		if got := a.scrape(t); !strings.Contains(got, "\ncloakroom_keys_file_valid "+tt.valid+"\n") {
			t.Errorf("%s: want cloakroom_keys_file_valid %s", tt.name, tt.valid)
		}
	}
	for _, key := range []string{string(first), second, third, "no sense"} {
		if strings.Contains(log.String(), strings.TrimSpace(key)) {
			t.Error("the log holds what stands in the key file")
		}
	}
}

func shortIDOf(t *testing.T, line string) string {
	t.Helper()
	ring, err := session.ParseKeyring([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	return shortID(ring.IDs()[0])
}

// The watch's own goroutine looks at each tick, reads at each signal, and ends.
func TestKeyWatchRuns(t *testing.T) {
	var log bytes.Buffer
	a := wired(t, &log, nil)
	tick, hup := make(chan time.Time), make(chan os.Signal)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { a.watchKeys(a.keyIDs).run(ctx, tick, hup); close(done) }()
	if _, err := addKey(a.cfg.KeysFile); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		tick <- time.Time{}
	}
	if _, err := addKey(a.cfg.KeysFile); err != nil {
		t.Fatal(err)
	}
	hup <- os.Interrupt
	cancel()
	<-done
	for _, want := range []string{"keys=2 added=1", "SIGHUP", "keys=3 added=1"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, log.String())
		}
	}
}

// A key may go when nothing carries it and what it sealed has run out; in doubt
// it stays.
func TestMayGo(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	const absolute = time.Hour
	for _, tt := range []struct {
		name string
		use  session.KeyUse
		want string
	}{
		{"seals", session.KeyUse{Seals: true}, "no: it seals"},
		{"seals again", session.KeyUse{Seals: true, Retired: now.Add(-2 * absolute)}, "no: it seals"},
		{"just retired", session.KeyUse{Retired: now}, "not before 2026-01-02 13:00:00 UTC"},
		{"just before its time", session.KeyUse{Retired: now.Add(time.Second - absolute)}, "not before 2026-01-02 12:00:01 UTC"},
		{"at its time", session.KeyUse{Retired: now.Add(-absolute)}, "yes"},
		{"heads left", session.KeyUse{Retired: now.Add(-absolute), Heads: 2}, "not yet: 2 sealed"},
		{"tokens left", session.KeyUse{Retired: now.Add(-absolute), Tokens: 1}, "not yet: 1 sealed"},
		{"a revocation left", session.KeyUse{Retired: now.Add(-absolute), Revocations: 1}, "not yet: 1 sealed"},
		{"new in second place", session.KeyUse{}, "yes, unless it is to seal soon: it never did here"},
		{"retired nobody knows when", session.KeyUse{Tokens: 3}, "not yet: 3 sealed, since when it does not seal is not known"},
		{"missing", session.KeyUse{Missing: true, Heads: 1, Retired: now.Add(-absolute)}, "it is not in keys_file: what it sealed does not open"},
	} {
		if got := mayGo(tt.use, absolute, now); got != tt.want {
			t.Errorf("%s: may go: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// What a record says of a provider that is not configured any more makes no
// series of its own (N8).
func TestMetricsOfStrangers(t *testing.T) {
	var log bytes.Buffer
	a := wired(t, &log, nil)
	for i := range 100 {
		name := "stranger" + strconv.Itoa(i)
		a.metrics.Began(name)
		a.metrics.Ended(name, session.ReasonIdle)
		a.metrics.Renewal(name, session.OutcomeRenewed, time.Second)
		a.metrics.Rotation(name, true)
		a.metrics.Reuse(name, true)
		a.metrics.Breaker(name, true)
	}
	a.metrics.Revocations(3, time.Now().Add(-time.Hour))
	text := a.scrape(t)
	if strings.Contains(text, "stranger") || !strings.Contains(text, `cloakroom_sessions_begun_total{provider="unconfigured"} 100`) {
		t.Error("a provider that is not configured has series of its own")
	}
	if !strings.Contains(text, "\ncloakroom_revocations_pending 3\n") || !strings.Contains(text, "\ncloakroom_revocations_oldest_seconds 36") {
		t.Error("the revocations are not told")
	}
	a.metrics.Revocations(0, time.Time{})
	if text := a.scrape(t); !strings.Contains(text, "\ncloakroom_revocations_oldest_seconds 0\n") {
		t.Error("there are none any more, but the oldest has an age")
	}
}
