package oidc_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
)

const postLogout = "http://127.0.0.1:1/bff/logout/callback"

// I3: where a browser is sent to end the provider's session.
func TestEndSession(t *testing.T) {
	tests := []struct {
		name   string
		hint   string
		back   string
		idSize int // 0: as issued
		want   []string
	}{
		{"ID token", oidc.HintIDToken, postLogout, 0, []string{"client_id", "id_token_hint", "post_logout_redirect_uri", "state"}},
		{"subject", oidc.HintSub, postLogout, 0, []string{"client_id", "logout_hint", "post_logout_redirect_uri", "state"}},
		{"no hint", oidc.HintNone, postLogout, 0, []string{"client_id", "post_logout_redirect_uri", "state"}},
		{"nowhere to come back to", oidc.HintIDToken, "", 0, []string{"client_id", "id_token_hint"}},
		{"ID token too long for a URL", oidc.HintIDToken, postLogout, 7000, []string{"client_id", "post_logout_redirect_uri", "state"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, func(_ *demo.ProviderConfig, cfg *oidc.Config) {
				cfg.LogoutHint, cfg.PostLogoutRedirectURL = tt.hint, tt.back
			})
			s := b.signIn()
			if tt.idSize > 0 {
				s.Tokens.ID = session.Secret(strings.Repeat("x", tt.idSize))
			}
			to, err := b.rp.EndSession(t.Context(), s.Identity, s.Tokens, "st")
			if err != nil {
				t.Fatalf("EndSession: %v", err)
			}
			u, err := url.Parse(to)
			if err != nil || !strings.HasPrefix(to, b.idp.URL+"/logout?") {
				t.Fatalf("EndSession leads elsewhere: %v", err)
			}
			q := u.Query()
			if len(q) != len(tt.want) {
				t.Errorf("%d parameters, want %v", len(q), tt.want)
			}
			for _, name := range tt.want {
				if q.Get(name) == "" {
					t.Errorf("%s is missing", name)
				}
			}
			if q.Has("id_token_hint") && q.Get("id_token_hint") != s.Tokens.ID.Reveal() || q.Has("logout_hint") && q.Get("logout_hint") != s.Subject {
				t.Error("the hint is of somebody else")
			}
		})
	}
}

func TestEndSessionEndpointWithQuery(t *testing.T) {
	b := newBench(t)
	b.idp.SetFaults(demo.Faults{Discovery: demo.Fault{EditMetadata: func(m map[string]any) { m["end_session_endpoint"] = "https://id.example/out?p=1" }}})
	to, err := b.rp.EndSession(t.Context(), session.Identity{}, session.Tokens{}, "")
	if want := "https://id.example/out?p=1&client_id=spa"; err != nil || to != want {
		t.Errorf("EndSession = %q, %v, want %q", to, err, want)
	}
}

func TestEndSessionWithoutEndpoint(t *testing.T) {
	b := newBench(t)
	b.idp.SetFaults(demo.Faults{Discovery: demo.Fault{EditMetadata: func(m map[string]any) { delete(m, "end_session_endpoint") }}})
	s := b.signIn()
	if to, err := b.rp.EndSession(t.Context(), s.Identity, s.Tokens, "st"); to != "" || err != nil {
		t.Errorf("EndSession = %q, %v, want nowhere", to, err)
	}
}

// I1: a provider that does not answer holds nobody up.
func TestEndSessionWhenProviderHangs(t *testing.T) {
	b := newBench(t)
	gate := make(chan struct{})
	defer close(gate)
	b.idp.SetFaults(demo.Faults{Discovery: demo.Fault{Gate: gate}})
	start := time.Now()
	_, err := b.rp.EndSession(t.Context(), session.Identity{}, session.Tokens{}, "st")
	unavailable(t, err, "provider_unreachable")
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %v, want about two seconds", d)
	}
}
