package web

import (
	"errors"
	"net/http"
	"strings"

	"github.com/cloakroom/cloakroom/session"
)

// gates reports whether a page of the application at that path is for those who
// are signed in.
func (s *Server) gates(escaped string) bool {
	return s.App.Gate && !coversAny(s.App.Public, escaped)
}

// holdsPage reports whether a file of that name has a page in it, compressed.
func holdsPage(name string) bool {
	for _, v := range encodings {
		if page, ok := strings.CutSuffix(name, v.suffix); ok {
			return isPage(contentType(page)) || isXML(contentType(page))
		}
	}
	return false
}

// turnedAway says why r must not have a gated page; nil: it may. The page neither
// keeps its session from idling out nor sets its ticket: it is a file like any other.
func (s *Server) turnedAway(r *http.Request) error {
	_, _, err := s.resume(r)
	return err
}

// turnAway answers who must not have a gated page: a navigation is led to the
// sign-in and back, by way of a page of ours if a ticket may have been held back
// (B12). The error is for everything else.
func (s *Server) turnAway(w http.ResponseWriter, r *http.Request, why error) error {
	if errors.Is(why, session.ErrNotFound) && isNavigation(r) {
		return s.toLogin(w, r)
	}
	return why
}
