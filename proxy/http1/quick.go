package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
)

const (
	quickVersion = "HTTP/1.1 "
	endOfHead    = "\r\n\r\n"
)

// quick reads an answer as plain as most are, in half of the time that
// [http.ReadResponse] takes: HTTP/1.1, its head wholly in the buffer, its length
// said once and in digits, and nothing that would make it end elsewhere or anybody
// read it in another way. Of any other it takes nothing and returns nil. What it
// does return is what http.ReadResponse would (FuzzQuick), but for the body.
func (x *exchange) quick() *http.Response {
	in := x.conn.in
	if _, err := in.Peek(1); err != nil || x.req.Method == http.MethodHead {
		return nil
	}
	buffered, _ := in.Peek(in.Buffered())
	n := bytes.Index(buffered, []byte(endOfHead))
	if n < 0 {
		return nil
	}
	head := string(buffered[:n]) // all values are parts of it
	line, fields, _ := strings.Cut(head, "\r\n")
	res := &http.Response{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: x.req}
	if !quickStatus(res, line) || !quickFields(res, fields) {
		return nil
	}
	_, _ = in.Discard(n + len(endOfHead))
	res.Body = http.NoBody
	if res.ContentLength > 0 {
		x.fixed = fixed{in, res.ContentLength}
		x.body, res.Body = &x.fixed, x
	}
	return res
}

// quickStatus reads the status line. 204 and 304 have no body whatever their length
// says, and below 200 more follows.
func quickStatus(res *http.Response, line string) bool {
	status, ok := strings.CutPrefix(line, quickVersion)
	if !ok || len(status) < 3 || len(status) > 3 && status[3] != ' ' || !plainValue(status) {
		return false
	}
	code, ok := number(status[:3])
	res.Status, res.StatusCode = status, int(code)
	return ok && code >= http.StatusOK && code != http.StatusNoContent && code != http.StatusNotModified
}

// quickFields reads what follows it.
func quickFields(res *http.Response, fields string) bool {
	n := strings.Count(fields, "\n") + 1
	res.Header = make(http.Header, n)
	res.ContentLength = unknown
	values := make([]string, n) // one allocation for all
	for more := true; more; {
		var line string
		line, fields, more = strings.Cut(fields, "\r\n")
		name, value, ok := strings.Cut(line, ":")
		if !ok || !tokens.holds(name) || !plainValue(value) {
			return false
		}
		name, value = http.CanonicalHeaderKey(name), strings.Trim(value, " \t")
		if !quickField(res, name, value) {
			return false
		}
		if before := res.Header[name]; before != nil {
			res.Header[name] = append(before, value)
			continue
		}
		values[0] = value
		res.Header[name], values = values[:1:1], values[1:]
	}
	return res.ContentLength != unknown
}

// quickField takes note of a field that says where the answer ends, or reports false
// if there is more to that than is known here. Pragma is one that net/http acts on.
func quickField(res *http.Response, name, value string) (ok bool) {
	switch name {
	case "Content-Length":
		if res.ContentLength != unknown {
			return false
		}
		res.ContentLength, ok = number(value)
		return ok
	case "Connection":
		return value == "keep-alive"
	case "Transfer-Encoding", "Trailer", "Pragma":
		return false
	}
	return true
}

// number reads a number that is nothing but digits, and not too many.
func number(s string) (n int64, ok bool) {
	if len(s) > 18 || !digits.holds(s) {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// fixed is a body of known length.
type fixed struct {
	in   *bufio.Reader
	left int64
}

// Read implements io.Reader. The end comes with the last byte; after that the
// connection may be somebody else's.
func (f *fixed) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > f.left {
		p = p[:f.left]
	}
	n, err := f.in.Read(p)
	f.left -= int64(n)
	switch {
	case f.left == 0:
		return n, io.EOF
	case err == io.EOF:
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}
