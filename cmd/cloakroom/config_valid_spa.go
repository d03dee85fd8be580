package main

import (
	"fmt"
	"maps"
	"net/textproto"
	"slices"
	"strings"
)

// spa covers what is said of the application's own pages and files.
func (v validator) spa() {
	s := v.cfg.SPA
	if v.at.set("hsts") && v.cfg.HSTS != "host" && v.cfg.PublicURL != nil && v.cfg.PublicURL.Scheme == "http" && !v.has("hsts") {
		v.errorf("hsts", "public_url is http, so that browsers would not hear of it; remove this, or write https")
	}
	if s.Upstream != nil && !v.has("spa.upstream") {
		switch why := upstreamProblem(s.Upstream); {
		case why != "":
			v.errorf("spa.upstream", "%s", why)
		case v.ourselves(s.Upstream):
			v.errorf("spa.upstream", "%s", leadsBack)
		case s.Dir != "":
			v.errorf("spa.upstream", "spa.dir is given too, and only one of them can have the app's files; remove one")
		}
	}
	v.policy()
	v.appHeaders()
	v.appPaths("spa.immutable", s.Immutable)
	v.appPaths("spa.public", s.Public)
	if len(s.Public) > 0 && !s.Gate && !v.has("spa.gate") {
		v.errorf("spa.public", "spa.gate is false, so that every page is open; write gate: true, or remove this")
	}
	if s.Gate && !s.Served() && !v.has("spa.dir") && !v.has("spa.upstream") {
		v.errorf("spa.gate", "spa.dir and spa.upstream are missing, so there is no page to keep")
	}
}

func (v validator) policy() {
	s := v.cfg.SPA
	switch {
	case v.has("spa.csp") || s.CSP == "":
	case strings.ContainsFunc(s.CSP, unprintable):
		v.errorf("spa.csp", "must be one line of ASCII; fold long text with >-")
	case !s.Served() && !v.has("spa.dir") && !v.has("spa.upstream"):
		v.errorf("spa.csp", "spa.dir and spa.upstream are missing, so there is no page to protect")
	case strings.Contains(s.CSP, "{nonce}") && s.Upstream != nil:
		v.errorf("spa.csp", "has {nonce}, but what comes from spa.upstream is not rewritten; leave spa.csp out there, or serve the built app with spa.dir")
	case strings.Contains(strings.ReplaceAll(s.CSP, "'nonce-{nonce}'", ""), "{nonce}"):
		v.errorf("spa.csp", "write 'nonce-{nonce}', with the quotes, wherever a nonce goes")
	case s.CSPReport && (strings.Contains(s.CSP, "report-uri ") || strings.Contains(s.CSP, "report-to ")):
		v.errorf("spa.csp_report", "adds report-uri and report-to itself; take them out of spa.csp")
	}
}

// notForApp are the headers of the app's answers that HTTP or Cloakroom itself
// decides about, with what to do instead.
var notForApp = map[string]string{
	"Content-Security-Policy":   "write it in spa.csp",
	"Strict-Transport-Security": "write hsts",
	"X-Content-Type-Options":    "browsers must never guess what a file is; remove it",
	"Set-Cookie":                "the app's files set no cookies; remove it",
	"Clear-Site-Data":           "it would sign out everybody who looks at a page; remove it",
	"Cache-Control":             "it follows from the file's name; list folders with hashed names in spa.immutable",
}

// decided are the other ones.
var decided = []string{
	"Age", "Expires", "Pragma", "Vary", "Etag", "Last-Modified", "Accept-Ranges", "Location", "Refresh", "Date", "Retry-After", "Allow",
	"Www-Authenticate", "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Host", "Access-Control-Allow-Credentials",
	"Surrogate-Control", "Edge-Control", "X-Accel-Expires",
}

func (v validator) appHeaders() {
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(v.cfg.SPA.Headers)) {
		at := "spa.headers." + name
		value, canonical := v.cfg.SPA.Headers[name], textproto.CanonicalMIMEHeaderKey(name)
		prefix, _, _ := strings.Cut(canonical, "-")
		switch {
		case v.has(at):
		case !headerName.MatchString(name):
			v.errorf(at, "is no header's name: letters, digits and dashes")
		case canonical == "Reporting-Endpoints" && v.cfg.SPA.CSPReport:
			v.errorf(at, "is set by spa.csp_report; remove one of them")
		case seen[canonical]:
			v.errorf(at, "is given twice, in another spelling")
		case notForApp[canonical] != "":
			v.errorf(at, "is not set here: %s", notForApp[canonical])
		case slices.Contains(decided, canonical), strings.HasSuffix(canonical, "-Cache-Control"),
			slices.Contains([]string{"Proxy", "Sec"}, prefix),
			prefix == "Content" && canonical != "Content-Security-Policy-Report-Only":
			v.errorf(at, "is decided for each answer by HTTP or by Cloakroom; remove it")
		case strings.ContainsFunc(value, unprintable) || strings.TrimSpace(value) != value:
			v.errorf(at, "must be one line of ASCII without spaces at its ends; fold long text with >-")
		}
		seen[canonical] = true
	}
	if len(v.cfg.SPA.Headers) > 0 && !v.cfg.SPA.Served() && !v.has("spa.dir") && !v.has("spa.upstream") {
		v.errorf("spa.headers", "spa.dir and spa.upstream are missing, so there is nothing to send them with")
	}
}

// appPaths covers lists of paths, which cover as routes do.
func (v validator) appPaths(key string, list []string) {
	v.words(key, list)
	for i, path := range list {
		at := fmt.Sprintf("%s[%d]", key, i)
		switch why := pathProblem(path); {
		case v.has(at):
		case why != "":
			v.errorf(at, "%s", why)
		case path == v.cfg.BasePath || strings.HasPrefix(path, v.cfg.BasePath+"/"):
			v.errorf(at, "lies under base_path, where there is nothing of the app; remove it")
		case path == "/" && key == "spa.public":
			v.errorf(at, "covers everything; write gate: false instead")
		case path == "/":
			v.errorf(at, "covers everything, and some file without a hash in its name would be kept for a year; name a folder, such as /assets/")
		}
	}
}
