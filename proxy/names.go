package proxy

import "strings"

// The names in this file are in the form of http.CanonicalHeaderKey.

// reservedHeaders can't be identity headers: they are HTTP's own or ours.
var reservedHeaders = set(
	"Authorization", "Cookie", "Set-Cookie", "Host", "Connection", "Keep-Alive", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade", "Expect", "Date", "Via", "Range", "Accept", "Accept-Encoding", "Dpop",
	"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Origin", "Referer", "User-Agent",
)

// requestDrop never goes upstream from a browser. Hop-by-hop (RFC 9110 section
// 7.6.1) and framing come first, then credentials, then what servers believe
// about the client because they think a proxy said so, then what changes the
// meaning of a request behind the back of its method and path.
var requestDrop = set(
	"Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings", "Content-Length", "Host", "Proxy",
	"Authorization", "Cookie", "Cookie2", "Dpop", "X-Authorization", "X-Access-Token", "X-Id-Token", "X-Csrf", "X-Session-Activity",
	"Forwarded", "Forwarded-For", "X-Real-Ip", "True-Client-Ip", "X-Client-Ip", "Client-Ip", "X-Cluster-Client-Ip", "Fastly-Client-Ip",
	"X-Host", "X-Scheme", "X-Url-Scheme", "Front-End-Https", "X-Client-Cert", "X-Client-Dn", "X-Client-Verify",
	"Client-Cert", "Client-Cert-Chain", "X-Email", "X-Groups", "X-Roles",
	"X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X-Sendfile-Type",
)

var requestDropPrefixes = []string{
	"Proxy-", "X-Forwarded", "Cf-", "X-Original-", "X-Rewrite-", "X-Auth", "X-User", "X-Remote-", "Remote-",
	"X-Ssl", "Ssl-", "X-Amzn-Oidc-", "X-Ms-Client-Principal", "X-Ms-Token-", "X-Goog-Iap-", "X-Goog-Authenticated-",
	"X-Pomerium-", "X-Envoy-", "X-Accel-", "X-Middleware-", "Sec-Websocket-", "Access-Control-",
}

// responseDrop never comes back from upstream. Hop-by-hop first, then cookies
// and challenges (which are dealt with on their own), then what changes the
// origin as a whole, then what names the software.
var responseDrop = set(
	"Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Set-Cookie", "Set-Cookie2", "Www-Authenticate", "Authentication-Info", "Dpop-Nonce", "Location", "Content-Location",
	"Clear-Site-Data", "Strict-Transport-Security", "Alt-Svc", "Alt-Used", "Report-To", "Reporting-Endpoints", "Nel", "Expect-Ct",
	"Public-Key-Pins", "Public-Key-Pins-Report-Only", "Refresh", "Service-Worker-Allowed", "Timing-Allow-Origin",
	"Accept-Ch", "Accept-Ch-Lifetime", "Critical-Ch", "Origin-Agent-Cluster", "Origin-Trial", "Use-As-Dictionary",
	"X-Accel-Redirect", "X-Sendfile", "X-Lighttpd-Send-File", "X-Lighttpd-Sendfile", "X-Reproxy-Url",
	"Server", "X-Powered-By", "X-Aspnet-Version", "X-Aspnetmvc-Version", "X-Runtime", "X-Generator",
)

var responseDropPrefixes = []string{"Access-Control-", "Sec-Session-", "Secure-Session-", "Proxy-", "Public-Key-Pins", "Sec-Websocket-"}

// cacheHeaders steer caches, as do those whose name ends in cacheSuffix.
var cacheHeaders = set("Expires", "Pragma", "Age", "Surrogate-Control", "Surrogate-Key", "X-Accel-Expires", "Edge-Control")

// cacheSuffix ends the names of Cache-Control and of what overrules it for some
// caches (RFC 9213).
const cacheSuffix = "Cache-Control"

// steersCaches reports whether a header of that name tells caches what to do.
func steersCaches(name string) bool {
	return cacheHeaders[name] || strings.HasSuffix(name, cacheSuffix)
}

// trailerDrop are fields that mean something only before the content, or that
// we set ourselves.
var trailerDrop = set(
	"Cache-Control", "Expires", "Pragma", "Age", "Vary", "Date", "Retry-After", "Warning", "Cross-Origin-Resource-Policy",
	"X-Content-Type-Options", "X-Frame-Options", "Host", "Authorization", "Cookie", "Range",
)

var trailerDropPrefixes = []string{"Content-", "X-Accel-"}

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

func hasPrefix(name string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// plainName reports whether name has nothing but letters, digits and hyphens.
// Servers that speak CGI or WSGI to their applications read other characters as
// hyphens.
func plainName(name string) bool {
	for i := range len(name) {
		if c := name[i]; !isAlphanumeric(c) && c != '-' {
			return false
		}
	}
	return name != ""
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
