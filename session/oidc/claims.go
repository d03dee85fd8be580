package oidc

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

const (
	// defaultClaims is what the browser may know unless the configuration says
	// otherwise.
	defaultClaims = "sub name given_name family_name preferred_username nickname email email_verified " +
		"picture locale zoneinfo updated_at"

	maxClaim  = 4 << 10  // bytes of one claim that is only shown
	maxClaims = 16 << 10 // of all that are only shown, and of all others: they are kept with each session
)

// claims are an ID token's, those that matter to the protocol by name.
type claims struct {
	object
	iss, sub, sid, azp, nonce, acr, atHash string
	aud                                    []string
}

// parseClaims reads the payload of an ID token.
func parseClaims(payload []byte) (claims, error) {
	o, err := parseObject(payload)
	if err != nil {
		return claims{}, &refusal{kind: ErrToken, reason: "malformed_token", cause: err}
	}
	id := claims{object: o}
	for name, to := range map[string]*string{
		"iss": &id.iss, "sub": &id.sub, "sid": &id.sid, "azp": &id.azp,
		"nonce": &id.nonce, "acr": &id.acr, "at_hash": &id.atHash,
	} {
		s, ok := o.text(name)
		if !ok {
			return claims{}, refuse(ErrToken, "malformed_token")
		}
		*to = s
	}
	var ok bool
	if id.aud, ok = o.texts("aud"); !ok {
		return claims{}, refuse(ErrToken, "malformed_token")
	}
	// OpenID Connect Core, 2: a sub has at most 255 characters.
	if len(id.sub) > 255 || len(id.sid) > 255 || len(id.acr) > 255 {
		return claims{}, refuse(ErrToken, "malformed_token")
	}
	return id, nil
}

// time returns a claim that is a number of seconds since 1970, of this
// millennium or the next.
func (id claims) time(name string) (time.Time, bool) {
	f, ok := id.number(name)
	if !ok || f <= 0 || f > 1<<35 {
		return time.Time{}, false
	}
	return time.Unix(int64(f), 0), true
}

func (id claims) authTime() time.Time {
	t, _ := id.time("auth_time")
	return t
}

// shownClaims returns the claims that the browser may know and those that are to be
// kept, from the ID token and, only if it lacks wanted ones, from UserInfo. A sign-in
// does not fail because UserInfo does.
func (c *Client) shownClaims(ctx context.Context, m *metadata, id claims, access session.Secret) (json.RawMessage, error) {
	shown := object{}
	c.show(shown, id.object)
	if m.userInfo != "" && c.lacking(id.object) {
		info, err := c.userInfo(ctx, m, access)
		switch {
		case err != nil:
			c.log.Warn("userinfo is not usable", "error", err)
		default:
			// OpenID Connect Core, 5.3.2: another sub is another user.
			if sub, ok := info.text("sub"); !ok || sub != id.sub {
				c.log.Warn("userinfo speaks of another user and is not used")
				break
			}
			c.show(shown, info)
		}
	}
	return json.Marshal(shown)
}

// Shown reports whether the browser may know the claim of that name.
func (c *Client) Shown(name string) bool { return c.claims[name] }

// show copies allowed claims of a bearable size that are not there yet. One that a
// rule or a header needs may be as large as lists of groups are.
func (c *Client) show(to, from object) {
	shown, kept := 0, 0
	for name, v := range to {
		if c.kept[name] {
			kept += len(v)
		} else {
			shown += len(v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.kept)) { // which one is lost is no chance
		v := from[name]
		switch {
		case to.has(name) || !from.has(name):
		case kept+len(v) > maxClaims:
			c.log.Warn("a claim that a rule or a header needs is too large to be kept; it counts as missing", "claim", name, "bytes", len(v))
		default:
			to[name] = v
			kept += len(v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.claims)) {
		v := from[name]
		if c.kept[name] || to.has(name) || !from.has(name) || len(v) > maxClaim || shown+len(v) > maxClaims {
			continue
		}
		to[name] = v
		shown += len(v)
	}
}

// lacking reports whether it is worth asking UserInfo: a claim that is to be kept, or
// a configured one, is not in the ID token, or with the default list, none of those that the scopes
// stand for is.
func (c *Client) lacking(id object) bool {
	for name := range c.kept {
		first, _, _ := strings.Cut(name, ".") // a path into a claim
		if !id.has(name) && !id.has(first) {
			return true
		}
	}
	if len(c.cfg.Claims) > 0 {
		return slices.ContainsFunc(c.cfg.Claims, func(name string) bool { return !id.has(name) })
	}
	profile := slices.Contains(c.cfg.Scopes, "profile") && !id.has("name") && !id.has("preferred_username")
	return profile || slices.Contains(c.cfg.Scopes, "email") && !id.has("email")
}

func (c *Client) userInfo(ctx context.Context, m *metadata, access session.Secret) (object, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.TokenTimeout)
	defer cancel()
	return getJSON(ctx, c.http, m.userInfo, access)
}
