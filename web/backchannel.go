package web

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// maxLogoutBody is the most that is read of a provider's logout request, in
// bytes: twice the longest logout token.
const maxLogoutBody = 64 << 10

// Reasons of session.EventLogoutRefused besides those of oidc.Reason.
const (
	logoutMalformed = "malformed_request"
	logoutRepeated  = "repeated"
	logoutFailed    = "unavailable"
)

// backchannelLogout answers POST /bff/backchannel-logout/{provider}: the
// provider itself says that sessions are over (OpenID Connect Back-Channel Logout
// 1.0, 2.5–2.8). The signed token is the only proof, so that cookies, Origin and
// X-CSRF mean nothing here. It answers 200 only when what was asked is durable or
// there was nothing to do, and 400 otherwise, store failures included (I7): a
// provider may take another answer for a success. Beyond the client's allowance
// what is refused gets 429.
func (s *Server) backchannelLogout(c echo.Context) error {
	w, r := c.Response(), c.Request()
	p := s.provider(c.Param("provider"))
	if p == nil {
		return errNotFound
	}
	raw, err := readLogoutToken(w, r)
	if err != nil {
		return s.logoutRefused(r, p, logoutMalformed, because(errLogout, err))
	}
	token, err := p.VerifyLogout(r.Context(), raw)
	if err != nil {
		return s.logoutRefused(r, p, oidc.Reason(err), because(errLogout, err))
	}
	// Not cut short by the provider's leaving: half a logout would be none.
	_, err = s.Manager.Logout(detached(r), session.Logout{
		Provider: p.Name(), Subject: token.Subject, SID: token.SID,
		ID: token.ID, IDUntil: token.Expires, Reason: session.ReasonBackchannel,
	})
	switch {
	case errors.Is(err, session.ErrRepeated):
		return s.logoutRefused(r, p, logoutRepeated, because(errLogout, err))
	case err != nil:
		return s.logoutRefused(r, p, logoutFailed, because(errNotEnded, err))
	}
	w.Header().Set("Cache-Control", "no-store")
	return c.NoContent(http.StatusOK)
}

// readLogoutToken returns the logout token of a form that has exactly one. The
// URL's query does not count.
func readLogoutToken(w http.ResponseWriter, r *http.Request) (string, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != echo.MIMEApplicationForm {
		return "", errors.New("not a form")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLogoutBody))
	if err != nil {
		return "", errors.New("form is too large, or not whole")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form["logout_token"]) != 1 {
		// The cause would quote the form.
		return "", errors.New("not exactly one logout_token")
	}
	return form["logout_token"][0], nil
}

// logoutRefused returns err as a provider's logout that was not carried out, which
// is an audit event. Beyond the client's allowance there is none: the log would
// fill up (K2). Only then does the allowance matter, because whoever
// shares the provider's address (behind a proxy that is not trusted, everybody
// does) must not be able to keep its logouts out.
func (s *Server) logoutRefused(r *http.Request, p *Provider, reason string, err error) error {
	if reason != logoutFailed {
		if err := s.limits.strays.take(byAddress(s.Client(r))); err != nil {
			return err
		}
	}
	return audited{error: err, event: session.EventLogoutRefused, reason: reason, provider: p.Name()}
}
