package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/web"
)

// J14, N5: a panic is a 500 that says nothing, and a line in the log that says
// where but not what: what a panic says may be anything.
func TestPanic(t *testing.T) {
	s := newStand(t, options{web: func(c *web.Config) {
		route := c.Route
		c.Route = func(r *http.Request) (session.Demand, http.Handler) {
			if r.URL.Path == "/panic" {
				return session.Demand{Auth: session.AuthNone}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
					panic("canary-in-a-panic")
				})
			}
			return route(r)
		}
	}})
	a := s.browser(t).fetch("GET", "/panic").problem(http.StatusInternalServerError, "internal")
	log := s.log.String()
	if !strings.Contains(log, `"level":"ERROR"`) || !strings.Contains(log, "panic_test.go") {
		t.Errorf("the log does not say where: %s", log)
	}
	if strings.Contains(log+a.body, "canary-in-a-panic") {
		t.Error("what the panic said is shown")
	}
}
