package oidc

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// C8: whatever a token endpoint answers, there is no panic, no token that
// could leave its header, and no token for ever.
func FuzzParseAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"access_token":"a","token_type":"Bearer","expires_in":30,"refresh_token":"r","id_token":"x.y.z","scope":"openid"}`,
		`{"access_token":"a","token_type":"bearer","expires_in":"1e400","refresh_expires_in":-1}`,
		`{"access_token":"a\r\nX: y","token_type":"Bearer","refresh_token":"r"}`,
		`{"refresh_token":"r","access_token":"a`,
		`{"refresh_token":"r","refresh_token":7}`,
		`{"error":"invalid_grant","error_description":"<b>"}`,
		`[]`, `null`, ``, `{`, `{"a":{"refresh_token":"r"}`, `<html>`, "\xff\xfe", `{"access_token":null}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := parseAnswer(body)
		for _, token := range []session.Secret{a.access, a.refresh, a.id} {
			if strings.ContainsFunc(token.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }) || len(token) > maxToken {
				t.Errorf("token %q is taken", token.Reveal())
			}
		}
		if err != nil {
			if a.access != "" || a.id != "" || a.life != 0 {
				t.Error("a refused answer holds more than a refresh token")
			}
			return
		}
		if a.access == "" || a.life <= 0 || a.life > maxLife || a.refreshLife < 0 || a.refreshLife > maxRefreshLife {
			t.Errorf("life = %v, refresh token's %v", a.life, a.refreshLife)
		}
		_ = errorCode(body)
	})
}

// B6: whatever an ID token claims, there is no panic, and nobody signs in
// whom the claims do not make out to be meant.
func FuzzParseClaims(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	c := &Client{cfg: Config{Issuer: "https://id.example", ClientID: "spa", Now: func() time.Time { return now }}}
	req := AuthRequest{Nonce: "n", Started: now}
	f.Add([]byte(fmt.Sprintf(`{"iss":"https://id.example","aud":"spa","sub":"u","nonce":"n","iat":%d,"exp":%d}`, now.Unix(), now.Unix()+60)))
	for _, seed := range []string{
		`{"iss":"https://id.example","aud":["spa","api"],"azp":"spa","sub":"u","nonce":"n","iat":1800000000,"exp":"1800000060"}`,
		`{"ISS":"https://id.example","AUD":"spa"}`, `{"exp":1e400}`, `{"aud":{"spa":1}}`, `{"aud":[null]}`, `{"sub":null}`,
		`{"iat":-9223372036854775808,"exp":9223372036854775807}`, `null`, `[]`, ``, "{\"sub\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		id, err := parseClaims(payload)
		if err != nil {
			return
		}
		if c.checkParties(id) != nil || c.checkTimes(id, req) != nil || checkRequested(id, req) != nil {
			return
		}
		if id.iss != "https://id.example" || id.sub == "" || len(id.sub) > 255 || id.nonce != "n" || !bytes.Contains(payload, []byte("n")) {
			t.Errorf("%s signs somebody in", payload)
		}
		if exp, ok := id.time("exp"); !ok || now.After(exp.Add(leeway)) {
			t.Errorf("%s signs somebody in, expired", payload)
		}
	})
}

// I5: whatever a logout token claims, there is no panic, and what it ends is
// bounded in size and time.
func FuzzLogoutClaims(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	c := &Client{cfg: Config{Issuer: "https://id.example", ClientID: "spa", Now: func() time.Time { return now }}}
	good := `{"iss":"https://id.example","aud":"spa","sub":"u","sid":"s","jti":"j","iat":1800000000,"exp":1800000060,` +
		`"events":{"http://schemas.openid.net/event/backchannel-logout":{}}}`
	if _, err := c.readLogout([]byte(good)); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(good))
	for _, seed := range []string{
		strings.Replace(good, "events", "EVENTS", 1), strings.Replace(good, `"sub"`, `"nonce":null,"sub"`, 1),
		strings.Replace(good, "{}", "[]", 1), strings.Replace(good, "{}", "null", 1), strings.Replace(good, `"j"`, `7`, 1),
		strings.Replace(good, "1800000060", "1e400", 1), strings.Replace(good, "1800000000", `"-1"`, 1), `null`, `[]`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		token, err := c.readLogout(payload)
		if err != nil {
			return
		}
		if token.Subject == "" && token.SID == "" || token.ID == "" || len(token.ID) > maxJTI || len(token.Subject)+len(token.SID) > 510 {
			t.Errorf("%s ends sessions of %+v", payload, token)
		}
		if !token.Expires.After(now) || token.Expires.After(now.Add(logoutAge+maxSkew)) {
			t.Errorf("%s is good until %v", payload, token.Expires)
		}
	})
}

// D8: a renewed ID token is read without a signature.
func FuzzRenewedID(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	who := session.Identity{Issuer: "https://id.example", ClientID: "spa", Subject: "u"}
	c := &Client{cfg: Config{Issuer: who.Issuer, ClientID: who.ClientID, Now: func() time.Time { return now }}}
	b64 := base64.RawURLEncoding.EncodeToString
	f.Add("", "")
	f.Add(`{"alg":"ES256"}`, `{"iss":"https://id.example","aud":"spa","sub":"u","exp":1800000060}`)
	f.Add(`{"alg":"none"}`, `{"iss":"https://id.example","aud":"spa","sub":"v","exp":1800000060}`)
	f.Add(`{"alg":"RS256"}`, `null`)
	f.Fuzz(func(t *testing.T, header, payload string) {
		raw := session.Secret(b64([]byte(header)) + "." + b64([]byte(payload)) + ".c2ln")
		if c.checkRenewedID(who, session.Tokens{}, answer{id: raw}) != nil {
			return
		}
		if id, err := unverified(raw); err != nil || id.sub != "u" || id.iss != who.Issuer {
			t.Errorf("%s is taken for the same user", payload)
		}
	})
}

// A14: whatever a configuration document says.
func FuzzParseMetadata(f *testing.F) {
	for _, seed := range []string{
		`{"issuer":"https://id.example","authorization_endpoint":"https://id.example/a","token_endpoint":"https://id.example/t","jwks_uri":"https://id.example/j"}`,
		`{"issuer":"https://id.example","authorization_endpoint":"https://[::1","token_endpoint":"http://localhost/t"}`,
		`{"issuer":["https://id.example"]}`, `{}`, `null`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := parseObject(body)
		if err != nil {
			return
		}
		m, err := parseMetadata(o, "https://id.example")
		if err != nil {
			return
		}
		for _, e := range []string{m.authorization, m.token, m.jwks} {
			if !strings.HasPrefix(strings.ToLower(e), "https://") {
				t.Errorf("endpoint %q is taken", e)
			}
		}
	})
}

// The bytes come out of a cookie that has been unsealed, so they are ours, but
// perhaps an older version's.
func FuzzAuthRequest(f *testing.F) {
	age := 60
	for _, r := range []AuthRequest{{}, {Provider: "main", State: "s", ReturnTo: "/x", MaxAge: &age, Fresh: true}} {
		b, err := r.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var r AuthRequest
		if r.UnmarshalBinary(b) != nil {
			return
		}
		again, err := r.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var s AuthRequest
		if err := s.UnmarshalBinary(again); err != nil || s.State != r.State || s.ReturnTo != r.ReturnTo {
			t.Errorf("what is read cannot be written: %v", err)
		}
	})
}
