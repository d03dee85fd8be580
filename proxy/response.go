package proxy

import (
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/cloakroom/cloakroom/session"
)

// Values that every answer shares; nobody appends to them in place.
var (
	privateNoStore = []string{"private, no-store"}
	nosniff        = []string{"nosniff"}
	sameOrigin     = []string{"same-origin"}
	closing        = []string{"close"}
	noDocument     = []string{"sandbox; default-src 'none'; frame-ancestors 'none'"}
)

// responseHeader writes to h what the browser may have of res, and what makes
// that safe on the single-page app's origin. Values are shared with res.
func (rt *route) responseHeader(h http.Header, res *http.Response, from *url.URL) {
	removeConnectionNamed(res.Header, res.Header["Connection"])
	private := rt.Cache != CacheUpstream || res.Header["Cache-Control"] == nil
	for name, values := range res.Header {
		if responseDrop[name] || private && steersCaches(name) || hasPrefix(name, responseDropPrefixes) {
			continue
		}
		h[name] = values
	}
	for _, name := range [...]string{"Location", "Content-Location"} {
		if v := res.Header.Get(name); v != "" {
			if v = rt.location(from, v); v != "" {
				h[name] = []string{v}
			}
		}
	}
	for _, v := range res.Header["Set-Cookie"] {
		if rt.maySet(v) {
			h["Set-Cookie"] = append(h["Set-Cookie"], v)
		}
	}
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil // else net/http guesses one
	}
	rt.cacheRules(h, private)
	rt.documentRules(h)
	if challenge := harmless(res); challenge != "" {
		h["Www-Authenticate"] = []string{challenge}
	}
}

// cacheRules keeps what a cookie authorised out of caches: for them the request
// had no Authorization, so RFC 9111 section 3.5 does not protect it. Of a private
// answer h has nothing that steers caches yet.
func (rt *route) cacheRules(h http.Header, private bool) {
	if private {
		h["Cache-Control"] = privateNoStore
		return
	}
	if rt.Demand.Auth != session.AuthNone {
		vary := h["Vary"]
		h["Vary"] = append(vary[:len(vary):len(vary)], "Cookie")
	}
}

// documentRules keeps answers from running as a page of the app's origin.
func (rt *route) documentRules(h http.Header) {
	h["X-Content-Type-Options"] = nosniff
	h["Cross-Origin-Resource-Policy"] = sameOrigin
	if rt.Demand.Documents == session.DocumentsAllow || rt.Demand.Documents == session.DocumentsApp {
		return
	}
	h["Content-Security-Policy"] = noDocument
	if rt.Demand.Documents == session.DocumentsAttachment {
		h["Content-Disposition"] = []string{attachment(h["Content-Disposition"])}
	}
}

// attachment returns a Content-Disposition that makes the browser save the
// answer, under the name that upstream gave it.
func attachment(given []string) string {
	if len(given) != 1 {
		return "attachment"
	}
	_, params, err := mime.ParseMediaType(given[0])
	if err != nil || params["filename"] == "" {
		return "attachment"
	}
	if v := mime.FormatMediaType("attachment", map[string]string{"filename": params["filename"]}); v != "" {
		return v
	}
	return "attachment"
}

// maySet reports whether a Set-Cookie value is for an allow-listed cookie.
func (rt *route) maySet(value string) bool {
	pair, _, _ := strings.Cut(value, ";")
	name, _, ok := strings.Cut(pair, "=")
	name = strings.Trim(name, " \t")
	return ok && rt.setCookies[name] && !rt.proxy.opts.OwnCookie(name)
}

// announceTrailers tells the browser's side which trailers will follow. It
// comes before the header is written.
func announceTrailers(h http.Header, trailer http.Header) {
	for name := range trailer {
		if trailerAllowed(name) {
			h["Trailer"] = append(h["Trailer"], name)
		}
	}
}

// copyTrailers sends the trailers that may be sent. It comes after the body.
// Those that were not announced need the prefix, and with it they all work.
func copyTrailers(h http.Header, trailer http.Header) {
	for name, values := range trailer {
		if trailerAllowed(name) && len(values) > 0 {
			h[http.TrailerPrefix+name] = values
		}
	}
}

func trailerAllowed(name string) bool {
	return !responseDrop[name] && !steersCaches(name) && !trailerDrop[name] &&
		!hasPrefix(name, responseDropPrefixes) && !hasPrefix(name, trailerDropPrefixes)
}
