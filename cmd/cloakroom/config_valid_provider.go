package main

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

var providerName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

func (v validator) providers() {
	if !v.ok("providers", len(v.cfg.Providers) == 0, "name at least one OpenID Provider") && !v.has("providers") {
		return
	}
	seen := map[string]int{}
	for i, p := range v.cfg.Providers {
		key := fmt.Sprintf("providers[%d]", i)
		if v.has(key) && p.Name == "" && p.Issuer == "" {
			continue // not even a mapping
		}
		if v.ok(key+".name", p.Name == "", "it stands in the callback's URL, for example main") {
			switch first, twice := seen[p.Name]; {
			case !providerName.MatchString(p.Name):
				v.errorf(key+".name", "must be at most 32 lower-case letters, digits and dashes")
			case twice:
				v.errorf(key+".name", "is the name of providers[%d] already", first)
			default:
				seen[p.Name] = i
			}
		}
		v.ownCredential(i, key, p)
		v.ownRegistration(i, key, p)
		v.provider(key, p)
		v.providerAuth(key, p)
		v.providerRequests(key, p)
	}
}

func (v validator) provider(key string, p Provider) {
	if v.ok(key+".issuer", p.Issuer == "", "give the issuer exactly as the provider's metadata spells it") {
		parsed, err := parseURL(p.Issuer)
		u, _ := parsed.(*url.URL)
		switch {
		case err != nil:
			v.errorf(key+".issuer", "%s", err)
		case u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(p.Issuer, "#"):
			v.errorf(key+".issuer", "must be a URL without credentials, query and fragment, such as https://id.example.com")
		case u.Scheme != "https" && u.Scheme != "http" || u.Scheme == "http" && !loopback(u.Hostname()):
			v.errorf(key+".issuer", "must be https; plain http is for localhost, 127.0.0.1 and [::1] only")
		case hostProblem(u) != "":
			v.errorf(key+".issuer", "%s", hostProblem(u))
		case strings.HasSuffix(p.Issuer, "/.well-known/openid-configuration"):
			v.errorf(key+".issuer", "is the metadata's address; the issuer is what comes before /.well-known")
		case len(p.Issuer) > 255:
			v.errorf(key+".issuer", "is longer than 255 characters")
		}
	}
	if v.ok(key+".client_id", p.ClientID == "", "the provider gave it to you when you registered Cloakroom") &&
		(len(p.ClientID) > 512 || strings.ContainsFunc(p.ClientID, unprintable)) {
		v.errorf(key+".client_id", "must be at most 512 printable ASCII characters")
	}
	v.positive(key+".token_timeout", p.TokenTimeout)
	// An interrupted token call may lose a one-time refresh token, so a stop
	// has to wait for it (K5).
	if p.TokenTimeout > v.cfg.ShutdownTimeout && !v.has("shutdown_timeout") {
		v.errorf(key+".token_timeout", "is longer than shutdown_timeout: a stop would cut off a renewal under way")
	}
	v.refreshReuse(key+".refresh_reuse", p)
	v.postLogout(key+".post_logout", p.PostLogout)
}

// postLogout accepts a plain path, or an https URL to somewhere else. The URL is
// fixed configuration: no request can change it. Of our own paths only the page
// made for it will do: another would lead into a sign-in, or to an error.
func (v validator) postLogout(key, s string) {
	if v.has(key) || v.has("base_path") {
		return
	}
	base := v.cfg.BasePath
	u, err := url.Parse(s)
	switch {
	case s != base+signedOutPath && (s == base || strings.HasPrefix(s, base+"/")):
		v.errorf(key, "is one of Cloakroom's own paths; of these only base_path and %s can be given", signedOutPath)
	case strings.HasPrefix(s, "/") && pathProblem(s) == "":
	case strings.ContainsFunc(s, notInURL):
		v.errorf(key, strangeCharacter)
	case err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil:
		v.errorf(key, "must be a path here, such as /goodbye, or an absolute https URL")
	case hostProblem(u) != "":
		v.errorf(key, "%s", hostProblem(u))
	}
}

// maxReuse is the longest window that is believed. Longer ones are days of a
// provider that does not look for reuse at all: mode unlimited.
const maxReuse = time.Hour

// reuseMargin is what passes between the end of a token call and the second use
// of its refresh token.
const reuseMargin = 5 * time.Second

