package proxy

import (
	"net/http"
	"strings"

	"github.com/cloakroom/cloakroom/session"
)

// The error codes of RFC 6750 section 3.1 and RFC 9470 section 3 that matter
// here.
const (
	errInvalidToken = "invalid_token"
	errStepUp       = "insufficient_user_authentication"
)

// challenge is one challenge of a WWW-Authenticate field (RFC 9110 section
// 11.6.1). Names of parameters are in lower case.
type challenge struct {
	scheme string
	params map[string]string
}

// bearerError returns the first Bearer challenge of h that says what was wrong
// with the token. Its params are nil if there is none.
func bearerError(h http.Header) challenge {
	for _, field := range h["Www-Authenticate"] {
		for _, c := range parseChallenges(field) {
			if strings.EqualFold(c.scheme, "Bearer") && c.params["error"] != "" {
				return c
			}
		}
	}
	return challenge{}
}

// harmless returns the challenge to pass on for those of res, or "": a scheme
// of our own, for which no browser asks for a password, with the error and the
// scope of a Bearer challenge. A 401 always has one (RFC 9110 section 15.5.2).
func harmless(res *http.Response) string {
	if res.StatusCode != http.StatusUnauthorized && res.Header["Www-Authenticate"] == nil {
		return ""
	}
	c := bearerError(res.Header)
	out := "Upstream"
	sep := " "
	for _, name := range [...]string{"error", "scope"} {
		if v := c.params[name]; v != "" && oauthText(v) {
			out += sep + name + `="` + v + `"`
			sep = ", "
		}
	}
	if out == "Upstream" && res.StatusCode != http.StatusUnauthorized {
		return ""
	}
	return out
}

// oauthText reports whether v has only characters that RFC 6750 section 3 and
// RFC 6749 appendix A allow in such values.
func oauthText(v string) bool {
	for i := range len(v) {
		if c := v[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// stepUp returns what c demands of the user.
func (c challenge) stepUp() *session.StepUp {
	s := &session.StepUp{}
	if v := c.params["acr_values"]; oauthText(v) {
		s.ACRValues = v
	}
	if v := c.params["max_age"]; len(v) <= 10 && strings.Trim(v, "0123456789") == "" {
		s.MaxAge = v
	}
	return s
}

// parseChallenges reads a WWW-Authenticate field as far as it is well-formed. A
// parameter that comes twice keeps its first value.
func parseChallenges(field string) []challenge {
	var list []challenge
	p := scanner{field}
	for {
		p.skip(" \t,")
		name := p.token()
		if name == "" {
			return list
		}
		if value, ok := p.value(); ok {
			if len(list) == 0 {
				return list
			}
			params := list[len(list)-1].params
			if key := strings.ToLower(name); params[key] == "" {
				params[key] = value
			}
			continue
		}
		list = append(list, challenge{name, map[string]string{}})
		p.token68()
	}
}

// scanner reads a header field from its beginning.
type scanner struct{ rest string }

func (p *scanner) skip(chars string) { p.rest = strings.TrimLeft(p.rest, chars) }

// token takes a token (RFC 9110 section 5.6.2), or "" if none is next.
func (p *scanner) token() string {
	n := 0
	for n < len(p.rest) && (isAlphanumeric(p.rest[n]) || strings.IndexByte("!#$%&'*+-.^_`|~", p.rest[n]) >= 0) {
		n++
	}
	t := p.rest[:n]
	p.rest = p.rest[n:]
	return t
}

// value takes an equals sign and the token or quoted string behind it.
// Otherwise it reports false and takes nothing.
func (p *scanner) value() (string, bool) {
	q := *p
	q.skip(" \t")
	if !strings.HasPrefix(q.rest, "=") {
		return "", false
	}
	q.rest = q.rest[1:]
	q.skip(" \t")
	if !strings.HasPrefix(q.rest, `"`) {
		v := q.token()
		*p = q
		return v, true
	}
	v, ok := q.quoted()
	*p = q
	return v, ok
}

// quoted takes a quoted string (RFC 9110 section 5.6.4). One without an end is
// taken whole and reported false.
func (p *scanner) quoted() (string, bool) {
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			p.rest = p.rest[i+1:]
			return b.String(), true
		case c == '\\' && i+1 < len(p.rest):
			i++
			b.WriteByte(p.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	p.rest = ""
	return "", false
}

// token68 takes the credentials-like form of a challenge (Negotiate's, for one)
// if that is what follows the scheme.
func (p *scanner) token68() {
	q := *p
	q.skip(" \t")
	n := 0
	for n < len(q.rest) && (isAlphanumeric(q.rest[n]) || strings.IndexByte("-._~+/", q.rest[n]) >= 0) {
		n++
	}
	if n == 0 {
		return
	}
	q.rest = strings.TrimLeft(q.rest[n:], "=")
	q.skip(" \t")
	if q.rest == "" || q.rest[0] == ',' {
		*p = q
	}
}
