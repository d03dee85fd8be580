package web

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/mileusna/useragent"

	"github.com/cloakroom/cloakroom/session"
)

// device is one of a user's sessions in the answer of GET /bff/sessions.
type device struct {
	ID        string    `json:"id"`
	Current   bool      `json:"current"`
	Label     string    `json:"label"` // for people: browser and system
	Network   string    `json:"network,omitempty"`
	Provider  string    `json:"provider"`
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
}

// devices answers GET /bff/sessions: where the user is signed in (I12).
func (s *Server) devices(c echo.Context) error {
	current, err := s.asked(c)
	if err != nil {
		return err
	}
	list, err := current.Devices(c.Request().Context())
	if err != nil {
		return err
	}
	words := s.language(c.Request(), "")
	out := make([]device, 0, len(list))
	for _, d := range list {
		out = append(out, device{
			ID: d.ID, Current: d.Current, Label: deviceLabel(words, d.UserAgent), Network: d.Network, Provider: d.Provider,
			FirstSeen: d.Started.UTC().Truncate(time.Second), LastSeen: d.Seen.UTC().Truncate(time.Second),
		})
	}
	return c.JSON(http.StatusOK, map[string]any{"sessions": out})
}

// endDevice answers DELETE /bff/sessions/{id}: another session of the user ends.
func (s *Server) endDevice(c echo.Context) error {
	current, err := s.asked(c)
	if err != nil {
		return err
	}
	if err := s.recently(current); err != nil {
		return err
	}
	err = current.EndDevice(detached(c.Request()), c.Param("id"))
	switch {
	case errors.Is(err, session.ErrNotFound):
		return errNotFound // it is the other one that isn't there
	case err != nil:
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// endOthers answers DELETE /bff/sessions: all sessions of the user end but this one.
func (s *Server) endOthers(c echo.Context) error {
	current, err := s.asked(c)
	if err != nil {
		return err
	}
	if err := s.recently(current); err != nil {
		return err
	}
	n, err := current.EndOthers(detached(c.Request()))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]int{"ended": n})
}

// asked returns the session of a request that reads the store for it: there is an
// allowance for these.
func (s *Server) asked(c echo.Context) (*session.Session, error) {
	current, err := s.presented(c)
	if err != nil {
		return nil, err
	}
	return current, s.limits.renewals.take(current.Ref())
}

// recently refuses to end other sessions for a user who authenticated too long ago:
// who has got hold of one session must not throw out its owner (I12; ASVS 7.5.2).
func (s *Server) recently(current *session.Session) error {
	d := session.Demand{MaxAge: s.RecentAuth}
	return d.Check(current)
}

// deviceLabel says in a few words which browser a user agent is of. It is what the
// browser claimed: a help to tell one's own devices apart, no proof.
func deviceLabel(words *texts, agent string) string {
	ua := useragent.Parse(agent)
	on := ua.OS
	if ua.Device == "iPhone" || ua.Device == "iPad" {
		on = ua.Device
	}
	switch {
	case !plainName(ua.Name):
		return words.get("device.unknown")
	case !plainName(on):
		return ua.Name
	}
	return strings.NewReplacer("{browser}", ua.Name, "{system}", on).Replace(words.get("device.on"))
}

// plainName reports whether text is a name to show: an agent can claim anything.
func plainName(text string) bool {
	odd := func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune(" .-_/", c))
	}
	return text != "" && len(text) <= 40 && !strings.ContainsFunc(text, odd)
}
