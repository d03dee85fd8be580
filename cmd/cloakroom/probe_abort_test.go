package main

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// nothing fails the test if a probe that failed recommends something all the
// same.
func (p *probing) nothing(code int, want, hint string) {
	p.Helper()
	said := p.stderr.String()
	if code != exitFailed || !strings.Contains(said, "nothing learnt: ") || !strings.Contains(said, want) || !strings.Contains(said, "\nhint: "+hint) {
		p.Errorf("exit %d, it says\n%s\nwant exit 1, %q and the hint %q", code, said, want, hint)
	}
	if out := p.stdout.String(); strings.Contains(out, "refresh_reuse") {
		p.Errorf("it recommends something:\n%s", out)
	}
}

// TestProbeAmbiguous proves that an answer which says nothing of the token is
// taken for nothing, and that what was obtained is revoked.
func TestProbeAmbiguous(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before int // healthy renewals
		fault  demo.Fault
		want   string
	}{
		{"a fault at the first use", 0, demo.Fault{Reply: demo.JSONReply(503, "{}")}, "provider_failed"},
		{"a refusal of the first use", 0, demo.Fault{Error: "invalid_grant"}, "refused a refresh token that was not used before"},
		{"a fault at the second use", 1, demo.Fault{Reply: demo.JSONReply(500, "{}")}, "provider_failed"},
		{"a gateway that gave up", 1, demo.Fault{Reply: demo.JSONReply(504, "{}")}, "gateway_timeout"},
		{"too many calls", 1, demo.Fault{Reply: demo.JSONReply(429, `{"error":"invalid_grant"}`)}, "provider_busy"},
		{"our secret is refused", 1, demo.Fault{Error: "invalid_client"}, "client_refused"},
		{"no answer", 1, demo.Fault{DropAfter: true}, "no_answer"},
		{"half an answer", 1, demo.Fault{ReplyAfter: &demo.Reply{Body: []byte(`{"access`)}}, "malformed_answer"},
		{"another user's tokens", 1, demo.Fault{Subject: "u-1002"}, "user_changed"},
		{"a fault after a pause", 4, demo.Fault{Reply: demo.JSONReply(503, "{}")}, "provider_failed"},
		{"not replaced any more", 3, demo.Fault{OmitRefresh: true}, "at some times and not at others"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProbing(t, demo.ProviderConfig{Refresh: demo.RefreshGrace, Grace: time.Hour})
			p.healthy(tt.before)
			p.provider.FailNext("refresh", tt.fault)
			if tt.fault.OmitRefresh {
				p.provider.FailNext("refresh", tt.fault)
			}
			p.start(nil)
			p.signIn()
			p.nothing(p.end(), tt.want, "try again")
		})
	}
}

func TestProbeWithoutRefreshToken(t *testing.T) {
	p := newProbing(t, demo.ProviderConfig{})
	p.provider.FailNext("code", demo.Fault{OmitRefresh: true})
	p.start(nil)
	p.signIn()
	// There is no refresh token to be refused, so the provider counts the grant.
	p.provider.RevokeFamilies("")
	p.nothing(p.end(), "gave no refresh token", "does the provider want the scope offline_access")
}

// The sign-in fails after the code was spent: the tokens are of no use, and
// revoked.
func TestProbeSignInFails(t *testing.T) {
	p := newProbing(t, demo.ProviderConfig{})
	p.provider.FailNext("code", demo.Fault{EditIDToken: func(c map[string]any) { c["nonce"] = "another" }})
	p.start(nil)
	if status, body := p.get(p.walk().String()); status != http.StatusBadGateway {
		t.Errorf("the callback = %d %s, want 502", status, body)
	}
	p.nothing(p.end(), "nonce_mismatch", "try again")
}

// TestProbeStopped proves that a signal ends the probe at any time, with
// everything revoked and the address free.
func TestProbeStopped(t *testing.T) {
	t.Run("before the sign-in", func(t *testing.T) {
		p := newProbing(t, demo.ProviderConfig{})
		p.start(nil)
		p.stop()
		p.nothing(p.end(), "stopped", "try again")
		l, err := listenPublic(mustLoad(p))
		if err != nil {
			t.Fatalf("the address is not free: %v", err)
		}
		_ = l.Close()
	})
	t.Run("in a pause", func(t *testing.T) {
		p := newProbing(t, demo.ProviderConfig{Refresh: demo.RefreshGrace, Grace: time.Hour})
		p.start(func(run *probe) {
			run.pause = func(ctx context.Context, d time.Duration) error { p.stop(); return pause(ctx, d) }
		})
		p.signIn()
		p.nothing(p.end(), "stopped", "try again")
		if !strings.Contains(p.stdout.String(), "sent it again at once") {
			t.Errorf("it says\n%s\nwant what was seen so far", p.stdout)
		}
	})
}

func mustLoad(p *probing) *Config {
	p.Helper()
	cfg, err := p.load("")
	if err != nil {
		p.Fatal(err)
	}
	return cfg
}

func TestProbeTimeout(t *testing.T) {
	p := newProbing(t, demo.ProviderConfig{})
	p.start(func(run *probe) { run.timeout = 50 * time.Millisecond })
	p.nothing(p.end(), "--probe-timeout has passed", "try again with a longer one")
}
