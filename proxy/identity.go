package proxy

import (
	"encoding/json"
	"net/http"
	"strings"
	"unicode"

	"github.com/cloakroom/cloakroom/session"
)

// identityHeader is a header that carries a claim.
type identityHeader struct {
	name  string // in canonical form
	claim string
}

func identityHeaders(claims map[string]string) []identityHeader {
	var headers []identityHeader
	for name, claim := range claims {
		headers = append(headers, identityHeader{http.CanonicalHeaderKey(name), claim})
	}
	return headers
}

// identify sets the identity headers of the route from the session.
func (rt *route) identify(out http.Header, s *session.Session) {
	if len(rt.identity) == 0 {
		return
	}
	info := s.Info()
	var claims map[string]json.RawMessage
	for _, h := range rt.identity {
		var value string
		switch h.claim {
		case "sub":
			value = info.Subject
		case "iss":
			value = info.Issuer
		default:
			if claims == nil && json.Unmarshal(info.Claims, &claims) != nil {
				claims = map[string]json.RawMessage{}
			}
			value = claimValue(claims[h.claim])
		}
		if value != "" && fitsHeader(value) {
			out[h.name] = []string{value}
		}
	}
}

// claimValue returns a claim as a header's value, or "".
func claimValue(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	switch raw[0] {
	case '"':
		var s string
		_ = json.Unmarshal(raw, &s) // raw was parsed as part of the claims
		return s
	case '[':
		var items []json.RawMessage
		_ = json.Unmarshal(raw, &items)
		values := make([]string, 0, len(items))
		for _, item := range items {
			v := claimValue(item)
			if v == "" || item[0] == '[' || strings.Contains(v, ",") || !fitsHeader(v) {
				return ""
			}
			values = append(values, v)
		}
		return strings.Join(values, ",")
	case '{', 'n':
		return ""
	}
	return string(raw)
}

// fitsHeader reports whether value arrives as it is: without control characters
// and without spaces at its ends, which receivers take off.
func fitsHeader(value string) bool {
	return strings.TrimSpace(value) == value && !strings.ContainsFunc(value, unicode.IsControl)
}
