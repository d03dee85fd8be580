package http1

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// ownHeader reports whether the field follows from the request's other fields. In
// whatever case: a second length or coding beside our own is a second request.
func ownHeader(name string) bool {
	switch len(name) {
	case len("Host"):
		return strings.EqualFold(name, "Host")
	case len("Trailer"):
		return strings.EqualFold(name, "Trailer")
	case len("Content-Length"):
		return strings.EqualFold(name, "Content-Length")
	case len("Transfer-Encoding"):
		return strings.EqualFold(name, "Transfer-Encoding")
	}
	return false
}

// appendHead appends the head of req to b: the request line, the fields and the
// empty line. Whatever could end a field or the line before its end is an error:
// it would begin a request of somebody else's making. So is what asks the upstream
// to be a proxy: another target than a path, and CONNECT, whose answer has no end.
func appendHead(b []byte, req *http.Request) ([]byte, error) {
	target := req.URL.RequestURI()
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	if req.URL.Scheme != "http" || req.URL.Host == "" || !tokens.holds(req.Method) || req.Method == http.MethodConnect ||
		target[0] != '/' || !visible.holds(target) || !visible.holds(host) {
		return b, fmt.Errorf("%w: its method, address or host", ErrRequest)
	}
	b = append(b, req.Method...)
	b = append(b, ' ')
	b = append(b, target...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, host...)
	b = append(b, "\r\n"...)
	b, err := appendFields(b, req.Header)
	if err != nil {
		return b, err
	}
	switch length := bodyLength(req); {
	case length == unknown:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case length > 0 || req.Method == http.MethodPost || req.Method == http.MethodPut || req.Method == http.MethodPatch:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, length, 10)
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...), nil
}

// unknown is the length of a body that ends when it ends.
const unknown = -1

// bodyLength is 0 if there is no body, and unknown if there is one whose length is
// not said.
func bodyLength(req *http.Request) int64 {
	switch {
	case req.Body == nil || req.Body == http.NoBody:
		return 0
	case req.ContentLength <= 0:
		return unknown
	}
	return req.ContentLength
}

func appendFields(b []byte, h http.Header) ([]byte, error) {
	for name, values := range h {
		if ownHeader(name) {
			continue
		}
		if !tokens.holds(name) {
			return b, fmt.Errorf("%w: a field's name", ErrRequest)
		}
		for _, v := range values {
			if !plainValue(v) {
				return b, fmt.Errorf("%w: the value of %s", ErrRequest, name)
			}
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, v...)
			b = append(b, "\r\n"...)
		}
	}
	return b, nil
}

// plainValue reports whether v is a field's value (RFC 9110 section 5.5): no
// control characters but tabs.
func plainValue(v string) bool {
	for i := range len(v) {
		if c := v[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// charset is a set of bytes.
type charset [256]bool

// holds reports whether s is of such bytes only, and not empty.
func (c *charset) holds(s string) bool {
	for i := range len(s) {
		if !c[s[i]] {
			return false
		}
	}
	return s != ""
}

// of returns the set of the bytes for which is holds.
func of(is func(c byte) bool) (set charset) {
	for i := range set {
		set[i] = is(byte(i))
	}
	return set
}

var (
	digits  = of(func(c byte) bool { return '0' <= c && c <= '9' })
	visible = of(func(c byte) bool { return c > ' ' && c != 0x7f })

	// tokens may stand in a token (RFC 9110 section 5.6.2).
	tokens = of(func(c byte) bool {
		return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
	})
)
