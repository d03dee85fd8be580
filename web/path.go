package web

import (
	"net/http"
	"strings"
	"unicode/utf8"
)

// checkTarget refuses every request target that two parsers could read in two
// ways (G3). Nothing is cleaned: what passes is matched, checked and forwarded
// byte for byte. It returns the path as it was sent.
func checkTarget(r *http.Request) (string, error) {
	target := r.RequestURI
	if !strings.HasPrefix(target, "/") {
		// Absolute form (RFC 9112, 3.2.2). net/http has taken Host from it, which
		// was compared; what it drops on the way, as a user's name, is refused.
		// CONNECT's authority form and OPTIONS' asterisk have no path at all.
		_, rest, ok := strings.Cut(target, "://")
		slash := strings.IndexByte(rest, '/')
		if !ok || slash < 0 || rest[:slash] != r.Host {
			return "", errPath
		}
		target = rest[slash:]
	}
	path, query, _ := strings.Cut(target, "?")
	if !plainPath(path) || !printable(query) || r.URL.EscapedPath() != path {
		return "", errPath
	}
	return path, nil
}

// plainPath reports whether path is in the one form accepted: it begins with /,
// has no empty, "." or ".." segment, no ";", backslash or other character that
// URLs don't have, and percent-encodes nothing that has a plain form, that
// separates segments, or that is no valid UTF-8.
func plainPath(path string) bool {
	if path == "" || path[0] != '/' {
		return false
	}
	decoded, ok := decode(path)
	if !ok || !utf8.ValidString(decoded) {
		return false
	}
	for rest, more := path[1:], true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if segment == "." || segment == ".." || segment == "" && more {
			return false
		}
	}
	return true
}

// decode undoes percent-encoding, and refuses what plainPath does not allow in
// a single character.
func decode(path string) (string, bool) {
	for i := range len(path) {
		if c := path[i]; c != '/' && c != '%' && !plainByte(c) {
			return "", false
		}
	}
	if strings.IndexByte(path, '%') < 0 {
		return path, true
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			b.WriteByte(path[i])
			continue
		}
		if i+2 >= len(path) {
			return "", false
		}
		high, low := unhex(path[i+1]), unhex(path[i+2])
		if high < 0 || low < 0 {
			return "", false
		}
		octet := byte(high<<4 | low)
		if octet < 0x20 || octet == 0x7f || octet == '/' || octet == '\\' || octet == '%' || unreserved(octet) {
			return "", false
		}
		b.WriteByte(octet)
		i += 2
	}
	return b.String(), true
}

// plainByte reports whether c may stand unencoded in a segment: pchar of RFC
// 3986, 3.3, without ";", which some servers take for the start of parameters
// that they cut off.
func plainByte(c byte) bool {
	return unreserved(c) || strings.IndexByte("!$&'()*+,=:@", c) >= 0
}

// unreserved reports whether c is unreserved in RFC 3986, 2.3: encoding it
// changes nothing, so that an encoded one only ever hides something.
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// printable reports whether s is ASCII without spaces and control characters.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// maxReturnTo bounds return_to, in bytes, so that the login cookie that holds
// it stays small.
const maxReturnTo = 1024

// localPath returns return_to if it is a path (with query and fragment, if any)
// that every browser resolves to this origin, and errReturnTo otherwise
// (A10), and not one of ours but /bff/signed-in. Its path must be in the strict form of plainPath; so "//host",
// "/\host", "/%2f/host", dot segments and control characters are out before any
// browser's URL parser gets to see them. The empty string stands for "/".
func (s *Server) localPath(returnTo string) (string, error) {
	if returnTo == "" {
		return "/", nil
	}
	path, rest := returnTo, ""
	if i := strings.IndexAny(returnTo, "?#"); i >= 0 {
		path, rest = returnTo[:i], returnTo[i:]
	}
	// A backslash in a query is harmless to a URL parser, but nobody needs one.
	if len(returnTo) > maxReturnTo || !plainPath(path) || !printable(rest) || strings.ContainsRune(rest, '\\') {
		return "", errReturnTo
	}
	if s.owns(path) && returnTo != s.base+"/signed-in" {
		return "", errReturnTo // back to /bff/login is a loop
	}
	return returnTo, nil
}
