package web

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/session"
)

// logoutAnswer is the body of POST /bff/logout for callers that want JSON: where
// the page is to go next.
type logoutAnswer struct {
	LogoutURL string `json:"logout_url"`
}

// logout answers POST /bff/logout. The session ends here first, whatever the
// provider does (I1); then the browser goes there to end its session too (OpenID
// Connect RP-Initiated Logout, 2).
func (s *Server) logout(c echo.Context) error {
	w, r := c.Response(), c.Request()
	location := s.Providers[0].PostLogout // nobody knows whose session it was
	t, ok := s.cookies.readTicket(r)
	if ok {
		ended, err := s.endTicket(r, t)
		if err != nil && !errors.Is(err, session.ErrNotFound) {
			// The cookie stays, so that trying again can end the session.
			return err
		}
		if err == nil {
			// What the app left in the browser goes too (I11). Not "cookies": that
			// would be those of every host under the registrable domain.
			w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
			if location, err = s.endSession(w, r, ended); err != nil {
				return err
			}
		}
	}
	s.cookies.clearTicket(w)
	if wantsJSON(r) {
		return c.JSON(http.StatusOK, logoutAnswer{location})
	}
	redirect(w, http.StatusSeeOther, location)
	return nil
}

// endTicket ends the session that t opens. A ticket that opens none counts like
// any other such (K2).
func (s *Server) endTicket(r *http.Request, t session.Ticket) (session.Ended, error) {
	client := byAddress(s.Client(r))
	if err := s.mayOpen(t, client); err != nil {
		return session.Ended{}, err
	}
	ended, err := s.Manager.End(detached(r), t, session.ReasonLogout)
	if errors.Is(err, session.ErrNotFound) {
		s.opensNothing(t, client)
	}
	return ended, err
}

// endSession returns where the browser goes after a logout, and leaves it a
// cookie by which the way back is recognised.
func (s *Server) endSession(w http.ResponseWriter, r *http.Request, ended session.Ended) (string, error) {
	p := s.provider(ended.Provider)
	if p == nil {
		return s.base + "/signed-out", nil // one that is no longer configured
	}
	state := rand.Text()
	location, err := p.EndSession(r.Context(), ended.Identity, session.Tokens{ID: ended.IDToken}, state)
	if err != nil {
		// The session is over all the same; that the provider's is not is its own.
		s.log.Warn("the provider's logout can't be reached", "provider", p.Name(), "error", err)
		return p.PostLogout, nil
	}
	if location == "" {
		return p.PostLogout, nil
	}
	value, err := s.cookies.sealers.Load().login[0].Encode(s.cookies.logoutName, []byte(state+" "+p.Name()))
	if err != nil {
		return "", err
	}
	s.cookies.set(w, s.cookies.logoutName, value, int(loginMaxAge.Seconds()), http.SameSiteLaxMode)
	return location, nil
}

// logoutCallback answers GET /bff/logout/callback: the browser is back from the
// provider's logout.
func (s *Server) logoutCallback(c echo.Context) error {
	w, r := c.Response(), c.Request()
	name, ok := s.logoutBegun(r)
	if !ok {
		if err := s.limits.strays.take(byAddress(s.Client(r))); err != nil {
			return err
		}
		return errLogoutState
	}
	s.cookies.set(w, s.cookies.logoutName, "", expired, http.SameSiteLaxMode)
	location := s.base + "/signed-out"
	if p := s.provider(name); p != nil {
		location = p.PostLogout
	}
	redirect(w, http.StatusSeeOther, location)
	return nil
}

// logoutBegun returns the provider whose logout this browser was sent to, if that
// is what it comes back from.
func (s *Server) logoutBegun(r *http.Request) (provider string, ok bool) {
	found := r.CookiesNamed(s.cookies.logoutName)
	states := r.URL.Query()["state"]
	if len(found) != 1 || len(states) != 1 {
		return "", false
	}
	raw, ok := unseal(s.cookies.sealers.Load().login, s.cookies.logoutName, found[0].Value)
	state, provider, _ := strings.Cut(string(raw), " ")
	return provider, ok && state != "" && subtle.ConstantTimeCompare([]byte(state), []byte(states[0])) == 1
}

// wantsJSON reports whether a call, not a form, is to be answered.
func wantsJSON(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode != "navigate"
	}
	return !strings.Contains(r.Header.Get("Accept"), "text/html")
}
