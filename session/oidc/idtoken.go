package oidc

import (
	"context"
	"crypto/subtle"
	"errors"
	"slices"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

const (
	leeway = 10 * time.Second // for exp, nbf and auth_time
	maxAge = 5 * time.Minute  // how long before the request an ID token may claim to be issued
)

// signingAlgs are the algorithms an ID token may be signed with: asymmetric
// ones only. HS256 with a public key as its secret, and none, are not among
// them whatever the provider announces.
var signingAlgs = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// capture is the key set of one verification. It keeps what go-oidc's errors
// lose: why the signature was refused, and the verified payload.
type capture struct {
	keys    *keySet
	from    source
	url     string
	payload []byte
	err     error
}

// VerifySignature implements go-oidc's KeySet.
func (v *capture) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(raw, signingAlgs)
	if err != nil {
		return nil, err
	}
	v.payload, v.err = v.keys.verify(ctx, v.from, v.url, jws)
	return v.payload, v.err
}

// verifyIDToken verifies the ID token of a sign-in (OpenID Connect Core,
// 3.1.3.7): signature, iss, aud and exp by go-oidc, and by us all that go-oidc
// leaves to its caller.
func (c *Client) verifyIDToken(ctx context.Context, m *metadata, req AuthRequest, a answer) (claims, error) {
	keys := &capture{keys: c.keys, from: fromProvider, url: m.jwks}
	verifier := gooidc.NewVerifier(c.cfg.Issuer, keys, &gooidc.Config{
		ClientID:             c.cfg.ClientID,
		SupportedSigningAlgs: algNames(),
		Now:                  func() time.Time { return c.cfg.Now().Add(-leeway) },
	})
	token, verr := verifier.Verify(ctx, a.id.Reveal())
	if keys.payload == nil {
		return claims{}, signatureError(a.id.Reveal(), keys.err)
	}
	id, err := parseClaims(keys.payload)
	if err != nil {
		return claims{}, err
	}
	for _, check := range []func() error{
		func() error { return c.checkParties(id) },
		func() error { return c.checkTimes(id, req) },
		func() error { return checkRequested(id, req) },
	} {
		if err := check(); err != nil {
			return claims{}, err
		}
	}
	if verr != nil {
		// Not the text: it quotes the token.
		return claims{}, refuse(ErrToken, "malformed_token")
	}
	if id.atHash != "" && token.VerifyAccessToken(a.access.Reveal()) != nil {
		return claims{}, refuse(ErrToken, "at_hash_mismatch")
	}
	return id, nil
}

func algNames() []string {
	var names []string
	for _, alg := range signingAlgs {
		names = append(names, string(alg))
	}
	return names
}

// signatureError says why raw has no verified payload.
func signatureError(raw string, err error) error {
	var alg *jose.ErrUnexpectedSignatureAlgorithm
	switch {
	case errors.Is(err, errUnknownKey):
		return refuse(ErrToken, "unknown_key")
	case errors.Is(err, errBadSignature):
		return refuse(ErrToken, "bad_signature")
	case err != nil:
		return unavailable("keys_unreachable", err)
	}
	if _, err := jose.ParseSignedCompact(raw, signingAlgs); errors.As(err, &alg) {
		return refuse(ErrToken, "alg_refused")
	}
	return refuse(ErrToken, "malformed_token")
}

// checkParties checks who issued the token, for whom, about whom.
func (c *Client) checkParties(id claims) error {
	switch {
	case id.iss != c.cfg.Issuer:
		return refuse(ErrToken, "iss_mismatch")
	case !slices.Contains(id.aud, c.cfg.ClientID):
		return refuse(ErrToken, "aud_mismatch")
	case id.sub == "":
		return refuse(ErrToken, "sub_missing")
	}
	if slices.ContainsFunc(id.aud, c.untrusted) {
		return refuse(ErrToken, "aud_untrusted")
	}
	if id.has("azp") && id.azp != c.cfg.ClientID || !id.has("azp") && len(id.aud) > 1 {
		return refuse(ErrToken, "azp_mismatch")
	}
	return nil
}

// checkTimes checks exp, nbf, iat, and auth_time if it matters.
func (c *Client) checkTimes(id claims, req AuthRequest) error {
	now := c.cfg.Now()
	iat, hasIat := id.time("iat")
	exp, hasExp := id.time("exp")
	nbf, hasNbf := id.time("nbf")
	switch {
	case !hasExp || !now.Before(exp.Add(leeway)):
		return refuse(ErrToken, "token_expired")
	case id.has("nbf") && (!hasNbf || nbf.After(now.Add(leeway))):
		return refuse(ErrToken, "token_not_yet_valid")
	case !hasIat || iat.After(now.Add(maxSkew)) || iat.Before(req.Started.Add(-maxAge)):
		// It was made for this request, so it can't be older than that, but for
		// the clocks.
		return refuse(ErrToken, "iat_refused")
	}
	at, ok := id.time("auth_time")
	if id.has("auth_time") && (!ok || at.After(now.Add(maxSkew))) {
		return refuse(ErrToken, "auth_time_refused")
	}
	// Age is measured at the start of the request: the provider cannot know how
	// long the user will look at a consent page afterwards.
	if req.MaxAge != nil {
		oldest := req.Started.Add(-time.Duration(*req.MaxAge)*time.Second - leeway)
		if !ok || at.Before(oldest) {
			return refuse(ErrToken, "auth_time_refused")
		}
	}
	if req.Fresh && ok && at.Before(req.Started.Add(-leeway)) {
		return refuse(ErrToken, "auth_time_refused")
	}
	return nil
}

// checkRequested checks that the token answers this very request.
func checkRequested(id claims, req AuthRequest) error {
	nonce := req.Nonce.Reveal()
	if nonce == "" || subtle.ConstantTimeCompare([]byte(nonce), []byte(id.nonce)) != 1 {
		return refuse(ErrToken, "nonce_mismatch")
	}
	if wanted := strings.Fields(req.ACRValues); len(wanted) > 0 && !slices.Contains(wanted, id.acr) {
		return refuse(ErrToken, "acr_mismatch")
	}
	return nil
}
