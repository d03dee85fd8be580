package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/cloakroom/cloakroom/session"
)

// proxied leads a request to a route: past its guard, with its session if the
// route wants one.
func (s *Server) proxied(w http.ResponseWriter, r *http.Request, d session.Demand, route http.Handler) error {
	if err := s.guardRoute(r, d); err != nil {
		return err
	}
	if d.Auth == session.AuthNone {
		route.ServeHTTP(w, r)
		return nil
	}
	current, t, err := s.resume(r)
	switch {
	case err == nil:
		if err := d.Check(current); err != nil {
			r = r.WithContext(session.NewContext(r.Context(), current)) // the log says whose it was
			if err := s.unsatisfied(w, r, d, err); err != nil {
				s.Fail(w, r, err)
			}
			return nil
		}
		if d.Activity && isActivity(r) {
			current.Touch()
		}
		r = r.WithContext(session.NewContext(r.Context(), current))
		if !isWebSocket(r) && current.Due(t) {
			w = &reissuing{ResponseWriter: w, s: s, session: current, ticket: t}
		}
	case !errors.Is(err, session.ErrNotFound):
		return err
	case d.Auth == session.AuthOptional:
	case takesPages(d) && isNavigation(r):
		return s.own(w, r, func() error { return s.toLogin(w, r) })
	default:
		return err
	}
	route.ServeHTTP(w, r)
	return nil
}

// unsatisfied refuses a request whose session does not satisfy d, as err says. A
// navigation is led to the sign-in that is missing, and back: what comes of it is
// held against what was asked for, so that it can't go round in circles (B7).
func (s *Server) unsatisfied(w http.ResponseWriter, r *http.Request, d session.Demand, err error) error {
	var step *session.StepUp
	if !errors.As(err, &step) || !takesPages(d) || !isNavigation(r) {
		return err
	}
	return s.own(w, r, func() error {
		redirect(w, http.StatusFound, s.stepUpURL(step, returnTarget(r)))
		return nil
	})
}

// returnTarget is where a navigation was to lead, as return_to; empty if that is too
// long to be kept.
func returnTarget(r *http.Request) string {
	if target := r.URL.RequestURI(); len(target) <= maxReturnTo {
		return target
	}
	return ""
}

// isActivity reports whether a call counts as something the user does. Streams
// do not: they reconnect by themselves (E8).
func isActivity(r *http.Request) bool {
	return r.Header.Get("X-Session-Activity") != "none" && !isWebSocket(r) &&
		!strings.HasPrefix(r.Header.Get("Accept"), "text/event-stream")
}

// hiddenTicket reports whether a navigation without a ticket may have one all the
// same: it comes from another site, so that a Strict cookie was held back. Once
// it has been made to come from here, it no longer does.
func (s *Server) hiddenTicket(r *http.Request) bool {
	return !s.Cookie.Lax && isNavigation(r) && r.Header.Get("Sec-Fetch-Site") == "cross-site"
}

// toLogin sends a navigation that needs a session to sign in and come back. One
// that may have a ticket all the same is first made to come from here.
func (s *Server) toLogin(w http.ResponseWriter, r *http.Request) error {
	if s.hiddenTicket(r) {
		s.hopPage(w, s.language(r, ""), r.URL.RequestURI())
		return nil
	}
	target := s.base + "/login"
	if to := returnTarget(r); to != "" {
		target += "?return_to=" + url.QueryEscape(to)
	}
	redirect(w, http.StatusFound, target)
	return nil
}

// needsTicket reports whether the page at a local path is one that only a
// session opens, so that it must be asked for with the Strict cookie.
func (s *Server) needsTicket(local string) bool {
	u, err := url.Parse(local)
	if err != nil {
		return false
	}
	d, route := s.Route(&http.Request{Method: http.MethodGet, URL: u, Host: s.host, Header: http.Header{}})
	if route == nil || d.Documents == session.DocumentsApp {
		return s.gates(u.EscapedPath())
	}
	return d.Auth != session.AuthNone && takesPages(d)
}

// redirect writes Location itself: http.Redirect and echo clean paths, and so
// may turn a harmless one into another origin's.
func redirect(w http.ResponseWriter, status int, location string) {
	h := w.Header()
	h.Set("Location", location)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
}
