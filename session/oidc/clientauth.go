package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// assertionLife is how long an assertion is good for. FAPI 2.0 allows 60 s; what is
// left of them is for the clocks.
const assertionLife = 45 * time.Second

// authenticator proves to the provider who we are, always in the same way.
type authenticator struct {
	cfg    *Config
	key    jose.JSONWebKey
	algs   []jose.SignatureAlgorithm // that key can make, the most compatible first
	public []json.RawMessage
}

func newAuthenticator(cfg *Config) (*authenticator, error) {
	a := &authenticator{cfg: cfg}
	if cfg.Auth != AuthPrivateKeyJWT {
		return a, nil
	}
	switch key := cfg.PrivateKey.(type) {
	case *rsa.PrivateKey:
		if key.N.BitLen() < 2048 {
			return nil, errors.New("private key: RSA needs 2048 bits or more")
		}
		a.algs = []jose.SignatureAlgorithm{jose.RS256, jose.PS256}
	case *ecdsa.PrivateKey:
		switch key.Curve {
		case elliptic.P256():
			a.algs = []jose.SignatureAlgorithm{jose.ES256}
		case elliptic.P384():
			a.algs = []jose.SignatureAlgorithm{jose.ES384}
		default:
			return nil, errors.New("private key: the curve must be P-256 or P-384")
		}
	case ed25519.PrivateKey:
		a.algs = []jose.SignatureAlgorithm{jose.EdDSA}
	default:
		return nil, errors.New("private key: want RSA, ECDSA or Ed25519")
	}
	public := jose.JSONWebKey{Key: cfg.PrivateKey.Public(), Use: "sig"}
	sum, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	public.KeyID = base64.RawURLEncoding.EncodeToString(sum)
	a.key = jose.JSONWebKey{Key: cfg.PrivateKey, KeyID: public.KeyID}
	raw, err := json.Marshal(public)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	a.public = []json.RawMessage{raw}
	return a, nil
}

// apply adds our credential to one request: to its form or its header.
func (a *authenticator) apply(form url.Values, header http.Header, m *metadata) error {
	switch a.cfg.Auth {
	case AuthBasic:
		// RFC 6749, 2.3.1: both are form-urlencoded first, or a colon in the id
		// would end it and a percent sign would mean something.
		pair := url.QueryEscape(a.cfg.ClientID) + ":" + url.QueryEscape(a.cfg.ClientSecret.Reveal())
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	case AuthPost:
		form.Set("client_id", a.cfg.ClientID)
		form.Set("client_secret", a.cfg.ClientSecret.Reveal())
	case AuthPrivateKeyJWT:
		assertion, err := a.assertion(m)
		if err != nil {
			return err
		}
		form.Set("client_id", a.cfg.ClientID)
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
	}
	return nil
}

// assertion makes a fresh assertion (RFC 7523, 3). Its audience is the issuer
// alone: with the token endpoint's URL there, another provider that names our
// endpoint as its own could use what we sign for it.
func (a *authenticator) assertion(m *metadata) (string, error) {
	alg := a.algs[0]
	for _, other := range a.algs[1:] {
		if slices.Contains(m.assertionAlgs, string(other)) {
			alg = other
		}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: a.key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("oidc: sign client assertion: %w", err)
	}
	now := a.cfg.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": a.cfg.ClientID, "sub": a.cfg.ClientID, "aud": a.cfg.Issuer,
		"jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	})
	if err != nil {
		return "", fmt.Errorf("oidc: client assertion: %w", err)
	}
	jws, err := signer.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("oidc: sign client assertion: %w", err)
	}
	return jws.CompactSerialize()
}
