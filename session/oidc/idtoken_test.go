package oidc_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// set returns a fault that replaces one claim; nil removes it.
func set(name string, value any) demo.Fault {
	return demo.Fault{EditIDToken: func(claims map[string]any) {
		if value == nil {
			delete(claims, name)
			return
		}
		claims[name] = value
	}}
}

// at returns a fault that sets a time, counted from the time of issue.
func at(name string, d time.Duration) demo.Fault {
	return demo.Fault{EditIDToken: func(claims map[string]any) {
		claims[name] = claims["iat"].(int64) + int64(d/time.Second)
	}}
}

// header returns a fault that replaces one member of the JOSE header.
func header(name string, value any) demo.Fault {
	return demo.Fault{EditHeader: func(h map[string]any) { h[name] = value }}
}

// refusedIDTokens are tokens that may not sign anybody in, and why.
var refusedIDTokens = []struct {
	name   string
	fault  demo.Fault
	reason string
}{
	{"alg none", demo.Fault{Forge: demo.ForgeNone}, "alg_refused"},
	{"HMAC with the client secret", demo.Fault{Forge: demo.ForgeHMACSecret}, "alg_refused"},
	{"HMAC with the public key", demo.Fault{Forge: demo.ForgeHMACPublic}, "alg_refused"},
	{"signed by another key", demo.Fault{Forge: demo.ForgeForeignKey}, "bad_signature"},
	{"signed by a key nobody published", demo.Fault{Forge: demo.ForgeUnknownKid}, "unknown_key"},
	{"signature over something else", demo.Fault{Forge: demo.ForgeSignature}, "bad_signature"},
	{"alg of another key type", header("alg", "RS256"), "bad_signature"},
	{"alg in lower case", header("alg", "es256"), "alg_refused"},
	{"header brings its own key", demo.Fault{Forge: demo.ForgeUnknownKid, EditHeader: func(h map[string]any) { h["jku"] = "http://127.0.0.1:1/keys" }}, "unknown_key"},
	{"header demands an extension", header("crit", []string{"x"}), "bad_signature"},

	{"another issuer", set("iss", "https://evil.example"), "iss_mismatch"},
	{"issuer with a slash", demo.Fault{EditIDToken: func(c map[string]any) { c["iss"] = c["iss"].(string) + "/" }}, "iss_mismatch"},
	{"no issuer", set("iss", nil), "iss_mismatch"},
	{"another audience", set("aud", "other"), "aud_mismatch"},
	{"no audience", set("aud", nil), "aud_mismatch"},
	{"empty audience", set("aud", []string{}), "aud_mismatch"},
	{"an audience that is a number", set("aud", 7), "malformed_token"},
	{"an audience too many", set("aud", []string{clientID, "other"}), "aud_untrusted"},
	{"issued to another party", set("azp", "other"), "azp_mismatch"},
	{"issued to nobody", set("azp", ""), "azp_mismatch"},

	{"no subject", set("sub", nil), "sub_missing"},
	{"empty subject", set("sub", ""), "sub_missing"},
	{"subject in capitals only", demo.Fault{EditIDToken: func(c map[string]any) { c["SUB"] = c["sub"]; delete(c, "sub") }}, "sub_missing"},
	{"subject that is a number", set("sub", 1001), "malformed_token"},
	{"endless subject", set("sub", strings.Repeat("x", 256)), "malformed_token"},

	{"expired", at("exp", -11*time.Second), "token_expired"},
	{"no expiry", set("exp", nil), "token_expired"},
	{"expiry beyond time", set("exp", 1e300), "token_expired"},
	{"not valid yet", at("nbf", 30*time.Second), "token_not_yet_valid"},
	{"nbf that is a word", set("nbf", "soon"), "token_not_yet_valid"},
	{"from the future", at("iat", 2*time.Minute), "iat_refused"},
	{"older than the request", at("iat", -time.Hour), "iat_refused"},
	{"no iat", set("iat", nil), "iat_refused"},
	{"signed in tomorrow", at("auth_time", 24*time.Hour), "auth_time_refused"},

	{"another nonce", set("nonce", "x"), "nonce_mismatch"},
	{"no nonce", set("nonce", nil), "nonce_mismatch"},
	{"empty nonce", set("nonce", ""), "nonce_mismatch"},
	{"hash of another access token", set("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), "at_hash_mismatch"},
	{"claim names without sources", set("_claim_names", map[string]string{"address": "elsewhere"}), "malformed_token"},
	{"not a JWT", demo.Fault{EditToken: func(m map[string]any) { m["id_token"] = "x.y" }}, "malformed_token"},
	{"payload replaced", demo.Fault{EditToken: func(m map[string]any) {
		parts := strings.Split(m["id_token"].(string), ".")
		m["id_token"] = parts[0] + ".e30." + parts[2]
	}}, "bad_signature"},
	{"no ID token", demo.Fault{EditToken: func(m map[string]any) { delete(m, "id_token") }}, "malformed_answer"},
}

// A5, B6, H5
func TestIDTokenRefused(t *testing.T) {
	b := newBench(t)
	for _, tt := range refusedIDTokens {
		t.Run(tt.name, func(t *testing.T) {
			b.t = t
			b.advance(time.Minute) // past the pause after an unknown key
			b.idp.SetFaults(demo.Faults{})
			req, q := b.authorize(oidc.Params{})
			b.idp.SetFaults(demo.Faults{Code: tt.fault})
			got, err := b.rp.Finish(t.Context(), req, q)
			refused(t, err, oidc.ErrToken, tt.reason)
			if got.Subject != "" || got.SID != "" || got.Claims != nil {
				t.Error("a refused sign-in names a user")
			}
			// What came is returned, but only to be revoked.
			if has, want := got.Tokens.Refresh != "", tt.reason != "malformed_answer"; has != want {
				t.Errorf("tokens to revoke: %v, want %v", has, want)
			}
			b.noSecrets("error", err.Error())
		})
	}
	b.noSecrets("log", b.log.String())
}

// B6, L13: what is only unusual signs in.
func TestIDTokenAccepted(t *testing.T) {
	tests := []struct {
		name   string
		fault  demo.Fault
		change setup
	}{
		{"no azp, one audience", set("azp", nil), nil},
		{"audience as a list", set("aud", []string{clientID}), nil},
		{"a trusted second audience", set("aud", []string{clientID, "api"}),
			func(_ *demo.ProviderConfig, cfg *oidc.Config) { cfg.TrustedAudiences = []string{"api"} }},
		{"no at_hash", set("at_hash", nil), nil},
		{"no kid", demo.Fault{EditHeader: func(h map[string]any) { delete(h, "kid") }}, nil},
		{"clock ten seconds ahead", at("nbf", 10*time.Second), nil},
		{"just expired", at("exp", -9*time.Second), nil},
		{"clock behind", at("iat", -4*time.Minute), nil},
		{"times with a fraction", demo.Fault{EditIDToken: func(c map[string]any) { c["exp"] = float64(c["iat"].(int64)) + 60.5 }}, nil},
		{"RSA", demo.Fault{},
			func(p *demo.ProviderConfig, _ *oidc.Config) { p.SigningAlg = "RS256" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var changes []setup
			if tt.change != nil {
				changes = append(changes, tt.change)
			}
			b := newBench(t, changes...)
			b.idp.SetFaults(demo.Faults{Code: tt.fault})
			if _, err := b.finish(oidc.Params{}); err != nil {
				t.Errorf("Finish: %v, want a sign-in", err)
			}
		})
	}
}

// A second audience, even a trusted one, makes azp necessary.
func TestIDTokenSeveralAudiencesNeedAzp(t *testing.T) {
	b := newBench(t, func(_ *demo.ProviderConfig, cfg *oidc.Config) { cfg.TrustedAudiences = []string{"api"} })
	b.idp.SetFaults(demo.Faults{Code: demo.Fault{EditIDToken: func(c map[string]any) {
		c["aud"] = []string{clientID, "api"}
		delete(c, "azp")
	}}})
	_, err := b.finish(oidc.Params{})
	refused(t, err, oidc.ErrToken, "azp_mismatch")
}

// B7: what was asked of the authentication is checked.
func TestRequestedAuthentication(t *testing.T) {
	minute := 60

	tests := []struct {
		name   string
		params oidc.Params
		fault  demo.Fault
		want   string // reason, "" for a sign-in
	}{
		{"young enough", oidc.Params{MaxAge: &minute}, at("auth_time", -70*time.Second), ""},
		{"too old", oidc.Params{MaxAge: &minute}, at("auth_time", -71*time.Second), "auth_time_refused"},
		{"age unknown", oidc.Params{MaxAge: &minute}, set("auth_time", nil), "auth_time_refused"},
		{"age not asked for", oidc.Params{}, at("auth_time", -24*time.Hour), ""},
		{"login asked for, old one given", oidc.Params{Prompt: "login"}, at("auth_time", -11*time.Second), "auth_time_refused"},
		{"login asked for, new one given", oidc.Params{Prompt: "login"}, at("auth_time", 0), ""},
		{"first of two acr values", oidc.Params{ACRValues: "1 2"}, set("acr", "1"), ""},
		{"second of two acr values", oidc.Params{ACRValues: "1 2"}, set("acr", "2"), ""},
		{"weaker acr", oidc.Params{ACRValues: "2"}, set("acr", "1"), "acr_mismatch"},
		{"no acr", oidc.Params{ACRValues: "2"}, set("acr", nil), "acr_mismatch"},
		{"acr not asked for", oidc.Params{}, set("acr", "0"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.idp.SetFaults(demo.Faults{Code: tt.fault})
			_, err := b.finish(tt.params)
			if tt.want != "" {
				refused(t, err, oidc.ErrToken, tt.want)
			} else if err != nil {
				t.Errorf("Finish: %v, want a sign-in", err)
			}
		})
	}
}
