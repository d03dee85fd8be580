package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

const (
	// logoutWait is how long a logout waits for metadata that nobody has yet.
	logoutWait = 2 * time.Second

	// maxHint is the longest ID token that goes into a URL. Many servers refuse
	// request lines of 8 KiB.
	maxHint = 6 << 10
)

// Revoke implements session.Renewer (RFC 7009). A provider that has no
// revocation endpoint, or none for what there is to revoke, is
// session.ErrNoRevocation. The
// call is safe to repeat: a *session.Unavailable says that it should be,
// ErrRevocation that it is of no use.
func (c *Client) Revoke(ctx context.Context, t session.Tokens) error {
	token, hint := t.Refresh, "refresh_token"
	if token == "" && c.cfg.Revoke == RevokeAuto {
		token, hint = t.Access, "access_token"
	}
	if token == "" || c.cfg.Revoke == RevokeNone {
		return session.ErrNoRevocation
	}
	m, err := c.meta.get(ctx)
	if err != nil {
		return err
	}
	if m.revocation == "" {
		return session.ErrNoRevocation
	}
	r, err := c.post(ctx, m, m.revocation, url.Values{"token": {token.Reveal()}, "token_type_hint": {hint}})
	if err != nil {
		return unavailable("provider_unreachable", fmt.Errorf("revoke: %w", err))
	}
	if r.status >= 200 && r.status < 300 {
		return nil
	}
	code := errorCode(r.body)
	if u := r.passing(code); r.status != http.StatusBadRequest || Reason(u) != "request_refused" {
		return u
	}
	return &refusal{kind: ErrRevocation, reason: "revocation_refused", cause: statusError{r.status, code}}
}

// EndSession returns where to send the browser so that the provider ends its
// own session too (OpenID Connect RP-Initiated Logout 1.0, 2), "" if the
// provider has no such place. The URL may hold the ID token: it must not be
// logged. state comes back to PostLogoutRedirectURL; it may be empty. A
// provider that is down costs two seconds at most, and a *session.Unavailable;
// our own session must have ended before.
func (c *Client) EndSession(ctx context.Context, who session.Identity, t session.Tokens, state string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, logoutWait)
	defer cancel()
	m, err := c.meta.get(ctx)
	if err != nil {
		return "", err
	}
	if m.endSession == "" {
		return "", nil
	}
	u, err := url.Parse(m.endSession)
	if err != nil {
		return "", errors.New("oidc: end session: endpoint is not usable")
	}
	q := url.Values{"client_id": {c.cfg.ClientID}}
	switch {
	case c.cfg.LogoutHint == HintIDToken && t.ID != "" && len(t.ID) <= maxHint:
		q.Set("id_token_hint", t.ID.Reveal())
	case c.cfg.LogoutHint == HintSub && who.Subject != "":
		q.Set("logout_hint", who.Subject)
	}
	if c.cfg.PostLogoutRedirectURL != "" {
		q.Set("post_logout_redirect_uri", c.cfg.PostLogoutRedirectURL)
		if state != "" {
			q.Set("state", state)
		}
	}
	u.RawQuery = strings.TrimPrefix(u.RawQuery+"&"+q.Encode(), "&")
	return u.String(), nil
}
