package proxy

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// peer returns the address that r came from.
func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// usualFields is how many fields most requests have upstream: as many as fit into a
// map of sixteen. With more it grows.
const usualFields = 14

// requestHeader returns the headers of r that the browser may choose. Values
// are shared with r.
func (rt *route) requestHeader(r *http.Request) http.Header {
	out := make(http.Header, usualFields)
	for name, values := range r.Header {
		if plainName(name) && !requestDrop[name] && !rt.proxy.identity[name] && !hasPrefix(name, requestDropPrefixes) {
			out[name] = values
		}
	}
	removeConnectionNamed(out, r.Header["Connection"])
	if hasToken(r.Header["Te"], "trailers") {
		out["Te"] = teTrailers
	}
	if _, ok := out["User-Agent"]; !ok {
		out["User-Agent"] = nil // else the Transport names itself
	}
	if len(rt.cookies) > 0 {
		if pairs := rt.allowedCookies(r.Header["Cookie"]); pairs != "" {
			out["Cookie"] = []string{pairs}
		}
	}
	return out
}

var teTrailers = []string{"trailers"}

// removeConnectionNamed removes the fields that a Connection field names, as
// they are meant for the first hop only (RFC 9110 section 7.6.1). Whatever must
// arrive is set afterwards.
func removeConnectionNamed(h http.Header, connection []string) {
	for _, field := range connection {
		for name := range strings.SplitSeq(field, ",") {
			if name = strings.Trim(name, " \t"); name != "" {
				h.Del(name)
			}
		}
	}
}

// hasToken reports whether the comma-separated lists in fields have token,
// which is in lower case.
func hasToken(fields []string, token string) bool {
	for _, field := range fields {
		for item := range strings.SplitSeq(field, ",") {
			if strings.EqualFold(strings.Trim(item, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// allowedCookies returns the pairs of the allow-listed cookies, as the browser
// sent them.
func (rt *route) allowedCookies(fields []string) string {
	var pairs []string
	for _, field := range fields {
		for pair := range strings.SplitSeq(field, ";") {
			pair = strings.Trim(pair, " \t")
			name, _, ok := strings.Cut(pair, "=")
			if ok && rt.cookies[name] && !rt.proxy.opts.OwnCookie(name) {
				pairs = append(pairs, pair)
			}
		}
	}
	return strings.Join(pairs, "; ")
}

// forwarded tells upstream who called, in the old words and in those of RFC
// 7239. one is room for the two values.
func (p *Proxy) forwarded(out http.Header, client string, one *[2]string) {
	one[0], one[1] = client, "for="+node(client)+p.forwardedTail
	out["X-Forwarded-For"] = one[0:1:1]
	out["Forwarded"] = one[1:2:2]
	out["X-Forwarded-Host"] = p.publicHost
	out["X-Forwarded-Proto"] = p.publicProto
}

// node returns an address in the form of RFC 7239 section 6; what is no address
// becomes "unknown".
func node(client string) string {
	addr, err := netip.ParseAddr(client)
	switch {
	case err != nil:
		return "unknown"
	case addr.Is4():
		return client
	case addr.Is4In6():
		return addr.Unmap().String()
	}
	return `"[` + addr.WithZone("").String() + `]"`
}
