package web

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/session"
)

// guard lets a request pass that this origin's own pages sent (F1–F3).
// Sec-Fetch-Site, which no page can forge, decides if it is there; else a
// matching Origin; else the header X-CSRF: 1, which no other origin can send
// without asking first. An Origin that is there must always match: Sec-Fetch-Site
// alone would let a page of the same host with another scheme pass in a browser
// that ignores schemes.
func (s *Server) guard(r *http.Request) error {
	origin, hasOrigin, ok := single(r.Header, "Origin")
	if !ok || hasOrigin && origin != s.origin {
		return errCSRF
	}
	site, hasSite, ok := single(r.Header, "Sec-Fetch-Site")
	switch {
	case !ok:
		return errCSRF
	case hasSite:
		switch {
		case site == "same-origin":
			return nil
		case site == "none" && isNavigation(r): // its address was typed, or kept
			return errDocument
		}
		return errCSRF
	case hasOrigin:
		return nil
	case r.Header.Get("X-CSRF") == "1":
		return nil
	}
	return errCSRF
}

// guardWebSocket lets a WebSocket handshake pass that has our Origin: browsers
// send no Fetch Metadata with it, and no page can add a header (F6).
func (s *Server) guardWebSocket(r *http.Request) error {
	origin, _, ok := single(r.Header, "Origin")
	if !ok || origin != s.origin {
		return errCSRF
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return errCSRF
	}
	return nil
}

// guarded is guard as echo's middleware, for the endpoints.
func (s *Server) guarded(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := s.guard(c.Request()); err != nil {
			return err
		}
		c.Response().Header().Set("Cache-Control", "no-store")
		return next(c)
	}
}

// returning is echo's middleware for the ways back from a provider and the pages at
// their ends: a browser goes there as a navigation, or can't say what it does. What another site's page has
// fetched from here, as an image for instance, is refused before anything is
// looked at or counted.
func returning(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if r := c.Request(); r.Header.Get("Sec-Fetch-Mode") != "" && !isNavigation(r) {
			return errNavigation
		}
		return next(c)
	}
}

// single returns the value of a header that may occur once; ok is false if it
// occurs more often.
func single(h http.Header, name string) (value string, present, ok bool) {
	values := h.Values(name)
	switch len(values) {
	case 0:
		return "", false, true
	case 1:
		return values[0], true, true
	}
	return "", true, false
}

// isNavigation reports whether a browser opens the address as a page. A service
// worker that passes a navigation on sends an empty Sec-Fetch-Dest.
func isNavigation(r *http.Request) bool {
	if r.Method != http.MethodGet || r.Header.Get("Sec-Fetch-Mode") != "navigate" {
		return false
	}
	dest := r.Header.Get("Sec-Fetch-Dest")
	return dest == "document" || dest == "empty" || dest == ""
}

// wantsPage reports whether a person will read the answer.
func wantsPage(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// isWebSocket reports whether r asks for an upgrade to WebSocket.
func isWebSocket(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// guardLogin lets a request start a sign-in: a navigation, from a site that may
// (A9). A browser without Fetch Metadata can't say what it does; the worst that
// comes of believing it is a sign-in page that nobody asked for.
func (s *Server) guardLogin(r *http.Request) error {
	if strings.HasPrefix(r.Header.Get("Sec-Purpose"), "prefetch") || r.Header.Get("Purpose") == "prefetch" {
		return errPrefetch
	}
	site, hasSite, ok := single(r.Header, "Sec-Fetch-Site")
	if !ok {
		return errCSRF
	}
	if !hasSite {
		return nil
	}
	if !isNavigation(r) {
		return errNavigation
	}
	switch {
	case site == "none" || site == "same-origin", s.LoginFrom == LoginFromAny,
		s.LoginFrom == LoginFromSameSite && site == "same-site":
		return nil
	}
	return errCSRF
}

// guardRoute applies what a proxied route demands of a request, short of the
// session itself.
func (s *Server) guardRoute(r *http.Request, d session.Demand) error {
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		return errPreflight // our own pages never need to ask (F4)
	}
	if isWebSocket(r) {
		return s.guardWebSocket(r)
	}
	pages := takesPages(d)
	switch dest := r.Header.Get("Sec-Fetch-Dest"); dest {
	case "document", "iframe", "frame", "embed", "object", "fencedframe",
		"script", "style", "xslt", "worker", "sharedworker", "serviceworker", "audioworklet", "paintworklet":
		// An API's answer must not become a page, a script or a style of this
		// origin (G12).
		if !pages || dest != "document" {
			return errDocument
		}
	}
	if d.Auth == session.AuthNone || pages && isNavigation(r) {
		return nil
	}
	return s.guard(r)
}

// takesPages reports whether a route may be opened by a navigation.
func takesPages(d session.Demand) bool {
	return d.Documents == session.DocumentsAllow || d.Documents == session.DocumentsAttachment
}
