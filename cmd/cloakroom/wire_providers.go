package main

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
	"github.com/cloakroom/cloakroom/web"
)

// providers makes a client of each configured provider. Each has a redirect URI of
// its own, so that none can pass for another (H2).
func (a *app) providers() ([]web.Provider, error) {
	var out []web.Provider
	for i, p := range a.cfg.Providers {
		callback := callbackPath(a.cfg, i)
		c := oidc.Config{
			Name: p.Name, Issuer: p.Issuer, ClientID: p.ClientID, Auth: p.Auth, ClientSecret: p.ClientSecret,
			RedirectURL: origin(a.cfg) + callback, Scopes: p.Scopes, Params: p.Params, Claims: p.Claims, Keep: neededClaims(a.cfg),
			TrustedAudiences: p.TrustedAudiences, Resource: p.Resource, EndpointOrigins: p.EndpointOrigins,
			Revoke: p.Revoke, LogoutHint: p.LogoutHint, LogoutTyp: p.LogoutTyp,
			PostLogoutRedirectURL: origin(a.cfg) + logoutPath(a.cfg),
			TokenTimeout:          p.TokenTimeout, Log: a.log,
		}
		var err error
		if c.RootCAs, c.PrivateKey, err = credentials(p); err != nil {
			return nil, fmt.Errorf("providers[%d]: %w", i, err)
		}
		client, err := oidc.New(c)
		if err != nil {
			return nil, err
		}
		name := p.DisplayName
		if name == "" {
			name = p.Name
		}
		a.clients = append(a.clients, client)
		out = append(out, web.Provider{Client: client, DisplayName: name, Callback: callback, PostLogout: p.PostLogout})
	}
	return out, nil
}

func credentials(p Provider) (cas *x509.CertPool, key crypto.Signer, err error) {
	if p.CAFile != "" {
		if cas, err = readCAs(p.CAFile); err != nil {
			return nil, nil, fmt.Errorf("ca_file: %w", err)
		}
	}
	if p.PrivateKeyFile != "" {
		if key, err = readSigner(p.PrivateKeyFile); err != nil {
			return nil, nil, fmt.Errorf("private_key_file: %w", err)
		}
	}
	return cas, key, nil
}

// callbackPath is the path of the i-th provider's redirect URI.
func callbackPath(cfg *Config, i int) string {
	path := cfg.BasePath + "/callback"
	if i != plainCallback(cfg) {
		path += "/" + cfg.Providers[i].Name
	}
	return path
}

// plainCallback is which provider's redirect URI does not end in its name: that
// which says so, or else the first, unless it says otherwise; then -1. At most
// one has it, or the answers of two would come to one address (H2).
func plainCallback(cfg *Config) int {
	for i, p := range cfg.Providers {
		if p.Callback == "plain" {
			return i
		}
	}
	if len(cfg.Providers) > 0 && cfg.Providers[0].Callback == "named" {
		return -1
	}
	return 0
}

// logoutPath is the path to which providers send the browser after a logout.
func logoutPath(cfg *Config) string { return cfg.BasePath + "/logout/callback" }

func origin(cfg *Config) string { return cfg.PublicURL.Scheme + "://" + cfg.PublicURL.Host }

func managed(cfg *Config, clients []*oidc.Client) map[string]session.Provider {
	out := map[string]session.Provider{}
	for i, p := range cfg.Providers {
		out[p.Name] = session.Provider{
			Renewer: faultyRenewer(clients[i]), Issuer: p.Issuer, ClientID: p.ClientID, Blocking: p.Renew == "blocking",
			Reuse: session.Reuse{Mode: session.ReuseMode(p.RefreshReuse.Mode), Window: p.RefreshReuse.Window},
		}
	}
	return out
}

// neededClaims returns the claims that routes need, whether or not the app may know
// them. A path may also be the name of a claim.
func neededClaims(cfg *Config) []string {
	var names []string
	for _, r := range cfg.Routes {
		for _, rule := range r.Require {
			first, _, _ := strings.Cut(rule.Claim, ".")
			names = append(names, rule.Claim, first)
		}
		names = slices.AppendSeq(names, maps.Values(r.Headers))
	}
	slices.Sort(names)
	return slices.Compact(names)
}
