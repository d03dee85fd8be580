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
	if req.URL.Scheme != "http" || req.URL.Host == "" || !plain(req.Method, isToken) || req.Method == http.MethodConnect ||
		target[0] != '/' || !plain(target, isVisible) || !plain(host, isVisible) {
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
		if !plain(name, isToken) {
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

// plain reports whether s is of such bytes only, and not empty.
func plain(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return s != ""
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

func isVisible(c byte) bool { return c > ' ' && c != 0x7f }

// isToken reports whether c may stand in a token (RFC 9110 section 5.6.2).
func isToken(c byte) bool { return tokens[c] }

var tokens = func() (t [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t[c] = true
	}
	return t
}()
