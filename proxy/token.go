package proxy

import (
	"errors"
	"net/http"

	"github.com/cloakroom/cloakroom/session"
)

// authorize finds the session that the call is made for, and its token.
func (c *call) authorize() error {
	auth := c.route.Demand.Auth
	if auth == session.AuthNone {
		return nil
	}
	s, ok := session.FromContext(c.r.Context())
	if !ok {
		if auth == session.AuthRequired {
			return session.ErrNotFound
		}
		return nil
	}
	var err error
	switch c.route.Token {
	case TokenAccess:
		c.token, err = s.Access(c.r.Context())
	case TokenID:
		if c.token = s.IDToken(); c.token == "" {
			err = session.ErrNotFound
		}
	}
	if auth == session.AuthOptional && errors.Is(err, session.ErrNotFound) {
		return nil // it ended just now, so there is none
	}
	if err != nil {
		return err
	}
	c.session = s
	return nil
}

// challenged deals with a 401 from upstream. A token that upstream calls
// invalid is replaced once, and the call repeated once with the new one, if
// there is a better token and the body can be sent again: res is then the second
// answer, whatever it says. A demand for stronger authentication is a
// *session.StepUp: the token was good, and nothing is renewed.
func (c *call) challenged(res *http.Response) (*http.Response, error) {
	if c.token == "" {
		return res, nil
	}
	challenge := bearerError(res.Header)
	switch challenge.params["error"] {
	case errStepUp:
		_ = res.Body.Close()
		step := challenge.stepUp()
		step.Provider = c.session.Info().Provider
		return nil, step
	case errInvalidToken:
		if c.route.Token == TokenAccess {
			return c.again(res)
		}
	}
	return res, nil
}

// again replaces the token and repeats the call, if both can be done.
func (c *call) again(res *http.Response) (*http.Response, error) {
	newer, err := c.session.RenewAfter(c.r.Context(), c.token)
	if c.body.src != nil && !c.body.keep {
		return res, nil // the next call has the newer token
	}
	if err != nil {
		_ = res.Body.Close()
		return nil, err
	}
	if newer == c.token {
		return res, nil
	}
	_ = res.Body.Close()
	c.token = newer
	return c.send()
}
