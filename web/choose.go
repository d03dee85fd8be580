package web

import (
	"net/http"
	"net/url"
)

// chooseProvider returns the provider that a login names, by its name or, when
// started by a third party (OpenID Connect Core, 4), by its issuer; the only
// one if there is only one; nil if somebody has to choose.
func (s *Server) chooseProvider(q url.Values) (*Provider, error) {
	name, iss := q.Get("provider"), q.Get("iss")
	if name == "" && iss == "" {
		if len(s.Providers) == 1 {
			return &s.Providers[0], nil
		}
		return nil, nil
	}
	for i := range s.Providers {
		p := &s.Providers[i]
		if (name == "" || p.Name() == name) && (iss == "" || p.Issuer() == iss) {
			return p, nil
		}
	}
	return nil, errProvider
}

// asksMore reports whether a login is about somebody who is signed in already: to
// prove more, or again, or to see whether that is still so.
func asksMore(q url.Values) bool {
	return q.Has("acr_values") || q.Has("max_age") || q.Get("prompt") == "none"
}

// ownProvider returns the provider of the session that r presents, nil if there is
// none: elsewhere its user would be somebody else.
func (s *Server) ownProvider(r *http.Request) *Provider {
	current, _, err := s.resume(r)
	if err != nil {
		return nil
	}
	return s.provider(current.Info().Provider)
}

// provider returns the provider of that name, nil if there is none.
func (s *Server) provider(name string) *Provider {
	for i := range s.Providers {
		if s.Providers[i].Name() == name {
			return &s.Providers[i]
		}
	}
	return nil
}
