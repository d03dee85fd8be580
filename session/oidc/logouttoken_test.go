package oidc_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session/oidc"
)

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// honestLogout is what a provider sends.
func honestLogout() demo.Logout {
	return demo.Logout{Client: clientID, Subject: "u-1001", SID: "sid-1"}
}

// claim returns an edit that replaces one claim; nil removes it.
func claim(name string, value any) func(claims, header map[string]any) {
	return func(claims, _ map[string]any) {
		if value == nil {
			delete(claims, name)
			return
		}
		claims[name] = value
	}
}

// moment returns an edit that sets a time, counted from the time of issue.
func moment(name string, d time.Duration) func(claims, header map[string]any) {
	return func(claims, _ map[string]any) { claims[name] = claims["iat"].(int64) + int64(d/time.Second) }
}

// joseHeader returns an edit that replaces one member of the header; nil
// removes it.
func joseHeader(name string, value any) func(claims, header map[string]any) {
	return func(_, header map[string]any) {
		if value == nil {
			delete(header, name)
			return
		}
		header[name] = value
	}
}

func events(value any) func(claims, header map[string]any) {
	return claim("events", map[string]any{logoutEvent: value})
}

// refusedLogouts are tokens that may end nobody's session, and why.
var refusedLogouts = []struct {
	name   string
	forge  demo.Forgery
	edit   func(claims, header map[string]any)
	reason string
}{
	{"alg none", demo.ForgeNone, nil, "alg_refused"},
	{"HMAC with the client secret", demo.ForgeHMACSecret, nil, "alg_refused"},
	{"HMAC with the public key", demo.ForgeHMACPublic, nil, "alg_refused"},
	{"signed by another key", demo.ForgeForeignKey, nil, "bad_signature"},
	{"signed by a key nobody published", demo.ForgeUnknownKid, nil, "unknown_key"},
	{"signature over something else", demo.ForgeSignature, nil, "bad_signature"},
	{"header demands an extension", demo.Genuine, joseHeader("crit", []string{"x"}), "bad_signature"},

	{"typ of an ID token", demo.Genuine, joseHeader("typ", "JWT"), "typ_refused"},
	{"typ of an access token", demo.Genuine, joseHeader("typ", "at+jwt"), "typ_refused"},
	{"no typ", demo.Genuine, joseHeader("typ", nil), "typ_refused"},
	{"typ that is a number", demo.Genuine, joseHeader("typ", 7), "typ_refused"},

	{"another issuer", demo.Genuine, claim("iss", "https://evil.example"), "iss_mismatch"},
	{"issuer with a slash", demo.Genuine, func(c, _ map[string]any) { c["iss"] = c["iss"].(string) + "/" }, "iss_mismatch"},
	{"no issuer", demo.Genuine, claim("iss", nil), "iss_mismatch"},
	{"issuer in capitals only", demo.Genuine, func(c, _ map[string]any) { c["ISS"] = c["iss"]; delete(c, "iss") }, "iss_mismatch"},
	{"another audience", demo.Genuine, claim("aud", "other"), "aud_mismatch"},
	{"no audience", demo.Genuine, claim("aud", nil), "aud_mismatch"},
	{"an audience too many", demo.Genuine, claim("aud", []string{clientID, "other"}), "aud_untrusted"},

	{"from the future", demo.Genuine, moment("iat", 2*time.Minute), "iat_refused"},
	{"too old", demo.Genuine, moment("iat", -5*time.Minute), "iat_refused"},
	{"no iat", demo.Genuine, claim("iat", nil), "iat_refused"},
	{"expired", demo.Genuine, moment("exp", -10*time.Second), "token_expired"},
	{"no expiry", demo.Genuine, claim("exp", nil), "token_expired"},
	{"expiry beyond time", demo.Genuine, claim("exp", 1e300), "token_expired"},

	{"no events", demo.Genuine, claim("events", nil), "event_missing"},
	{"events that are a list", demo.Genuine, claim("events", []string{logoutEvent}), "event_missing"},
	{"another event", demo.Genuine, claim("events", map[string]any{"urn:other": map[string]any{}}), "event_missing"},
	{"event that is a word", demo.Genuine, events("yes"), "event_missing"},
	{"event that is null", demo.Genuine, events(nil), "event_missing"},
	{"event that is a list", demo.Genuine, events([]string{}), "event_missing"},
	{"events in another case", demo.Genuine, func(c, _ map[string]any) { c["Events"] = c["events"]; delete(c, "events") }, "event_missing"},

	{"a nonce", demo.Genuine, claim("nonce", "n"), "nonce_present"},
	{"a nonce that is null", demo.Genuine, func(c, _ map[string]any) { c["nonce"] = (*string)(nil) }, "nonce_present"},

	{"no jti", demo.Genuine, claim("jti", nil), "jti_refused"},
	{"empty jti", demo.Genuine, claim("jti", ""), "jti_refused"},
	{"endless jti", demo.Genuine, claim("jti", strings.Repeat("x", 256)), "jti_refused"},
	{"jti that is a number", demo.Genuine, claim("jti", 7), "jti_refused"},

	{"neither sub nor sid", demo.Genuine, func(c, _ map[string]any) { delete(c, "sub"); delete(c, "sid") }, "sub_missing"},
	{"both empty", demo.Genuine, func(c, _ map[string]any) { c["sub"], c["sid"] = "", "" }, "sub_missing"},
	{"subject that is a number", demo.Genuine, claim("sub", 1001), "malformed_token"},
	{"endless sid", demo.Genuine, claim("sid", strings.Repeat("x", 256)), "malformed_token"},
}

