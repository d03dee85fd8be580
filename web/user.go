package web

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/session"
)

// times is a session's life as pages see it. Durations are whole seconds from
// now, so that nobody depends on the browser's clock.
type times struct {
	StartedAt         time.Time `json:"started_at"`
	IdleExpiresIn     int64     `json:"idle_expires_in"`
	AbsoluteExpiresIn int64     `json:"absolute_expires_in"`
}

type tokenTimes struct {
	ExpiresIn int64 `json:"expires_in"`
	Renewable bool  `json:"renewable"`
}

// sessionAnswer is the body of GET /bff/session.
type sessionAnswer struct {
	Authenticated bool        `json:"authenticated"`
	Provider      string      `json:"provider,omitempty"`
	Session       *times      `json:"session,omitempty"`
	Token         *tokenTimes `json:"token,omitempty"`
	LoginURL      string      `json:"login_url,omitempty"`
}

// user answers GET /bff/user: what the browser may know of the user.
func (s *Server) user(c echo.Context) error {
	current, err := s.presented(c)
	if err != nil {
		return err
	}
	info := current.Info()
	body := map[string]any{}
	if len(info.Claims) > 0 {
		if err := json.Unmarshal(info.Claims, &body); err != nil {
			return err
		}
	}
	p := s.provider(info.Provider)
	maps.DeleteFunc(body, func(name string, _ any) bool { return p == nil || !p.Shown(name) })
	bff := map[string]any{"provider": info.Provider, "session": s.times(info)}
	if info.Scope != "" {
		bff["scope"] = info.Scope
	}
	if info.ACR != "" {
		bff["acr"] = info.ACR
	}
	if !info.AuthTime.IsZero() {
		bff["auth_time"] = info.AuthTime.Unix()
	}
	body["bff"] = bff
	return c.JSON(http.StatusOK, body)
}

// session answers GET /bff/session: how long is left. It never extends
// anything, and being signed out is an answer, not an error.
func (s *Server) session(c echo.Context) error {
	current, err := s.presented(c)
	switch {
	case errors.Is(err, session.ErrNotFound):
		return c.JSON(http.StatusOK, sessionAnswer{LoginURL: s.base + "/login"})
	case err != nil:
		return err
	}
	return c.JSON(http.StatusOK, s.sessionAnswer(current.Info()))
}

// renew answers POST /bff/session/renew: the user is there, and wants a fresh
// access token.
func (s *Server) renew(c echo.Context) error {
	current, err := s.presented(c)
	if err != nil {
		return err
	}
	if err := s.limits.renewals.take(current.Ref()); err != nil {
		return err
	}
	current.Touch()
	if _, err := current.Renew(c.Request().Context()); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, s.sessionAnswer(current.Info()))
}

// jwks answers GET /bff/jwks: the public keys by which providers know our
// client assertions (RFC 7523). They are of interest to anybody. A provider that
// reads GET /bff/jwks/{provider} knows its own key alone: one that leaks from
// elsewhere does not make anybody us there (H3).
func (s *Server) jwks(c echo.Context) error {
	name := c.Param("provider")
	if name != "" && s.provider(name) == nil {
		return errNotFound
	}
	keys := []json.RawMessage{}
	for _, p := range s.Providers {
		if name == "" || p.Name() == name {
			keys = append(keys, p.PublicKeys()...)
		}
	}
	c.Response().Header().Set("Cache-Control", "public, max-age=300")
	return c.JSON(http.StatusOK, map[string]any{"keys": keys})
}

func (s *Server) sessionAnswer(info session.Info) sessionAnswer {
	t := s.times(info)
	return sessionAnswer{
		Authenticated: true, Provider: info.Provider, Session: &t,
		Token: &tokenTimes{s.seconds(info.TokenExpires), info.Renewable},
	}
}

func (s *Server) times(info session.Info) times {
	return times{info.Started.UTC().Truncate(time.Second), s.seconds(info.Idle), s.seconds(info.Absolute)}
}

// seconds returns the whole seconds from now until t, at least 0. t is of the
// Manager's clock, which the machine's may have left.
func (s *Server) seconds(t time.Time) int64 {
	return max(0, int64(t.Sub(s.Manager.Now())/time.Second))
}
