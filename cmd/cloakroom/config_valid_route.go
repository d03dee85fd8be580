package main

import (
	"fmt"
	"maps"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

func (v validator) routes() {
	seen := map[string]int{}
	for i := range v.cfg.Routes {
		r, key := &v.cfg.Routes[i], fmt.Sprintf("routes[%d]", i)
		if v.has(key) && r.Path == "" && r.Upstream == nil {
			continue // not even a mapping
		}
		if v.ok(key+".path", r.Path == "", "for example /api/") {
			covers := strings.TrimSuffix(r.Path, "/") // /api and /api/ cover the same
			if first, twice := seen[covers]; twice {
				v.errorf(key+".path", "is the path of routes[%d] already", first)
			} else {
				seen[covers] = i
			}
			v.routePath(key, r)
		}
		v.upstream(key, r)
		v.routeAccess(key, r)
		v.routeCookies(key, r)
		v.routeHeaders(key, r)
	}
	if i, ok := seen[""]; ok && v.cfg.SPA.Served() {
		key := "spa.dir"
		if v.cfg.SPA.Upstream != nil {
			key = "spa.upstream"
		}
		v.errorf(fmt.Sprintf("routes[%d].path", i), "takes every path, so %s would never be served; remove one of them", key)
	}
	if len(v.cfg.Routes) == 0 && !v.cfg.SPA.Served() && !v.has("routes") && !v.has("spa") && !v.has("spa.upstream") {
		v.errorf("routes", "there is neither a route nor spa.dir: nothing would be served")
	}
}

func (v validator) routePath(key string, r *Route) {
	base := v.cfg.BasePath
	switch why := pathProblem(r.Path); {
	case why != "":
		v.errorf(key+".path", "%s", why)
		return
	case base != "" && (r.Path == base || strings.HasPrefix(r.Path, base+"/")):
		v.errorf(key+".path", "lies under base_path, where Cloakroom's own endpoints are; take another path")
	}
	strip := strings.TrimSuffix(r.StripPrefix, "/")
	switch {
	case r.StripPrefix == "" || v.has(key+".strip_prefix"):
	case pathProblem(r.StripPrefix) != "" || strip == "":
		v.errorf(key+".strip_prefix", "must be a path that begins with / and is more than that")
	case r.Path != strip && !strings.HasPrefix(r.Path, strip+"/"):
		v.errorf(key+".strip_prefix", "is not a prefix of the route's path, so it could not be taken off")
	}
}

func (v validator) upstream(key string, r *Route) {
	at := key + ".upstream"
	if !v.ok(at, r.Upstream == nil, "give the URL of the server behind, such as http://127.0.0.1:9000") {
		return
	}
	u := r.Upstream
	switch why := upstreamProblem(u); {
	case why != "":
		v.errorf(at, "%s", why)
	case v.ourselves(u):
		v.errorf(at, "%s", leadsBack)
	case u.Scheme == "http" && v.at.set(key+".upstream_tls"):
		v.errorf(key+".upstream_tls", "upstream is http; write https, or remove this")
	case u.Scheme == "http" && !loopback(u.Hostname()) && r.Auth != "none" && r.Token != "none":
		v.warnf(at, "tokens travel unencrypted to another host; write https unless that network is yours alone")
	}
	v.positive(key+".timeout", r.Timeout)
}

// upstreamProblem says why u can't be a server behind; empty if it can.
func upstreamProblem(u *url.URL) string {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return "must begin with http:// or https://"
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "must not have credentials, a query or a fragment"
	case u.RawPath != "" || pathProblem("/"+strings.TrimPrefix(u.Path, "/")) != "":
		return "has a path that servers read differently; keep to letters, digits, - . _ ~ and /"
	}
	return hostProblem(u)
}

var methodName = regexp.MustCompile(`^[A-Z][A-Z-]{0,30}$`)

func (v validator) routeAccess(key string, r *Route) {
	if r.Auth == "none" {
		if r.Token != "none" && !v.has(key+".token") {
			v.errorf(key+".token", "auth is none, so there is no session to take a token from; write token: none")
		}
		if len(r.Headers) > 0 {
			v.errorf(key+".headers", "auth is none, so there are no claims to send; remove them")
		}
	}
	v.routeStrength(key, r)
	v.words(key+".methods", r.Methods)
	for i, m := range r.Methods {
		at := fmt.Sprintf("%s.methods[%d]", key, i)
		switch {
		case v.has(at):
		case m == "CONNECT", m == "TRACE":
			v.errorf(at, "never goes upstream; remove it")
		case !methodName.MatchString(m):
			v.errorf(at, "must be a method in capital letters, such as GET")
		}
	}
	if r.WebSocket && len(r.Methods) > 0 && !slices.Contains(r.Methods, "GET") {
		v.errorf(key+".websocket", "a WebSocket begins with GET, which methods leaves out; add it")
	}
	if r.Documents != "none" && len(r.Methods) > 0 && !slices.Contains(r.Methods, "GET") {
		v.errorf(key+".documents", "a page is asked for with GET, which methods leaves out; add it")
	}
}

