package oidc_test

import (
	"crypto/rand"
	"crypto/rsa"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// H6: unknown keys cannot make us hammer the provider.
func TestKeyFlood(t *testing.T) {
	b := newBench(t)
	b.signIn()
	b.idp.SetFaults(demo.Faults{Code: demo.Fault{Forge: demo.ForgeUnknownKid}})
	for range 20 {
		_, err := b.finish(oidc.Params{})
		refused(t, err, oidc.ErrToken, "unknown_key")
	}
	if n := len(b.idp.Calls("jwks")); n != 2 {
		t.Errorf("key fetches = %d, want the sign-in's and one more", n)
	}
	b.advance(10 * time.Second)
	_, err := b.finish(oidc.Params{})
	refused(t, err, oidc.ErrToken, "unknown_key")
	if n := len(b.idp.Calls("jwks")); n != 3 {
		t.Errorf("key fetches after the pause = %d, want 3", n)
	}
}

// H6: a new key is found at once, several times in a row, and what the
// provider dropped is dropped.
func TestKeyRollover(t *testing.T) {
	b := newBench(t)
	for range 3 {
		b.signIn()
		b.idp.RotateKeys(true)
	}
	b.signIn()
	if n := len(b.idp.Calls("jwks")); n != 4 {
		t.Errorf("key fetches = %d, want 4", n)
	}
}

// Experiment 8, H6: a new key every ten seconds for ten minutes, the old one gone
// at once, and forged logout tokens all the while: no honest sign-in fails, and
// the flood has one fetch per cooldown.
func TestKeyRotationInFlood(t *testing.T) {
	b := newBench(t)
	forged := honestLogout()
	forged.Forge = demo.ForgeUnknownKid
	const rounds = 60
	for range rounds {
		for range 10 {
			_, err := b.rp.VerifyLogout(t.Context(), b.idp.LogoutToken(forged))
			refused(t, err, oidc.ErrToken, "unknown_key")
		}
		b.idp.RotateKeys(true)
		b.signIn()
		for range 10 {
			_, err := b.rp.VerifyLogout(t.Context(), b.idp.LogoutToken(forged))
			refused(t, err, oidc.ErrToken, "unknown_key")
		}
		b.signIn()
		b.advance(10 * time.Second)
	}
	if n := len(b.idp.Calls("jwks")); n > 2*rounds {
		t.Errorf("key fetches = %d, want at most one for each rotation and one for each cooldown: %d", n, 2*rounds)
	}
}

// H6: a key that is no longer published is no longer believed, at the latest
// after an hour.
func TestDroppedKey(t *testing.T) {
	b := newBench(t)
	b.signIn()
	other := jose.JSONWebKey{Key: privateKey(t).Public(), KeyID: "other"}
	b.idp.SetFaults(demo.Faults{JWKS: demo.Fault{EditKeys: func(m map[string]any) { m["keys"] = []any{other} }}})
	b.signIn()
	b.advance(time.Hour)
	_, err := b.finish(oidc.Params{})
	refused(t, err, oidc.ErrToken, "unknown_key")
}

// H6: keys that nobody should sign with, or that say they are for another use.
func TestUnusableKeys(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]jose.JSONWebKey{
		"RSA of 1024 bits": {Key: &small.PublicKey},
		"private key":      {Key: privateKey(t)},
		"for encryption":   {Key: privateKey(t).Public(), Use: "enc"},
		"symmetric":        {Key: []byte("0123456789abcdef0123456789abcdef")},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.idp.SetFaults(demo.Faults{JWKS: demo.Fault{EditKeys: func(m map[string]any) { m["keys"] = []any{key} }}})
			_, err := b.finish(oidc.Params{})
			unavailable(t, err, "keys_unreachable")
		})
	}
}

// A provider whose keys have no ids rolls them over all the same.
func TestKeyRolloverWithoutIDs(t *testing.T) {
	b := newBench(t)
	b.idp.SetFaults(demo.Faults{Code: demo.Fault{EditHeader: func(h map[string]any) { delete(h, "kid") }}})
	b.signIn()
	b.idp.RotateKeys(true)
	b.signIn()
}

// The key endpoint is down: that is no judgement of the token.
func TestKeysUnreachable(t *testing.T) {
	for name, fault := range map[string]demo.Fault{
		"down":         {Reply: demo.JSONReply(503, "")},
		"HTML":         {Reply: &demo.Reply{Body: []byte("<html>")}},
		"no keys":      {Reply: demo.JSONReply(200, `{"keys":[]}`)},
		"keys of none": {Reply: demo.JSONReply(200, `{}`)},
		"secret keys":  {Reply: demo.JSONReply(200, `{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`)},
		"broken keys":  {Reply: demo.JSONReply(200, `{"keys":[{"kty":"RSA","n":"x"},7]}`)},
		"no end":       {Reply: &demo.Reply{Body: []byte("{"), Fill: 1 << 30}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.idp.SetFaults(demo.Faults{JWKS: fault})
			_, err := b.finish(oidc.Params{})
			unavailable(t, err, "keys_unreachable")

			b.idp.SetFaults(demo.Faults{})
			b.advance(10 * time.Second)
			b.signIn()
		})
	}
}

// Keys from an hour ago serve while the provider does not answer.
func TestOldKeysServe(t *testing.T) {
	b := newBench(t)
	b.signIn()
	b.advance(2 * time.Hour)
	b.idp.SetFaults(demo.Faults{JWKS: demo.Fault{Reply: demo.JSONReply(503, "")}})
	b.signIn()
	if n := len(b.idp.Calls("jwks")); n != 2 {
		t.Errorf("key fetches = %d, want 2", n)
	}
}