// I5: each rule for logout tokens, broken once.
func TestLogoutTokenRefused(t *testing.T) {
	b := newBench(t)
	for _, tt := range refusedLogouts {
		t.Run(tt.name, func(t *testing.T) {
			l := honestLogout()
			l.Forge, l.Edit = tt.forge, tt.edit
			got, err := b.rp.VerifyLogout(t.Context(), b.idp.LogoutToken(l))
			refused(t, err, oidc.ErrToken, tt.reason)
			if got != (oidc.LogoutToken{}) {
				t.Error("something of the token is handed out all the same")
			}
		})
	}
}

// I5: tokens of other kinds, under either setting of logout_typ.
func TestLogoutTokenOfAnotherKind(t *testing.T) {
	for _, typ := range []string{oidc.LogoutTypRequired, oidc.LogoutTypAny} {
		t.Run(typ, func(t *testing.T) {
			b := newBench(t, func(_ *demo.ProviderConfig, cfg *oidc.Config) { cfg.LogoutTyp = typ })
			s := b.signIn()
			renewed, err := b.renew(s) // its ID token has no nonce
			if err != nil {
				t.Fatal(err)
			}
			for name, raw := range map[string]string{
				"ID token": s.Tokens.ID.Reveal(), "renewed ID token": renewed.ID.Reveal(), "access token": s.Tokens.Access.Reveal(),
				"nothing": "", "a word": "token", "too long": strings.Repeat("x", 33<<10),
			} {
				if _, err := b.rp.VerifyLogout(t.Context(), raw); oidc.Reason(err) == "internal" || err == nil {
					t.Errorf("%s: error = %v, want a refusal", name, err)
				}
			}
		})
	}
}

