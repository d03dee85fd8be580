package oidc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

const (
	// defaultLife is how long an access token counts as good when the answer
	// has no expires_in, or none that makes sense: long enough to be of use,
	// short enough to be renewed before anybody relies on it for long. What ends
	// sooner is noticed when an API refuses it.
	defaultLife = 5 * time.Minute

	// maxLife is the longest that an access token is believed to be good.
	maxLife = 24 * time.Hour

	// maxRefreshLife keeps the arithmetic from overflowing.
	maxRefreshLife = 10 * 365 * 24 * time.Hour

	maxToken = 32 << 10 // bytes of any one token
)

// answer is a successful token response (RFC 6749, 5.1).
type answer struct {
	access, refresh, id session.Secret
	scope               string // empty: as asked for
	life                time.Duration
	refreshLife         time.Duration // 0: not said
}

// tokens makes a token set that was asked for at sent.
func (a answer) tokens(sent time.Time) session.Tokens {
	t := session.Tokens{
		Access: a.access, Refresh: a.refresh, ID: a.id, Scope: a.scope,
		Obtained: sent, Expires: sent.Add(a.life),
	}
	if a.refreshLife > 0 {
		t.RefreshExpires = sent.Add(a.refreshLife)
	}
	return t
}

// parseAnswer reads a token response. With an error the answer holds nothing
// but, where one could be found, the refresh token: the old one is probably
// consumed, and this may be the only copy of the new one.
func parseAnswer(body []byte) (answer, error) {
	lost := answer{refresh: salvage(body)}
	o, err := parseObject(body)
	if err != nil {
		return lost, err
	}
	var a answer
	for _, member := range []struct {
		name string
		to   *session.Secret
	}{{"access_token", &a.access}, {"refresh_token", &a.refresh}, {"id_token", &a.id}} {
		s, ok := o.text(member.name)
		if !ok || !fit(s) {
			return lost, errors.New(member.name + " is not usable")
		}
		*member.to = session.Secret(s)
	}
	if a.access == "" {
		return lost, errors.New("access_token is missing")
	}
	// RFC 6749, 7.1: a client must not use a token of a type it does not
	// understand. The name is compared without regard to case (5.1).
	if kind, ok := o.text("token_type"); !ok || !strings.EqualFold(kind, "Bearer") {
		return lost, errors.New("token_type is not Bearer")
	}
	scope, ok := o.text("scope")
	if !ok || !visible(scope, 4096) {
		return lost, errors.New("scope is not usable")
	}
	a.scope = strings.Join(strings.Fields(scope), " ")
	a.life = lifetime(o, maxLife, "expires_in")
	if a.life == 0 {
		a.life = defaultLife
	}
	// Keycloak's name and the one of Microsoft and others. 0 means "never".
	a.refreshLife = lifetime(o, maxRefreshLife, "refresh_expires_in", "refresh_token_expires_in")
	return a, nil
}

// lifetime returns the first member that is a second or more, capped, or 0.
func lifetime(o object, most time.Duration, names ...string) time.Duration {
	for _, name := range names {
		if f, ok := o.number(name); ok && f >= 1 {
			return time.Duration(math.Min(f, most.Seconds()) * float64(time.Second))
		}
	}
	return 0
}

// fit reports whether s can be a token: visible ASCII without spaces, or
// nothing. Anything else would be a way into the headers of our calls.
func fit(s string) bool { return visible(s, maxToken) && !strings.Contains(s, " ") }

// salvage finds the refresh token at the top level of a response that may be
// cut off or otherwise broken. Half a token is none.
func salvage(body []byte) session.Secret {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return ""
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return ""
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return ""
		}
		if name == "refresh_token" {
			var s string
			if json.Unmarshal(v, &s) == nil && fit(s) {
				return session.Secret(s)
			}
			return ""
		}
	}
	return ""
}

// errorCode returns the error code of a refusal, from a fixed list or "other".
// A body that is no OAuth error at all has none.
func errorCode(body []byte) string {
	o, err := parseObject(body)
	if err != nil {
		return ""
	}
	code, ok := o.text("error")
	if !ok || code == "" {
		return ""
	}
	return known(tokenCodes, code)
}

// passing returns the error for a refusal that says nothing about the token:
// our credential is wrong, the provider is busy, broken or misconfigured. A
// session must survive all of these.
func (r *reply) passing(code string) *session.Unavailable {
	reason := "request_refused"
	switch {
	case code == "invalid_client", code == "unauthorized_client", r.status == http.StatusUnauthorized:
		reason = "client_refused"
	case r.status == http.StatusTooManyRequests, code == "slow_down":
		reason = "provider_busy"
	case r.status >= 500, code == "temporarily_unavailable", code == "server_error":
		reason = "provider_failed"
	case r.status >= 300 && r.status < 400:
		reason = "provider_redirected"
	}
	var cause error = statusError{r.status, code}
	if reason == "client_refused" {
		cause = fmt.Errorf("%w: check client_id, the credential and auth", cause)
	}
	u := unavailable(reason, cause)
	u.RetryAfter = r.retryAfter
	return u
}
