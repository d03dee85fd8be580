package oidc

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// maxSkew is how far ahead the provider's clock may be of ours.
const maxSkew = time.Minute

// CheckCallback judges the query of a callback against the request that this
// browser has pending, without a network call, the cheapest and most telling
// refusal first: repeated parameters, state, issuer (RFC 9207; of errors too),
// the provider's error, a missing code. It returns ErrState or an *AuthError.
// Until the metadata is known a missing iss passes here; Finish looks again.
func (c *Client) CheckCallback(req AuthRequest, q url.Values) error {
	for _, values := range q {
		if len(values) > 1 {
			return refuse(ErrState, "duplicate_parameter") // RFC 6749, 3.1
		}
	}
	// Two empty strings are equal: a request without a state is no request.
	state := req.State.Reveal()
	if state == "" || subtle.ConstantTimeCompare([]byte(state), []byte(q.Get("state"))) != 1 {
		return refuse(ErrState, "state_mismatch")
	}
	if req.Provider != c.cfg.Name || req.Issuer != c.cfg.Issuer {
		return refuse(ErrState, "provider_mismatch")
	}
	if age := c.cfg.Now().Sub(req.Started); age > RequestLife || age < -maxSkew {
		return refuse(ErrState, "request_expired")
	}
	m := c.meta.known()
	switch {
	case q.Has("iss") && q.Get("iss") != c.cfg.Issuer:
		return refuse(ErrState, "iss_mismatch")
	case !q.Has("iss") && m != nil && m.issParam:
		return refuse(ErrState, "iss_missing")
	case q.Has("error"):
		return &AuthError{Code: known(authCodes, q.Get("error"))}
	case q.Get("code") == "" || !visible(q.Get("code"), 8<<10):
		return refuse(ErrState, "code_missing")
	}
	return nil
}

// Finish checks the callback once more, redeems its code, once, and verifies
// everything that comes for it. Besides the errors of CheckCallback it returns
// ErrToken or a *session.Unavailable. In no case may it be called again with
// the same code: an answer that was lost may have spent it. If tokens came that
// are not acceptable, they are in the returned SignIn, with nothing but their
// origin: to be revoked, not used.
func (c *Client) Finish(ctx context.Context, req AuthRequest, q url.Values) (session.SignIn, error) {
	m, err := c.meta.get(ctx)
	if err != nil {
		return session.SignIn{}, err
	}
	if err := c.CheckCallback(req, q); err != nil {
		return session.SignIn{}, err
	}
	a, sent, err := c.redeem(ctx, m, req, q.Get("code"))
	if err != nil {
		return session.SignIn{}, err
	}
	in := session.SignIn{
		Identity: session.Identity{Provider: c.cfg.Name, Issuer: c.cfg.Issuer, ClientID: c.cfg.ClientID},
		Tokens:   a.tokens(sent),
	}
	id, err := c.verifyIDToken(ctx, m, req, a)
	if err != nil {
		return in, err
	}
	if a.scope == "" {
		a.scope = strings.Join(c.cfg.Scopes, " ") // RFC 6749, 5.1: as requested
	}
	if in.Claims, err = c.shownClaims(ctx, m, id, a.access); err != nil {
		return in, err
	}
	in.Subject, in.SID, in.ACR, in.AuthTime = id.sub, id.sid, id.acr, id.authTime()
	in.Tokens.Scope = a.scope
	return in, nil
}

// redeem exchanges the code (RFC 6749, 4.1.3) and returns when it was sent.
func (c *Client) redeem(ctx context.Context, m *metadata, req AuthRequest, code string) (answer, time.Time, error) {
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code},
		"redirect_uri": {c.cfg.RedirectURL}, "code_verifier": {req.Verifier.Reveal()},
	}
	if len(c.cfg.Resource) > 0 {
		form["resource"] = c.cfg.Resource
	}
	r, err := c.post(ctx, m, m.token, form)
	var not notSent
	switch {
	case errors.As(err, &not):
		return answer{}, time.Time{}, unavailable("provider_unreachable", fmt.Errorf("redeem code: %w", err))
	case err != nil:
		return answer{}, time.Time{}, unavailable("code_unanswered", fmt.Errorf("redeem code: %w", err))
	case r.status != http.StatusOK:
		code := errorCode(r.body)
		if code == "invalid_grant" {
			return answer{}, time.Time{}, &refusal{kind: ErrToken, reason: "code_refused", cause: statusError{r.status, code}}
		}
		return answer{}, time.Time{}, r.passing(code)
	}
	a, err := parseAnswer(r.body)
	if err == nil && a.id == "" {
		err = errors.New("id_token is missing")
	}
	switch {
	case err != nil && r.broken != nil:
		return answer{}, time.Time{}, unavailable("code_unanswered", fmt.Errorf("redeem code: %w", r.broken))
	case err != nil:
		return answer{}, time.Time{}, &refusal{kind: ErrToken, reason: "malformed_answer", cause: err}
	}
	return a, r.sent, nil
}
