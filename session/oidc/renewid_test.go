package oidc_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// D8: the ID token of a renewal.
func TestRenewedIDToken(t *testing.T) {
	tests := []struct {
		name   string
		fault  demo.Fault
		want   error // ErrIdentity, or nil
		adopts bool
	}{
		{"same user", demo.Fault{}, nil, true},
		{"same nonce", demo.Fault{}, nil, true},
		{"none", demo.Fault{EditToken: func(m map[string]any) { delete(m, "id_token") }}, nil, false},
		{"another user", demo.Fault{Subject: "u-1002"}, session.ErrIdentity, false},
		{"no user", set("sub", nil), session.ErrIdentity, false},
		{"another issuer", set("iss", "https://evil.example"), session.ErrIdentity, false},
		{"another client", set("aud", "other"), session.ErrIdentity, false},
		{"another party", set("azp", "other"), session.ErrIdentity, false},
		{"a client more", set("aud", []string{clientID, "api"}), nil, true},
		{"another sign-in", at("auth_time", time.Hour), nil, false},
		{"auth_time left out", set("auth_time", nil), nil, true},
		{"another nonce", set("nonce", "x"), nil, false},
		{"expired", at("exp", -time.Minute), nil, false},
		{"unsigned", demo.Fault{Forge: demo.ForgeNone}, nil, false},
		{"not a JWT", demo.Fault{EditToken: func(m map[string]any) { m["id_token"] = "nonsense" }}, nil, false},
		{"not base64", demo.Fault{EditToken: func(m map[string]any) { m["id_token"] = "e.#.s" }}, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			s := b.signIn()
			b.advance(time.Minute)
			b.idp.SetFaults(demo.Faults{Refresh: tt.fault})
			got, err := b.renew(s)
			if !errors.Is(err, tt.want) {
				t.Fatalf("Renew: %v, want %v", err, tt.want)
			}
			// With another identity too: somebody has to revoke them.
			if got.Access == "" || got.Access == s.Tokens.Access || got.Refresh == s.Tokens.Refresh {
				t.Error("the obtained tokens are not returned")
			}
			if err == nil && (got.ID != s.Tokens.ID) != tt.adopts {
				t.Errorf("new ID token adopted: %v, want %v", !tt.adopts, tt.adopts)
			}
			b.noSecrets("log", b.log.String())
		})
	}
}

// C2, C8, D9, D10: the other members of a token answer.
func TestTokenAnswer(t *testing.T) {
	tests := []struct {
		name    string
		member  string
		value   any
		life    time.Duration // of the access token; 0: 30s
		refresh time.Duration // of the refresh token
		scope   string        // "": openid profile email
	}{
		{"no expires_in", "expires_in", nil, 5 * time.Minute, 0, ""},
		{"as a string", "expires_in", "60", time.Minute, 0, ""},
		{"as a word", "expires_in", "soon", 5 * time.Minute, 0, ""},
		{"with a fraction", "expires_in", 60.5, time.Minute + 500*time.Millisecond, 0, ""},
		{"negative", "expires_in", -60, 5 * time.Minute, 0, ""},
		{"zero", "expires_in", 0, 5 * time.Minute, 0, ""},
		{"huge", "expires_in", 1e300, 24 * time.Hour, 0, ""},
		{"a list", "expires_in", []int{60}, 5 * time.Minute, 0, ""},
		{"refresh token's life", "refresh_expires_in", 1800, 0, 30 * time.Minute, ""},
		{"by its other name", "refresh_token_expires_in", "1800", 0, 30 * time.Minute, ""},
		{"no end", "refresh_expires_in", 0, 0, 0, ""},
		{"an end beyond time", "refresh_expires_in", 1e300, 0, 10 * 365 * 24 * time.Hour, ""},
		{"narrower scope", "scope", "openid email", 0, 0, "openid email"},
		{"wider scope", "scope", "openid admin email", 0, 0, "openid email"},
		{"no scope", "scope", nil, 0, 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			s := b.signIn()
			b.idp.SetFaults(demo.Faults{Refresh: demo.Fault{EditToken: func(m map[string]any) {
				m[tt.member] = tt.value
				if tt.value == nil {
					delete(m, tt.member)
				}
			}}})
			got, err := b.renew(s)
			if err != nil {
				t.Fatalf("Renew: %v", err)
			}
			life, scope := tt.life, tt.scope
			if life == 0 {
				life = 30 * time.Second
			}
			if scope == "" {
				scope = "openid profile email"
			}
			if d := got.Expires.Sub(got.Obtained); d != life {
				t.Errorf("life = %v, want %v", d, life)
			}
			if got.Scope != scope {
				t.Errorf("scope = %q, want %q", got.Scope, scope)
			}
			if tt.refresh == 0 != got.RefreshExpires.IsZero() || tt.refresh > 0 && got.RefreshExpires.Sub(got.Obtained) != tt.refresh {
				t.Errorf("refresh token ends %v, want after %v", got.RefreshExpires, tt.refresh)
			}
		})
	}
}

// D10: what the provider said of the refresh token's end holds until it says
// something else: rotation does not restart that clock.
func TestRefreshExpiresStays(t *testing.T) {
	b := newBench(t)
	b.idp.SetFaults(demo.Faults{Code: demo.Fault{EditToken: func(m map[string]any) { m["refresh_expires_in"] = 1800 }}})
	s := b.signIn()
	b.advance(time.Minute)
	next, err := b.renew(s)
	if err != nil {
		t.Fatalf("Renew: %v", err)
	}
	if got, want := next.RefreshExpires, s.Tokens.Obtained.Add(30*time.Minute); !got.Equal(want) {
		t.Errorf("refresh token ends %v, want %v", got, want)
	}
}

// RFC 6749, 5.1: no scope in the answer to the code means the one asked for.
func TestSignInWithoutScope(t *testing.T) {
	b := newBench(t, func(_ *demo.ProviderConfig, cfg *oidc.Config) { cfg.Scopes = []string{"openid", "email"} })
	b.idp.SetFaults(demo.Faults{Code: demo.Fault{EditToken: func(m map[string]any) { delete(m, "scope") }}})
	if got, want := b.signIn().Tokens.Scope, "openid email"; got != want {
		t.Errorf("scope = %q, want %q", got, want)
	}
}

// C2: what the access token says of itself has no effect.
func TestAccessTokenIsOpaque(t *testing.T) {
	b := newBench(t)
	b.idp.SetFaults(demo.Faults{Code: demo.Fault{
		EditToken:   func(m map[string]any) { m["access_token"] = "opaque" },
		EditIDToken: func(c map[string]any) { delete(c, "at_hash") },
	}})
	if got := b.signIn(); got.Tokens.Access != "opaque" || strings.Contains(b.log.String(), "opaque") {
		t.Error("an opaque token is not taken as it is")
	}
}
