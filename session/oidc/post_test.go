package oidc_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// C6: body and credentials go nowhere but to the endpoint.
func TestNoRedirectFollowed(t *testing.T) {
	var hits atomic.Int32
	sink := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer sink.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		b := newBench(t)
		s := b.signIn()
		fault := demo.Fault{Reply: demo.RedirectReply(status, sink.URL)}
		b.idp.SetFaults(demo.Faults{Code: fault, Refresh: fault, Revocation: fault, UserInfo: fault, JWKS: fault, Discovery: fault})

		_, err := b.renew(s)
		unavailable(t, err, "provider_redirected")
		unavailable(t, b.rp.Revoke(t.Context(), s.Tokens), "provider_redirected")
		_, err = b.finish(oidc.Params{})
		unavailable(t, err, "provider_redirected")
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("the sink got %d requests, want none", n)
	}
}

// A1, L3: identifiers and secrets with everything in them that has a meaning
// somewhere.
func TestSharedSecrets(t *testing.T) {
	for _, auth := range []string{oidc.AuthBasic, oidc.AuthPost} {
		for _, awkward := range []string{`:%+ `, `a:b%20c+d e`, `&=?/\"'`, "~!*()"} {
			t.Run(auth+" "+awkward, func(t *testing.T) {
				b := newBench(t, func(p *demo.ProviderConfig, cfg *oidc.Config) {
					p.Clients[0].ID, p.Clients[0].Secret, p.Clients[0].AuthMethod = "id"+awkward, "secret"+awkward, auth
					cfg.ClientID, cfg.ClientSecret, cfg.Auth = "id"+awkward, session.Secret("secret"+awkward), auth
				})
				s := b.signIn()
				if _, err := b.renew(s); err != nil {
					t.Errorf("Renew: %v", err)
				}
				if err := b.rp.Revoke(t.Context(), s.Tokens); err != nil {
					t.Errorf("Revoke: %v", err)
				}
				for _, call := range append(b.idp.Calls("token"), b.idp.Calls("revocation")...) {
					if call.AuthMethod != auth {
						t.Errorf("%s call authenticates with %s, want %s", call.Endpoint, call.AuthMethod, auth)
					}
				}
			})
		}
	}
}

// D13, L4, L13: every assertion is new and says what it must.
func TestAssertion(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"ECDSA": privateKey(t), "RSA": rsaKey, "Ed25519": edKey} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(p *demo.ProviderConfig, cfg *oidc.Config) {
				p.Clients[0].Secret, p.Clients[0].AuthMethod = "", oidc.AuthPrivateKeyJWT
				p.Clients[0].Keys = []jose.JSONWebKey{{Key: key.Public()}}
				cfg.ClientSecret, cfg.PrivateKey = "", key
			})
			s := b.signIn()
			for range 3 {
				next, err := b.renew(s)
				if err != nil {
					t.Fatalf("Renew: %v", err)
				}
				s.Tokens = next
			}
			if err := b.rp.Revoke(t.Context(), s.Tokens); err != nil {
				t.Errorf("Revoke: %v", err)
			}
			seen := map[string]bool{}
			for _, call := range append(b.idp.Calls("token"), b.idp.Calls("revocation")...) {
				checkAssertion(t, b, call, seen)
			}
			if len(seen) != 5 {
				t.Errorf("assertions = %d, want 5", len(seen))
			}
		})
	}
}

func checkAssertion(t *testing.T, b *bench, call demo.Call, seen map[string]bool) {
	t.Helper()
	jws, err := jose.ParseSignedCompact(call.Form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.ES256, jose.PS256, jose.EdDSA})
	if err != nil {
		t.Fatal(err)
	}
	var published jose.JSONWebKey
	if err := json.Unmarshal(b.rp.PublicKeys()[0], &published); err != nil || !published.IsPublic() {
		t.Fatalf("published key: %v", err)
	}
	if kid := jws.Signatures[0].Header.KeyID; kid == "" || kid != published.KeyID {
		t.Errorf("kid = %q, want the published key's %q", kid, published.KeyID)
	}
	payload, err := jws.Verify(published)
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Iss, Sub, Jti string
		Aud           any
		Iat, Exp, Nbf int64
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	now := b.clock().Unix()
	if c.Iss != clientID || c.Sub != clientID || c.Aud != b.idp.URL || c.Iat != now || c.Nbf > now || c.Exp <= now || c.Exp > now+60 {
		t.Errorf("assertion claims = %+v", c)
	}
	if c.Jti == "" || seen[c.Jti] {
		t.Error("jti is empty or comes twice")
	}
	seen[c.Jti] = true
}

// A1, L5: keys that are too weak or that nobody can check.
func TestPrivateKeyRefused(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	odd, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"RSA of 1024 bits": small, "P-521": odd, "none": nil} {
		t.Run(name, func(t *testing.T) {
			_, err := oidc.New(oidc.Config{
				Name: "main", Issuer: "https://id.example", ClientID: clientID, RedirectURL: redirectURL,
				Auth: oidc.AuthPrivateKeyJWT, PrivateKey: key,
			})
			if err == nil {
				t.Error("New accepts the key")
			}
		})
	}
}

