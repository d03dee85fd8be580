package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// ownCredential refuses a secret or key that another provider has too: whoever
// runs the one could be us at the other (H3). That two files hold the same key is
// found when they are read.
func (v validator) ownCredential(i int, key string, p Provider) {
	for first, other := range v.cfg.Providers[:i] {
		if p.PrivateKeyFile != "" && p.PrivateKeyFile == other.PrivateKeyFile {
			v.errorf(key+".private_key_file", "is the key of providers[%d] too; give each provider a key of its own", first)
		}
		if p.ClientSecret != "" && p.ClientSecret == other.ClientSecret {
			at := key + ".client_secret"
			if p.ClientSecretFile != "" {
				at += "_file"
			}
			v.errorf(at, "is the secret of providers[%d] too; give each provider a secret of its own", first)
		}
	}
}

// ownRegistration refuses one registration under two names, and a second redirect
// URI that is the first's: the answers of two providers must never come to the
// same place (H2).
func (v validator) ownRegistration(i int, key string, p Provider) {
	for first, other := range v.cfg.Providers[:i] {
		if p.Callback == "plain" && other.Callback == "plain" {
			v.errorf(key+".callback", "is plain at providers[%d] already; only one redirect URI can be without a name", first)
		}
		if p.Issuer == "" || p.Issuer != other.Issuer {
			continue
		}
		switch p.ClientID {
		case "":
		case other.ClientID:
			v.errorf(key+".client_id", "is the client of providers[%d] at the same issuer already; remove one of the two", first)
		default:
			v.warnf(key+".issuer", "is that of providers[%d] too: its users are the same people there and here, its logouts end the sessions of both, and sign-ins that it starts itself go to providers[%d]", first, first)
		}
	}
}

// nameless warns of routes that take any provider's word: with several issuers the
// same sub, or e-mail address, may be two people (B9), and whoever runs one of them may
// claim any group, and any level of authentication.
func (v validator) nameless() {
	issuers := map[string]bool{}
	for _, p := range v.cfg.Providers {
		issuers[p.Issuer] = true
	}
	if len(issuers) < 2 {
		return
	}
	for i, r := range v.cfg.Routes {
		key := fmt.Sprintf("routes[%d]", i)
		if said := saysWho(r.Headers); len(said) > 0 {
			v.warnf(key+".headers", "tells the API who a user is (%s), and not at which of the providers: the same value may be two people; add a header with iss, such as X-Issuer: iss", strings.Join(said, ", "))
		}
		ofIssuer := slices.ContainsFunc(r.Require, func(r Rule) bool { return r.Claim == "iss" })
		for _, demand := range []struct {
			name string
			made bool
		}{{"require", len(r.Require) > 0}, {"acr_values", len(r.ACRValues) > 0}} {
			if demand.made && !ofIssuer {
				v.warnf(key+"."+demand.name, "takes the word of every provider here; add the rule {claim: iss, any: [ISSUER]} to require, with the issuers that may say so")
			}
		}
	}
}

// saysWho returns the headers that name a user by a claim alone, sorted; none if one
// of headers says whose claim that is.
func saysWho(headers map[string]string) []string {
	var said []string
	for name, claim := range headers {
		switch claim {
		case "iss":
			return nil
		case "sub", "email", "preferred_username":
			said = append(said, name)
		}
	}
	slices.Sort(said)
	return said
}

// endpointOrigins accepts what an endpoint's URL can begin with: scheme, host and
// port, spelled as they are compared.
func (v validator) endpointOrigins(key string, list []string) {
	v.words(key, list)
	for i, o := range list {
		at := fmt.Sprintf("%s[%d]", key, i)
		if v.has(at) {
			continue
		}
		u, err := url.Parse(o)
		switch {
		case err != nil || u.Host == "" || o != u.Scheme+"://"+u.Host || o != strings.ToLower(o):
			v.errorf(at, "must be an origin in lower case, such as https://oauth2.example.com")
		case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
			v.errorf(at, "must be https; plain http is for localhost, 127.0.0.1 and [::1] only")
		case hostProblem(u) != "":
			v.errorf(at, "%s", hostProblem(u))
		}
	}
}