func (v validator) refreshReuse(key string, p Provider) {
	window, r := key+".window", p.RefreshReuse
	if v.has(key) || v.has(window) {
		return
	}
	switch windowed := r.Mode == "grace" || r.Mode == "same"; {
	case !windowed && r.Window != 0:
		v.errorf(window, "only the modes grace and same have one; remove it")
	case !windowed:
	case r.Window == 0 && !v.meant[window]:
		v.errorf(window, "is missing; for how long after its first use does the provider take a refresh token again, for example 30s?")
	case r.Window > maxReuse:
		v.errorf(window, "must be 1h or shorter; a provider that takes them for longer is mode: unlimited")
	case r.Window < p.TokenTimeout+reuseMargin && r.Window != 0:
		v.warnf(window, "is shorter than token_timeout and 5s more, so a second use may come too late; write a shorter token_timeout")
	}
}

// providerAuth holds the credential against the way it is to be used. There is
// no way to be a public client (A1).
func (v validator) providerAuth(key string, p Provider) {
	if v.has(key + ".auth") {
		return
	}
	secret, file, private := key+".client_secret", key+".client_secret_file", key+".private_key_file"
	if p.Auth == "private_key_jwt" {
		v.ok(private, p.PrivateKeyFile == "", "private_key_jwt signs with it; give a PEM file with an RSA or EC key")
		if v.at.set(secret) {
			v.errorf(secret, "is not used by private_key_jwt; remove it")
		}
		if v.at.set(file) {
			v.errorf(file, "is not used by private_key_jwt; remove it")
		}
		return
	}
	if v.at.set(private) {
		v.errorf(private, "is used by private_key_jwt only; remove it, or write auth: private_key_jwt")
	}
	if p.ClientSecret != "" || v.has(secret) || v.has(file) || v.meant[secret] || v.meant[file] {
		return
	}
	if v.at.set(secret) {
		v.errorf(secret, "is empty; Cloakroom is never a public client")
		return
	}
	v.errorf(secret, "is missing; give it as ${NAME} from the environment, or name a file in client_secret_file")
}

// protocolParams are the authorization parameters that Cloakroom sets itself;
// an extra one of that name would undo a protection.
var protocolParams = []string{
	"client_id", "client_secret", "client_assertion", "client_assertion_type", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce",
	"code_challenge", "code_challenge_method", "code_verifier", "request", "request_uri", "resource", "id_token_hint",
	"dpop_jkt",
}

func (v validator) providerRequests(key string, p Provider) {
	if !v.has(key+".scopes") && !slices.Contains(p.Scopes, "openid") {
		v.errorf(key+".scopes", "openid is missing: without it there is no sign-in")
	}
	for i, s := range p.Scopes {
		if at := fmt.Sprintf("%s.scopes[%d]", key, i); !v.has(at) && !scopeToken(s) {
			v.errorf(at, "must be one scope; write several as a list")
		} else if slices.Contains(p.Scopes[:i], s) {
			v.errorf(at, "is given twice")
		}
	}
	for name := range p.Params {
		if slices.Contains(protocolParams, name) {
			v.errorf(key+".params."+name, "is set by Cloakroom itself and can't be overridden; remove it")
		}
	}
	v.endpointOrigins(key+".endpoint_origins", p.EndpointOrigins)
	v.words(key+".claims", p.Claims)
	v.words(key+".trusted_audiences", p.TrustedAudiences)
	v.words(key+".resource", p.Resource)
	for i, r := range p.Resource {
		at := fmt.Sprintf("%s.resource[%d]", key, i)
		if u, err := url.Parse(r); !v.has(at) && (err != nil || !u.IsAbs() || strings.Contains(r, "#")) {
			v.errorf(at, "must be an absolute URI without a fragment (RFC 8707)")
		}
	}
}

// words complains about empty and repeated entries of a list.
func (v validator) words(key string, list []string) {
	for i, w := range list {
		at := fmt.Sprintf("%s[%d]", key, i)
		switch {
		case v.has(at):
		case w == "":
			v.errorf(at, "is empty; remove it")
		case slices.Contains(list[:i], w):
			v.errorf(at, "is given twice")
		}
	}
}

func unprintable(r rune) bool { return r < ' ' || r > '~' }

// scopeToken follows RFC 6749 3.3.
func scopeToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, unprintable) && !strings.ContainsAny(s, ` "\`)
}