// C8: no call asks for a compressed answer, so none is unpacked.
func TestNothingIsUnpacked(t *testing.T) {
	b := newBench(t)
	s := b.signIn()
	if _, err := b.renew(s); err != nil {
		t.Fatalf("Renew: %v", err)
	}
	for _, endpoint := range []string{"discovery", "jwks", "code", "refresh"} {
		for _, call := range b.idp.Calls(endpoint) {
			if got := call.Header.Get("Accept-Encoding"); got != "identity" {
				t.Errorf("%s: Accept-Encoding = %q, want identity", endpoint, got)
			}
		}
	}
}

// A12: the resource is asked for wherever tokens are.
func TestResource(t *testing.T) {
	resources := []string{"https://api.example/a", "https://api.example/b"}
	b := newBench(t, func(_ *demo.ProviderConfig, cfg *oidc.Config) { cfg.Resource = resources })
	s := b.signIn()
	if _, err := b.renew(s); err != nil {
		t.Fatalf("Renew: %v", err)
	}
	for _, call := range append(b.idp.Calls("authorize"), b.idp.Calls("token")...) {
		if got := strings.Join(call.Form["resource"], " "); got != strings.Join(resources, " ") {
			t.Errorf("%s: resource = %q, want %q", call.Endpoint, got, resources)
		}
	}
}

// I1, I2: what Revoke sends and how it ends.
func TestRevoke(t *testing.T) {
	tests := []struct {
		name   string
		mode   string
		drop   bool // no refresh token
		fault  demo.Fault
		want   string // reason; "" is success
		hint   string // of the call; "" is no call
		forget bool   // the provider has no such endpoint
	}{
		{"refresh token", oidc.RevokeAuto, false, demo.Fault{}, "", "refresh_token", false},
		{"access token", oidc.RevokeAuto, true, demo.Fault{}, "", "access_token", false},
		{"refresh token only", oidc.RevokeRefresh, false, demo.Fault{}, "", "refresh_token", false},
		{"refresh token only, but there is none", oidc.RevokeRefresh, true, demo.Fault{}, "", "", false},
		{"never", oidc.RevokeNone, false, demo.Fault{}, "", "", false},
		{"no endpoint", oidc.RevokeAuto, false, demo.Fault{}, "", "", true},
		{"unsupported_token_type", oidc.RevokeAuto, false, demo.Fault{Error: "unsupported_token_type"}, "revocation_refused", "refresh_token", false},
		{"invalid_client", oidc.RevokeAuto, false, demo.Fault{Error: "invalid_client"}, "client_refused", "refresh_token", false},
		{"down", oidc.RevokeAuto, false, demo.Fault{Error: "temporarily_unavailable"}, "provider_failed", "refresh_token", false},
		{"no answer", oidc.RevokeAuto, false, demo.Fault{DropAfter: true}, "provider_unreachable", "refresh_token", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, func(_ *demo.ProviderConfig, cfg *oidc.Config) { cfg.Revoke = tt.mode })
			if tt.forget {
				b.idp.FailNext("discovery", demo.Fault{EditMetadata: func(m map[string]any) { delete(m, "revocation_endpoint") }})
			}
			s := b.signIn()
			b.idp.SetFaults(demo.Faults{Revocation: tt.fault})
			if tt.drop {
				s.Tokens.Refresh = ""
			}
			err := b.rp.Revoke(t.Context(), s.Tokens)
			if tt.hint == "" {
				if !errors.Is(err, session.ErrNoRevocation) {
					t.Errorf("Revoke: %v, want ErrNoRevocation: nobody was told", err)
				}
			} else if (err == nil) != (tt.want == "") || err != nil && oidc.Reason(err) != tt.want {
				t.Errorf("Revoke: %v, want reason %q", err, tt.want)
			}
			calls := b.idp.Calls("revocation")
			if tt.hint == "" && len(calls) != 0 || tt.hint != "" && (len(calls) != 1 || calls[0].Form.Get("token_type_hint") != tt.hint) {
				t.Errorf("revocation calls = %d, want hint %q", len(calls), tt.hint)
			}
			if err != nil {
				b.noSecrets("error", err.Error())
			}
		})
	}
}

// A call that outlives its caller ends with its own timeout.
func TestTokenTimeoutBounds(t *testing.T) {
	b := newBench(t, func(_ *demo.ProviderConfig, cfg *oidc.Config) { cfg.TokenTimeout = 50 * time.Millisecond })
	s := b.signIn()
	gate := make(chan struct{})
	defer close(gate)
	b.idp.SetFaults(demo.Faults{Revocation: demo.Fault{Gate: gate}})
	unavailable(t, b.rp.Revoke(t.Context(), s.Tokens), "provider_unreachable")
}
