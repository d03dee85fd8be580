package demo

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// accessType is the type of access tokens (RFC 9068, 2.1): an ID token must
// not pass for one.
const accessType = "at+jwt"

// signingKey is one of the provider's key pairs.
type signingKey struct {
	kid, alg string
	private  crypto.Signer
}

func newSigningKey(alg string) (signingKey, error) {
	k := signingKey{kid: "demo-" + rand.Text()[:8], alg: alg}
	var err error
	switch jose.SignatureAlgorithm(alg) {
	case jose.ES256:
		k.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.RS256:
		k.private, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		err = fmt.Errorf("unknown algorithm %q", alg)
	}
	if err != nil {
		return signingKey{}, fmt.Errorf("demo: make signing key: %w", err)
	}
	return k, nil
}

func (k signingKey) public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.private.Public(), KeyID: k.kid, Algorithm: k.alg, Use: "sig"}
}

// RotateKeys signs with a new key from now on. The old keys stay published,
// or go at once with dropOld, as after a theft.
func (p *Provider) RotateKeys(dropOld bool) {
	// Key generation with a known algorithm does not fail: the first worked.
	key, err := newSigningKey(p.cfg.SigningAlg)
	if err != nil {
		panic(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if dropOld {
		p.keys = nil
	}
	p.keys = append([]signingKey{key}, p.keys...)
}

// KeySet returns the published keys without a call that the journal would
// show: for an API in the same process.
func (p *Provider) KeySet(context.Context) (jose.JSONWebKeySet, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keySet(), nil
}

func (p *Provider) keySet() jose.JSONWebKeySet {
	var set jose.JSONWebKeySet
	for _, k := range p.keys {
		set.Keys = append(set.Keys, k.public())
	}
	return set
}

// jwks answers the JWK set.
func (p *Provider) jwks(x *exchange) answer {
	p.mu.Lock()
	set := p.keySet()
	p.mu.Unlock()
	keys := make([]any, 0, len(set.Keys))
	for _, k := range set.Keys {
		keys = append(keys, k)
	}
	body := map[string]any{"keys": keys}
	if x.fault.EditKeys != nil {
		x.fault.EditKeys(body)
	}
	a := jsonAnswer(200, body)
	a.header.Set("Cache-Control", "max-age=60")
	return a
}

// sign makes a compact JWS. It is written out here because go-jose rightly
// refuses most of what a Forgery asks for.
func (k signingKey) sign(header, claims map[string]any) string {
	h, err := json.Marshal(header)
	if err != nil {
		panic(err) // a test put something into the header that JSON can't hold
	}
	c, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	input := b64(h) + "." + b64(c)
	return input + "." + b64(k.signature([]byte(input)))
}

func (k signingKey) signature(input []byte) []byte {
	sum := sha256.Sum256(input)
	switch key := k.private.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			panic(err)
		}
		sig := make([]byte, 64)
		r.FillBytes(sig[:32])
		s.FillBytes(sig[32:])
		return sig
	case *rsa.PrivateKey:
		sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		if err != nil {
			panic(err)
		}
		return sig
	}
	return nil
}

func (k signingKey) header(typ string) map[string]any {
	return map[string]any{"alg": k.alg, "kid": k.kid, "typ": typ}
}

// signFor signs an ID token or a logout token for client, honestly or as the
// fault says. Callers hold p.mu.
func (p *Provider) signFor(client Client, f Fault, typ string, claims map[string]any) string {
	key := p.keys[0]
	header := key.header(typ)
	hmacKey := []byte(nil)
	switch f.Forge {
	case ForgeNone:
		header["alg"] = "none"
	case ForgeHMACSecret:
		header["alg"], hmacKey = "HS256", []byte(client.Secret)
	case ForgeHMACPublic:
		header["alg"], hmacKey = "HS256", key.publicPEM()
	case ForgeForeignKey:
		key = p.foreign
	case ForgeUnknownKid:
		key = p.foreign
		header["kid"] = key.kid + "-" + rand.Text()[:6]
	}
	if f.EditHeader != nil {
		f.EditHeader(header)
	}
	token := key.sign(header, claims)
	switch f.Forge {
	case ForgeNone:
		return withSignature(token, nil)
	case ForgeHMACSecret, ForgeHMACPublic:
		mac := hmac.New(sha256.New, hmacKey)
		mac.Write([]byte(signedPart(token)))
		return withSignature(token, mac.Sum(nil))
	case ForgeSignature:
		return withSignature(token, key.signature([]byte("something else")))
	}
	return token
}

func signedPart(token string) string {
	i := len(token) - 1
	for token[i] != '.' {
		i--
	}
	return token[:i]
}

func withSignature(token string, sig []byte) string { return signedPart(token) + "." + b64(sig) }

func (k signingKey) publicPEM() []byte {
	der, err := x509.MarshalPKIXPublicKey(k.private.Public())
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// verify checks a token of the given type (RFC 8725, 3.11; "" is any) that one
// of the keys must have signed and returns its claims. Expiry is the caller's
// business.
func verify(keys jose.JSONWebKeySet, token, typ string) (map[string]any, error) {
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
	if err != nil {
		return nil, fmt.Errorf("demo: parse token: %w", err)
	}
	if got := jws.Signatures[0].Header.ExtraHeaders[jose.HeaderType]; typ != "" && got != typ {
		return nil, fmt.Errorf("demo: token is of type %v, want %s", got, typ)
	}
	for _, key := range keys.Key(jws.Signatures[0].Header.KeyID) {
		payload, err := jws.Verify(key)
		if err != nil {
			continue
		}
		var claims map[string]any
		if err := json.Unmarshal(payload, &claims); err != nil {
			return nil, fmt.Errorf("demo: token claims: %w", err)
		}
		return claims, nil
	}
	return nil, errors.New("demo: token is not signed with a known key")
}

// expired reports whether the claims carry no exp or one that has passed.
func expired(claims map[string]any, now time.Time) bool {
	exp, ok := claims["exp"].(float64)
	return !ok || !now.Before(time.Unix(int64(exp), 0))
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
