package oidc

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/session"
)

// Renew implements session.Renewer: one POST, and nothing else on the network
// between its answer and the return.
//
// Which answer means what: invalid_grant with any 4xx status is ErrRefused
// (RFC 6749 says 400, Auth0 says 403); every other refusal, and every call
// that never left, is a *session.Unavailable; a call without a whole, usable
// answer is ErrAmbiguous. So is 504: a gateway gave up waiting for a provider
// that has the token and may be spending it at this moment (R15). 502 and 503 are
// what a gateway without a provider behind it answers, and 500 is a provider's
// own word that it failed: taking every outage for a token that may be spent
// would cost more sessions than it saves. Tokens of another issuer or client
// than ours are never sent: ErrRefused.
func (c *Client) Renew(ctx context.Context, who session.Identity, t session.Tokens) (session.Tokens, error) {
	if who.Issuer != c.cfg.Issuer || who.ClientID != c.cfg.ClientID {
		return session.Tokens{}, refuse(session.ErrRefused, "provider_mismatch")
	}
	if t.Refresh == "" {
		return session.Tokens{}, refuse(session.ErrRefused, "no_refresh_token")
	}
	m, err := c.meta.get(ctx)
	if err != nil {
		return session.Tokens{}, err
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {t.Refresh.Reveal()}}
	if len(c.cfg.Resource) > 0 {
		form["resource"] = c.cfg.Resource
	}
	r, err := c.post(ctx, m, m.token, form)
	var not notSent
	switch {
	case errors.As(err, &not):
		return session.Tokens{}, unavailable("provider_unreachable", fmt.Errorf("renew: %w", err))
	case err != nil:
		return session.Tokens{}, ambiguous("no_answer", err)
	}
	return c.renewed(who, t, r)
}

func ambiguous(reason string, cause error) error {
	return &refusal{kind: session.ErrAmbiguous, reason: reason, cause: cause}
}

// renewed judges the answer to a refresh of t.
func (c *Client) renewed(who session.Identity, t session.Tokens, r *reply) (session.Tokens, error) {
	if r.status < 200 || r.status >= 300 {
		code := errorCode(r.body)
		if code == "invalid_grant" && r.status < 500 && r.status >= 400 && r.status != http.StatusTooManyRequests {
			return session.Tokens{}, &refusal{kind: session.ErrRefused, reason: code, cause: statusError{r.status, code}}
		}
		if r.status == http.StatusGatewayTimeout {
			return session.Tokens{}, ambiguous("gateway_timeout", statusError{r.status, ""})
		}
		return session.Tokens{}, r.passing(code)
	}
	a, err := parseAnswer(r.body)
	if err == nil && r.status != http.StatusOK {
		a, err = answer{refresh: a.refresh}, statusError{r.status, ""}
	}
	if err != nil {
		if r.broken != nil {
			err = r.broken
		}
		return session.Tokens{Refresh: a.refresh}, ambiguous("malformed_answer", err)
	}
	next := c.merge(t, a, r)
	if a.id == "" {
		return next, nil
	}
	switch err := c.checkRenewedID(who, t, a); {
	case errors.Is(err, session.ErrIdentity):
		return next, err
	case err != nil:
		// The answer need not have held one (OpenID Connect Core, 12.2), so an ID
		// token of no use ends nothing. It is not adopted.
		c.log.Warn("renewed id token is not adopted", "error", err)
		next.ID = t.ID
	}
	return next, nil
}

// merge makes the new token set: what the answer leaves out stays as it was.
func (c *Client) merge(old session.Tokens, a answer, r *reply) session.Tokens {
	next := a.tokens(r.sent)
	if next.Refresh == "" {
		next.Refresh = old.Refresh
	}
	if next.ID == "" {
		next.ID = old.ID
	}
	if next.RefreshExpires.IsZero() {
		next.RefreshExpires = old.RefreshExpires
	}
	next.Scope = c.narrower(old.Scope, next.Scope)
	return next
}

// narrower returns what of the scope now was granted before too: RFC 6749, 6
// lets a refresh take scope away, never add any. A wider token can't be sent
// back, but nobody is told that it may do more.
func (c *Client) narrower(before, now string) string {
	if before == "" || now == "" {
		return cmp.Or(before, now)
	}
	had := strings.Fields(before)
	var kept []string
	for _, s := range strings.Fields(now) {
		if slices.Contains(had, s) {
			kept = append(kept, s)
			continue
		}
		c.log.Warn("provider widened the scope on renewal; the addition is not recorded")
	}
	return strings.Join(kept, " ")
}

// checkRenewedID checks an ID token that came straight from the token
// endpoint, where TLS stands for the signature (OpenID Connect Core, 3.1.3.7,
// 6): a key fetch here could lose a token that has been rotated. Another user,
// issuer or client is ErrIdentity, other errors are the token's own.
func (c *Client) checkRenewedID(who session.Identity, t session.Tokens, a answer) error {
	id, err := unverified(a.id)
	if err != nil {
		return err
	}
	if id.iss != who.Issuer || id.sub != who.Subject {
		return refuse(session.ErrIdentity, "user_changed")
	}
	if !slices.Contains(id.aud, who.ClientID) || id.azp != "" && id.azp != who.ClientID {
		return refuse(session.ErrIdentity, "client_changed")
	}
	if exp, ok := id.time("exp"); !ok || !c.cfg.Now().Before(exp.Add(leeway)) {
		return refuse(ErrToken, "token_expired")
	}
	old, err := unverified(t.ID)
	if err != nil {
		return nil // there was none to compare with
	}
	switch {
	case id.has("auth_time") && old.has("auth_time") && !id.authTime().Equal(old.authTime()):
		return refuse(ErrToken, "auth_time_changed")
	case id.nonce != "" && id.nonce != old.nonce:
		return refuse(ErrToken, "nonce_mismatch")
	}
	return nil
}

// unverified reads an ID token's claims without looking at its signature.
func unverified(raw session.Secret) (claims, error) {
	parts := strings.Split(raw.Reveal(), ".")
	if len(parts) != 3 {
		return claims{}, refuse(ErrToken, "malformed_token")
	}
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		return claims{}, refuse(ErrToken, "malformed_token")
	}
	h, err := parseObject(header)
	if err != nil {
		return claims{}, refuse(ErrToken, "malformed_token")
	}
	if alg, ok := h.text("alg"); !ok || !slices.Contains(algNames(), alg) {
		return claims{}, refuse(ErrToken, "alg_refused")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return claims{}, refuse(ErrToken, "malformed_token")
	}
	return parseClaims(payload)
}
