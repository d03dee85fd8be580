package oidc

import (
	"fmt"
	"log/slog"
	"net/url"
	"slices"
)

// metadata is what is used of a provider's configuration document (OpenID
// Connect Discovery 1.0, 3).
type metadata struct {
	issuer                           string
	authorization, token, jwks       string // always there
	userInfo, revocation, endSession string // may be empty
	issParam                         bool   // RFC 9207: every callback has iss
	s256                             bool   // PKCE with S256 is announced
	authMethods, assertionAlgs       []string
}

// parseMetadata checks that o is the document of this very issuer and that its
// endpoints are fit to be used.
func parseMetadata(o object, issuer string) (*metadata, error) {
	if got, ok := o.text("issuer"); !ok || got != issuer {
		// Exactly: a slash too many is another issuer (Discovery, 4.3).
		return nil, fmt.Errorf("the document says issuer %.255q, the configuration %q: they must be equal to the letter", got, issuer)
	}
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	m := &metadata{issuer: issuer, issParam: o.boolean("authorization_response_iss_parameter_supported")}
	for _, e := range []struct {
		name     string
		to       *string
		required bool
	}{
		{"authorization_endpoint", &m.authorization, true},
		{"token_endpoint", &m.token, true},
		{"jwks_uri", &m.jwks, true},
		{"userinfo_endpoint", &m.userInfo, false},
		{"revocation_endpoint", &m.revocation, false},
		{"end_session_endpoint", &m.endSession, false},
	} {
		v, ok := o.text(e.name)
		if !ok || (v == "" && e.required) {
			return nil, fmt.Errorf("%s is missing", e.name)
		}
		if v == "" {
			continue
		}
		if _, err := parseEndpoint(v, u.Scheme == "http"); err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		*e.to = v
	}
	methods, _ := o.texts("code_challenge_methods_supported")
	m.s256 = slices.Contains(methods, "S256")
	m.authMethods, _ = o.texts("token_endpoint_auth_methods_supported")
	m.assertionAlgs, _ = o.texts("token_endpoint_auth_signing_alg_values_supported")
	return m, nil
}

// warn logs what works less well than it should with this provider.
func (m *metadata) warn(log *slog.Logger, auth string) {
	if !m.s256 {
		log.Warn("provider does not announce PKCE with S256; it is sent all the same, and state protects the callback")
	}
	if m.revocation == "" {
		log.Info("provider has no revocation endpoint: after a logout its tokens run out by themselves")
	}
	if len(m.authMethods) > 0 && !slices.Contains(m.authMethods, auth) {
		log.Warn("provider does not announce the configured client authentication", "auth", auth)
	}
}

// outside names the first endpoint that is sent secrets and is neither at the
// issuer's origin nor at one of those given, and its origin; or returns "".
func (m *metadata) outside(origins []string) (name, at string) {
	for _, e := range []struct{ name, url string }{
		{"token_endpoint", m.token}, {"revocation_endpoint", m.revocation}, {"userinfo_endpoint", m.userInfo},
	} {
		o := origin(e.url)
		if e.url != "" && o != origin(m.issuer) && !slices.Contains(origins, o) {
			return e.name, o
		}
	}
	return "", ""
}

// moved names the first endpoint that is sent secrets and has another origin
// in next, or returns "". One that was not there before, or vanished for a
// while, may only be where the issuer or the token endpoint is.
func (m *metadata) moved(next *metadata) string {
	for _, e := range []struct{ name, from, to string }{
		{"token_endpoint", m.token, next.token},
		{"revocation_endpoint", m.revocation, next.revocation},
		{"userinfo_endpoint", m.userInfo, next.userInfo},
	} {
		known := []string{origin(e.from)}
		if e.from == "" {
			known = []string{origin(m.token), origin(m.issuer)}
		}
		if e.to != "" && !slices.Contains(known, origin(e.to)) {
			return e.name
		}
	}
	return ""
}

// origin returns scheme and host of an absolute URL that has been checked.
func origin(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
