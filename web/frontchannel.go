package web

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/session"
)

const (
	// frontchannelPage is all that a provider's logout page shows of us: nothing.
	frontchannelPage = "<!doctype html>\n<html lang=\"en\"><title>Signed out</title></html>\n"

	maxSID = 255 // bytes, as in ID tokens
)

// frontchannelLogout answers GET /bff/frontchannel-logout/{provider}: the
// provider's logout page has opened it in a frame (OpenID Connect Front-Channel
// Logout 1.0, 2). A frame of another site gets no cookies, so none is looked at:
// the session is found by iss and sid, which nobody else knows (I9). The answer
// does not tell whether there was one.
func (s *Server) frontchannelLogout(c echo.Context) error {
	w, r := c.Response(), c.Request()
	p := s.provider(c.Param("provider"))
	if p == nil {
		return errNotFound
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(q["iss"]) != 1 || len(q["sid"]) != 1 || q.Get("iss") != p.Issuer() ||
		q.Get("sid") == "" || len(q.Get("sid")) > maxSID {
		return s.logoutRefused(r, p, logoutMalformed, because(errLogout, errors.New("not one iss, the provider's, and one sid")))
	}
	_, err = s.Manager.Logout(detached(r), session.Logout{
		Provider: p.Name(), SID: q.Get("sid"), Reason: session.ReasonFrontchannel,
	})
	if err != nil {
		return s.logoutRefused(r, p, logoutFailed, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // the address names the session
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors "+
		strings.Join(p.LogoutOrigins(), " "))
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, frontchannelPage)
	return nil
}