// leastAge is the lowest max_age: below it a user who has just signed in would be
// asked again.
const leastAge = time.Minute

// acrValue is one value of acr_values: they are joined with spaces, and stand between
// quotes in a challenge (RFC 6750, 3).
var acrValue = regexp.MustCompile(`^[!#-\[\]-~]{1,200}$`)

func (v validator) routeStrength(key string, r *Route) {
	asks := map[string]bool{"acr_values": len(r.ACRValues) > 0, "max_age": r.MaxAge != 0, "require": len(r.Require) > 0}
	for _, name := range slices.Sorted(maps.Keys(asks)) {
		if asks[name] && r.Auth != "required" && !v.has(key+".auth") {
			v.errorf(key+"."+name, "needs auth: required; with %s calls pass that have no session at all", r.Auth)
		}
	}
	if at := key + ".max_age"; r.MaxAge != 0 && !v.has(at) {
		switch {
		case r.MaxAge < leastAge:
			v.errorf(at, "must be 1m or longer: whoever has just signed in would be sent to sign in again")
		case r.MaxAge%time.Second != 0:
			v.errorf(at, "must be whole seconds")
		}
	}
	v.words(key+".acr_values", r.ACRValues)
	for i, value := range r.ACRValues {
		if at := fmt.Sprintf("%s.acr_values[%d]", key, i); !v.has(at) && !acrValue.MatchString(value) {
			v.errorf(at, `must be printable ASCII without spaces, " and \`)
		}
	}
	for i, rule := range r.Require {
		v.rule(fmt.Sprintf("%s.require[%d]", key, i), rule)
	}
}

func (v validator) rule(key string, r Rule) {
	if v.has(key) {
		return
	}
	if strings.TrimSpace(r.Claim) == "" && !v.has(key+".claim") {
		v.errorf(key+".claim", "is missing; name the claim that decides, such as groups")
	}
	if len(r.Any)+len(r.All) == 0 && !v.has(key+".any") && !v.has(key+".all") {
		v.errorf(key+".any", "is missing; list the values of which the claim must have one, or all of them under all")
	}
	v.words(key+".any", r.Any)
	v.words(key+".all", r.All)
}

// routeCookies refuses to carry Cloakroom's own cookies either way.
func (v validator) routeCookies(key string, r *Route) {
	lists := []struct {
		key  string
		list []string
	}{{key + ".set_cookies", r.SetCookies}, {key + ".cookies", r.Cookies}}
	for _, l := range lists {
		v.words(l.key, l.list)
		for i, name := range l.list {
			at := fmt.Sprintf("%s[%d]", l.key, i)
			switch {
			case v.has(at):
			case !token.MatchString(name):
				v.errorf(at, "must be a cookie name")
			case v.ownCookie(name):
				v.errorf(at, "is Cloakroom's own cookie, which no upstream sees or sets; remove it")
			}
		}
	}
}

// ownCookie errs on the side of refusing: with and without the prefix that
// the name gets, in any case, over http and https.
func (v validator) ownCookie(name string) bool {
	name = strings.ToLower(name)
	if strings.HasPrefix(name, "cloakroom-") {
		return true
	}
	name, ok := strings.CutPrefix(name, "__host-")
	return ok && (name == strings.ToLower(v.cfg.Session.Cookie.Name) || name == "logout" || strings.HasPrefix(name, "login-"))
}

// ownHeaders are those that Cloakroom or HTTP itself decides about.
var ownHeaders = []string{
	"Authorization", "Cookie", "Set-Cookie", "Host", "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding",
	"Upgrade", "Expect", "Date", "Via", "Range", "Accept", "Accept-Encoding", "Dpop", "Forwarded", "X-Forwarded-For",
	"X-Forwarded-Host", "X-Forwarded-Proto", "Origin", "Referer", "User-Agent",
}

var headerName = regexp.MustCompile(`^[A-Za-z0-9-]+$`)

func (v validator) routeHeaders(key string, r *Route) {
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		at := key + ".headers." + name
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		prefix, _, _ := strings.Cut(canonical, "-")
		switch {
		case v.has(at):
		case !headerName.MatchString(name):
			v.errorf(at, "write the header with dashes: many servers take X_User and X-User for the same")
		case seen[canonical]:
			v.errorf(at, "is given twice, in another spelling")
		case slices.Contains(ownHeaders, canonical), slices.Contains([]string{"Proxy", "Content", "Sec"}, prefix):
			v.errorf(at, "has a meaning of its own; take another name, such as X-User")
		case strings.TrimSpace(r.Headers[name]) == "":
			v.errorf(at, "name the claim that the header carries, such as sub")
		}
		seen[canonical] = true
	}
}
