package main

import (
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session"
)

// TestProbe proves that each way to treat a used refresh token is recognised
// through the provider's real endpoints, and that the line to write is one that
// the configuration takes (D8, R3).
func TestProbe(t *testing.T) {
	const gone, longer = "is dead too: the grant is gone", "longer was not tried"
	for _, tt := range []struct {
		name     string
		provider demo.ProviderConfig
		want     string // the line
		said     string // among the rest
	}{
		{"one-time", demo.ProviderConfig{Refresh: demo.RefreshRotate}, "{mode: none}", gone},
		{"another one, up to a pause", demo.ProviderConfig{Refresh: demo.RefreshGrace, Grace: 35 * time.Second}, "{mode: grace, window: 35s}", gone},
		{"another one, just not up to a pause", demo.ProviderConfig{Refresh: demo.RefreshGrace, Grace: 35*time.Second - 1}, "{mode: grace, window: 15s}", "Write token_timeout: 10s or less"},
		{"another one, very shortly", demo.ProviderConfig{Refresh: demo.RefreshGrace, Grace: 5 * time.Second}, "{mode: grace, window: 5s}", "only those that break off early"},
		{"another one, for too short", demo.ProviderConfig{Refresh: demo.RefreshGrace, Grace: 3 * time.Second}, "{mode: none}", "less than 5s: too short"},
		{"another one, for long", demo.ProviderConfig{Refresh: demo.RefreshGrace, Grace: time.Hour}, "{mode: grace, window: 65s}", "mode: unlimited"},
		{"the same one", demo.ProviderConfig{Refresh: demo.RefreshSame, Grace: 30 * time.Second}, "{mode: same, window: 15s}", "the same one came as before, and works"},
		{"the same one, for long", demo.ProviderConfig{Refresh: demo.RefreshSame, Grace: time.Hour}, "{mode: same, window: 65s}", longer},
		{"the same one, for too short", demo.ProviderConfig{Refresh: demo.RefreshSame, Grace: time.Second}, "{mode: none}", "too short"},
		{"once more", demo.ProviderConfig{Refresh: demo.RefreshCount, Reuses: 1}, "{mode: count}", "use 3 was refused"},
		{"a few more times", demo.ProviderConfig{Refresh: demo.RefreshCount, Reuses: 3}, "{mode: count}", "use 5 was refused"},
		{"many more times", demo.ProviderConfig{Refresh: demo.RefreshCount, Reuses: 100}, "{mode: grace, window: 65s}", "all 5 uses were honoured"},
		{"always the first one", demo.ProviderConfig{Refresh: demo.RefreshStatic}, "{mode: unlimited}", "no other one came, nor 65s later; it works on"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProbing(t, tt.provider)
			p.start(nil)
			p.signIn()
			if code := p.end(); code != exitOK {
				t.Fatalf("exit %d, want 0:\n%s", code, p.stderr)
			}
			line := "refresh_reuse: " + tt.want
			if out := p.stdout.String(); strings.Count(out, "refresh_reuse:") != 1 || !strings.Contains(out, "\n    "+line+"\n") {
				t.Errorf("it says\n%s\nwant the line %q and no other", out, line)
			}
			for _, said := range []string{tt.said, "revoked all tokens"} {
				if !strings.Contains(p.stdout.String(), said) {
					t.Errorf("it says\n%s\nwant %q in it", p.stdout, said)
				}
			}
			p.revoked()
			if _, err := p.load("    " + line + "\n"); err != nil {
				t.Errorf("the configuration with that line: %v", err)
			}
		})
	}
}

// revoked fails the test unless each refresh token that the provider gave was
// revoked by itself: not all providers end a whole grant.
func (p *probing) revoked() {
	p.Helper()
	told := map[string]bool{}
	for _, call := range p.provider.Calls("revocation") {
		told[call.Form.Get("token")] = true
	}
	for _, secret := range p.provider.Secrets() {
		if secret.Kind == "refresh_token" && secret.Value != "" && !told[secret.Value] {
			p.Error("a refresh token was not revoked")
		}
	}
}

// TestProbeOddities covers what real providers do beside the rules: the verdict
// errs towards none.
func TestProbeOddities(t *testing.T) {
	refusal := func(code string) demo.Fault { return demo.Fault{Error: code} }
	for _, tt := range []struct {
		name   string
		mode   demo.RefreshMode
		before int // healthy renewals
		fault  demo.Fault
		want   string
		said   string
	}{
		{"a refusal that leaves the grant alone", demo.RefreshRotate, 1, refusal("invalid_grant"), "{mode: none}", "refused; the one that replaced it works"},
		{"a refusal in other words", demo.RefreshRotate, 1, refusal("invalid_request"), "{mode: none}", "not invalid_grant"}, // Dex
		{"an answer whose tokens are dead", demo.RefreshGrace, 2, refusal("invalid_grant"), "{mode: none}", "yet another one came, but is dead"},
		{"dead tokens after a pause", demo.RefreshGrace, 8, refusal("invalid_grant"), "{mode: grace, window: 5s}", "after 15s"},
		{"a young token that is not replaced", demo.RefreshSame, 0, demo.Fault{OmitRefresh: true}, "{mode: same, window: 65s}", "no other one came at first, but 65s later"}, // Dex
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProbing(t, demo.ProviderConfig{Refresh: tt.mode, Grace: time.Hour})
			p.healthy(tt.before)
			p.provider.FailNext("refresh", tt.fault)
			p.start(nil)
			p.signIn()
			if code := p.end(); code != exitOK {
				t.Fatalf("exit %d, want 0:\n%s", code, p.stderr)
			}
			out := p.stdout.String()
			if !strings.Contains(out, "refresh_reuse: "+tt.want) || !strings.Contains(out, tt.said) {
				t.Errorf("it says\n%s\nwant %q and %q", out, tt.want, tt.said)
			}
		})
	}
}

// TestVerdictModes proves that the probe's words are those of the domain and of
// the configuration.
func TestVerdictModes(t *testing.T) {
	for _, mode := range []session.ReuseMode{session.ReuseNone, session.ReuseGrace, session.ReuseSame, session.ReuseCount, session.ReuseUnlimited} {
		if line := (verdict{mode: mode}).reuse(); line != "refresh_reuse: {mode: "+string(mode)+"}" {
			t.Errorf("line of %s = %q", mode, line)
		}
	}
}
