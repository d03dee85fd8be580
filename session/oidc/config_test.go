package oidc_test

import (
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/session/oidc"
)

// A1, A2, C5: New refuses what could not work or should not.
func TestConfigRefused(t *testing.T) {
	tests := []struct {
		name   string
		change func(*oidc.Config)
		want   string // in the error
	}{
		{"no name", func(c *oidc.Config) { c.Name = "" }, "name"},
		{"no issuer", func(c *oidc.Config) { c.Issuer = "" }, "issuer"},
		{"plain http", func(c *oidc.Config) { c.Issuer = "http://id.example" }, "issuer"},
		{"endpoint origin with a path", func(c *oidc.Config) { c.EndpointOrigins = []string{"https://id.example/token"} }, "endpoint origins"},
		{"issuer with a query", func(c *oidc.Config) { c.Issuer = "https://id.example?x=1" }, "issuer"},
		{"issuer with a fragment", func(c *oidc.Config) { c.Issuer = "https://id.example#" }, "issuer"},
		{"issuer with userinfo", func(c *oidc.Config) { c.Issuer = "https://a@id.example" }, "issuer"},
		{"host that only looks like loopback", func(c *oidc.Config) { c.Issuer = "http://localhost.evil.example" }, "issuer"},
		{"no client", func(c *oidc.Config) { c.ClientID = "" }, "client_id"},
		{"no secret", func(c *oidc.Config) { c.ClientSecret = "" }, "secret"},
		{"no authentication", func(c *oidc.Config) { c.Auth = "none" }, "none"},
		{"key for a secret's way", func(c *oidc.Config) { c.Auth, c.PrivateKey = oidc.AuthBasic, privateKey(t) }, "private key"},
		{"secret for a key's way", func(c *oidc.Config) { c.PrivateKey = privateKey(t) }, "client secret"},
		{"no redirect URL", func(c *oidc.Config) { c.RedirectURL = "" }, "redirect URL"},
		{"relative redirect URL", func(c *oidc.Config) { c.RedirectURL = "/bff/callback" }, "redirect URL"},
		{"post-logout URL in plain http", func(c *oidc.Config) { c.PostLogoutRedirectURL = "http://app.example" }, "post-logout"},
		{"no openid", func(c *oidc.Config) { c.Scopes = []string{"profile"} }, "openid"},
		{"two scopes in one", func(c *oidc.Config) { c.Scopes = []string{"openid", "a b"} }, "scopes"},
		{"relative resource", func(c *oidc.Config) { c.Resource = []string{"/api"} }, "resource"},
		{"another flow", func(c *oidc.Config) { c.Params = map[string]string{"response_type": "token"} }, "response_type"},
		{"another redirect", func(c *oidc.Config) { c.Params = map[string]string{"redirect_uri": "x"} }, "redirect_uri"},
		{"weaker PKCE", func(c *oidc.Config) { c.Params = map[string]string{"code_challenge_method": "plain"} }, "code_challenge_method"},
		{"a prompt nobody knows", func(c *oidc.Config) { c.Params = map[string]string{"prompt": "nonsense"} }, "params"},
		{"an age that is no number", func(c *oidc.Config) { c.Params = map[string]string{"max_age": "abc"} }, "max_age"},
		{"a revocation nobody knows", func(c *oidc.Config) { c.Revoke = "all" }, "revoke"},
		{"a hint nobody knows", func(c *oidc.Config) { c.LogoutHint = "email" }, "logout hint"},
		{"negative timeout", func(c *oidc.Config) { c.TokenTimeout = -1 }, "timeout"},
	}
	good := oidc.Config{Name: "main", Issuer: "https://id.example", ClientID: clientID, ClientSecret: secret, RedirectURL: "https://app.example/bff/callback"}
	newClient(t, good)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := good
			tt.change(&cfg)
			_, err := oidc.New(cfg)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("New: %v, want an error that names %s", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Error("the error holds the secret")
			}
		})
	}
}

// Everything that is wrong is reported at once.
func TestConfigReportsAll(t *testing.T) {
	_, err := oidc.New(oidc.Config{Scopes: []string{"profile"}})
	for _, want := range []string{"name", "issuer", "client_id", "redirect URL", "openid", "secret"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v, want it to name %s", err, want)
		}
	}
}

func TestConfigLoopback(t *testing.T) {
	for _, issuer := range []string{"http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1/realm", "https://id.example/"} {
		newClient(t, oidc.Config{Name: "main", Issuer: issuer, ClientID: clientID, ClientSecret: secret, RedirectURL: "http://localhost/cb"})
	}
}