// I5: what an honest provider may send.
func TestLogoutTokenAccepted(t *testing.T) {
	tests := []struct {
		name string
		typ  string // logout_typ
		edit func(claims, header map[string]any)
	}{
		{"as recommended", "", nil},
		{"typ in capitals", "", joseHeader("typ", "LOGOUT+JWT")},
		{"typ in full", "", joseHeader("typ", "application/logout+jwt")},
		{"no typ, allowed", oidc.LogoutTypAny, joseHeader("typ", nil)},
		{"typ JWT, allowed", oidc.LogoutTypAny, joseHeader("typ", "JWT")},
		{"no sid", "", claim("sid", nil)},
		{"no sub", "", claim("sub", nil)},
		{"audiences that are trusted", "", claim("aud", []string{"friend", clientID})},
		{"something in the event", "", events(map[string]any{"reason": "admin"})},
		{"another event beside it", "", claim("events", map[string]any{logoutEvent: map[string]any{}, "urn:other": 1})},
		{"the provider's clock is ahead", "", func(c, _ map[string]any) { c["iat"] = c["iat"].(int64) + 60 }},
		{"almost too old", "", moment("iat", -5*time.Minute+time.Second)},
		{"within the leeway", "", moment("exp", -9*time.Second)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, func(_ *demo.ProviderConfig, cfg *oidc.Config) {
				cfg.LogoutTyp, cfg.TrustedAudiences = tt.typ, []string{"friend"}
			})
			l := honestLogout()
			l.Edit = tt.edit
			got, err := b.rp.VerifyLogout(t.Context(), b.idp.LogoutToken(l))
			if err != nil {
				t.Fatalf("VerifyLogout: %v", err)
			}
			if got.Subject+got.SID == "" || got.ID == "" || !strings.HasPrefix("u-1001", got.Subject) || !strings.HasPrefix("sid-1", got.SID) {
				t.Errorf("token = %+v", got)
			}
			// For as long as it is good its ID is remembered, and not for ever.
			if left := got.Expires.Sub(b.clock()); left <= 0 || left > 6*time.Minute {
				t.Errorf("it is good for %v more, want a few minutes", left)
			}
		})
	}
}

// I5: from the moment that the ID may be forgotten the token is refused.
func TestLogoutTokenExpires(t *testing.T) {
	for name, life := range map[string]time.Duration{"by exp": time.Minute, "by age": 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			l := honestLogout()
			l.Edit = moment("exp", life)
			raw := b.idp.LogoutToken(l)
			got, err := b.rp.VerifyLogout(t.Context(), raw)
			if err != nil {
				t.Fatal(err)
			}
			b.advance(got.Expires.Sub(b.clock()) - time.Second)
			if _, err := b.rp.VerifyLogout(t.Context(), raw); err != nil {
				t.Errorf("a second before its end: %v", err)
			}
			b.advance(time.Second)
			if _, err := b.rp.VerifyLogout(t.Context(), raw); err == nil {
				t.Error("it is accepted when its ID may be forgotten")
			}
		})
	}
}

// H6, experiment 8: logout tokens that name unknown keys, by the thousand, make
// for one call per cooldown; honest ones are accepted all the while.
func TestLogoutTokenKeyFlood(t *testing.T) {
	b := newBench(t)
	b.signIn()
	honest, forged := honestLogout(), honestLogout()
	forged.Forge = demo.ForgeUnknownKid
	for round := range 3 {
		for i := range 300 {
			_, err := b.rp.VerifyLogout(t.Context(), b.idp.LogoutToken(forged))
			refused(t, err, oidc.ErrToken, "unknown_key")
			if i%100 == 0 {
				if _, err := b.rp.VerifyLogout(t.Context(), b.idp.LogoutToken(honest)); err != nil {
					t.Fatalf("an honest token in the flood: %v", err)
				}
			}
		}
		if got, want := len(b.idp.Calls("jwks")), 2+round; got != want {
			t.Errorf("key fetches after round %d = %d, want the sign-in's and one for each cooldown: %d", round, got, want)
		}
		b.advance(10 * time.Second)
	}
}

// The keys can't be had: that says nothing about the token, so it must not
// sound final.
func TestLogoutTokenProviderDown(t *testing.T) {
	down := demo.Fault{Reply: demo.JSONReply(503, "")}
	for name, tt := range map[string]struct {
		faults demo.Faults
		reason string
	}{
		"keys":     {demo.Faults{JWKS: down}, "keys_unreachable"},
		"metadata": {demo.Faults{Discovery: down}, "provider_unreachable"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.idp.SetFaults(tt.faults)
			_, err := b.rp.VerifyLogout(t.Context(), b.idp.LogoutToken(honestLogout()))
			unavailable(t, err, tt.reason)
		})
	}
}
