package oidc

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// Values of Config.LogoutTyp.
const (
	// LogoutTypRequired takes a logout token only if its header says logout+jwt.
	LogoutTypRequired = "required"

	// LogoutTypAny takes one with another typ, or none, too: OpenID Connect
	// Back-Channel Logout 1.0, 2.4 only recommends it, and some providers say JWT.
	LogoutTypAny = "any"
)

const (
	logoutType  = "logout+jwt"
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

	// logoutAge is how old a logout token may be. Providers send it at once, and
	// perhaps a few times more.
	logoutAge = 5 * time.Minute

	maxJTI = 255 // bytes
)

// LogoutToken is a provider's word that a user's sessions are over, verified
// (OpenID Connect Back-Channel Logout 1.0, 2.4).
type LogoutToken struct {
	Subject string // may be empty if SID is not
	SID     string // may be empty if Subject is not
	ID      string // jti, never empty: whoever acts on the token makes sure that it is new

	Issued time.Time

	// Expires is when VerifyLogout no longer accepts the token, leeway included:
	// exp, or when it is too old. Until then ID must be remembered, which is at
	// most some minutes.
	Expires time.Time
}

// VerifyLogout verifies a logout token (OpenID Connect Back-Channel Logout 1.0,
// 2.6) but for its being new, which is the caller's to see to by ID. The error
// is ErrToken, or a *session.Unavailable if the provider's keys can't be had.
// Tokens that name unknown keys make for one call per cooldown, and keep no
// sign-in from making its own.
func (c *Client) VerifyLogout(ctx context.Context, raw string) (LogoutToken, error) {
	if len(raw) > maxToken {
		return LogoutToken{}, refuse(ErrToken, "malformed_token")
	}
	if err := c.checkLogoutType(raw); err != nil {
		return LogoutToken{}, err
	}
	m, err := c.meta.get(ctx)
	if err != nil {
		return LogoutToken{}, err
	}
	keys := &capture{keys: c.keys, from: fromAnybody, url: m.jwks}
	verifier := gooidc.NewVerifier(c.cfg.Issuer, keys, &gooidc.Config{
		ClientID:             c.cfg.ClientID,
		SupportedSigningAlgs: algNames(),
		Now:                  func() time.Time { return c.cfg.Now().Add(-leeway) },
	})
	_, verr := verifier.VerifyLogout(ctx, raw)
	if keys.payload == nil {
		return LogoutToken{}, signatureError(raw, keys.err)
	}
	t, err := c.readLogout(keys.payload)
	if err != nil {
		return LogoutToken{}, err
	}
	if verr != nil {
		// Not the text: it quotes the token.
		return LogoutToken{}, refuse(ErrToken, "malformed_token")
	}
	return t, nil
}

// checkLogoutType keeps every other kind of token out (RFC 8725, 3.11). It comes
// first because it costs nothing; the header is covered by the signature.
func (c *Client) checkLogoutType(raw string) error {
	jws, err := jose.ParseSignedCompact(raw, signingAlgs)
	if err != nil {
		return signatureError(raw, nil)
	}
	typ, _ := jws.Signatures[0].Header.ExtraHeaders[jose.HeaderType].(string)
	typ = strings.TrimPrefix(strings.ToLower(typ), "application/")
	if typ != logoutType && c.cfg.LogoutTyp != LogoutTypAny {
		return refuse(ErrToken, "typ_refused")
	}
	return nil
}

// readLogout checks the payload of a logout token. go-oidc has looked at most of
// it, but finds members whatever the case of their names, and leaves iat, other
// audiences and the form of the event to its caller.
func (c *Client) readLogout(payload []byte) (LogoutToken, error) {
	id, err := parseClaims(payload)
	if err != nil {
		return LogoutToken{}, err
	}
	now := c.cfg.Now()
	iat, hasIat := id.time("iat")
	exp, hasExp := id.time("exp")
	jti, ok := id.text("jti")
	_, hasNonce := id.object["nonce"] // even null is one too many
	switch {
	case id.iss != c.cfg.Issuer:
		return LogoutToken{}, refuse(ErrToken, "iss_mismatch")
	case !slices.Contains(id.aud, c.cfg.ClientID):
		return LogoutToken{}, refuse(ErrToken, "aud_mismatch")
	case slices.ContainsFunc(id.aud, c.untrusted):
		return LogoutToken{}, refuse(ErrToken, "aud_untrusted")
	case hasNonce:
		return LogoutToken{}, refuse(ErrToken, "nonce_present")
	case !isLogoutEvent(id.object):
		return LogoutToken{}, refuse(ErrToken, "event_missing")
	case !hasIat || iat.After(now.Add(maxSkew)) || !now.Before(iat.Add(logoutAge)):
		return LogoutToken{}, refuse(ErrToken, "iat_refused")
	case !hasExp || !now.Before(exp.Add(leeway)):
		return LogoutToken{}, refuse(ErrToken, "token_expired")
	case !ok || jti == "" || len(jti) > maxJTI:
		return LogoutToken{}, refuse(ErrToken, "jti_refused")
	case id.sub == "" && id.sid == "":
		return LogoutToken{}, refuse(ErrToken, "sub_missing")
	}
	until := exp.Add(leeway)
	if oldest := iat.Add(logoutAge); oldest.Before(until) {
		until = oldest
	}
	return LogoutToken{Subject: id.sub, SID: id.sid, ID: jti, Issued: iat, Expires: until}, nil
}

// untrusted reports whether aud is neither we nor an audience that the
// configuration trusts.
func (c *Client) untrusted(aud string) bool {
	return aud != c.cfg.ClientID && !slices.Contains(c.cfg.TrustedAudiences, aud)
}

// isLogoutEvent reports whether events holds that of back-channel logout, whose
// value is an object, usually an empty one.
func isLogoutEvent(o object) bool {
	events, err := parseObject(o["events"])
	if err != nil || !events.has(logoutEvent) {
		return false
	}
	var event map[string]json.RawMessage
	return json.Unmarshal(events[logoutEvent], &event) == nil
}
