package http1_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/proxy/http1"
)

// refused is the status of an answer that is none.
const refused = 0

// answers is what an upstream may say, and what comes of it: how it is framed is
// what tells one user's answer from the next one's.
var answers = []struct {
	name, raw string
	status    int
	body      string
	cut       bool // the body ends with an error
}{
	{"length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", false},
	{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, "ok", false},
	{"to the end of the connection", "HTTP/1.1 200 OK\r\n\r\nok", 200, "ok", false},
	{"length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, "ok", false},
	{"the same length twice", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", 200, "ok", false},
	{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 1\r\n\r\nok", refused, "", false},
	{"a list of lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", refused, "", false},
	{"negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok", refused, "", false},
	{"length with a sign", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", refused, "", false},
	{"hexadecimal length", "HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok", refused, "", false},
	{"empty length", "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\nok", refused, "", false},
	{"length beyond all bounds", "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\nok", refused, "", false},
	{"two codings", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n2\r\nok\r\n0\r\n\r\n", refused, "", false},
	{"two fields of codings", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", refused, "", false},
	{"unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", refused, "", false},
	{"no coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok", refused, "", false},
	{"space before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nok", 200, "ok", false}, // to the end
	{"no colon", "HTTP/1.1 200 OK\r\nContent-Length\r\n\r\nok", refused, "", false},
	{"no name", "HTTP/1.1 200 OK\r\n: 2\r\n\r\nok", refused, "", false},
	{"folded field", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok", 200, "ok", false},
	{"folded first field", "HTTP/1.1 200 OK\r\n X: a\r\nContent-Length: 2\r\n\r\nok", refused, "", false},
	{"line feeds only", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", 200, "ok", false},
	{"carriage return in a value", "HTTP/1.1 200 OK\r\nX: a\rContent-Length: 0\r\nContent-Length: 2\r\n\r\nok", refused, "", false},
	{"NUL in a value", "HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\nok", refused, "", false},
	{"NUL in a name", "HTTP/1.1 200 OK\r\nX\x00: a\r\nContent-Length: 2\r\n\r\nok", refused, "", false},
	{"no text", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 200, "ok", false},
	{"no status", "HTTP/1.1\r\nContent-Length: 2\r\n\r\nok", refused, "", false},
	{"short status", "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok", refused, "", false},
	{"signed status", "HTTP/1.1 +20 OK\r\nContent-Length: 2\r\n\r\nok", refused, "", false},
	{"status below 100", "HTTP/1.1 099 No\r\nContent-Length: 38\r\n\r\n" + okAnswer, refused, "", false},
	{"status above 600", "HTTP/1.1 999 OK\r\nContent-Length: 2\r\n\r\nok", 999, "ok", false},
	{"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nok", 200, "ok", false},
	{"HTTP/1.0 with a coding", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, "2\r\nok\r\n0\r\n\r\n", false},
	{"HTTP/2.0", "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", false},
	{"HTTP/0.9", "ok\r\n", refused, "", false},
	{"another protocol", "SSH-2.0-x 200 OK\r\n\r\n", refused, "", false},
	{"lower case", "http/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", refused, "", false},
	{"space before it", " HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", refused, "", false},
	{"nothing", "", refused, "", false},
	{"100", "HTTP/1.1 100 Continue\r\n\r\n" + okAnswer, 200, "ok", false},
	{"103", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nContent-Length: 5\r\n\r\n" + okAnswer, 200, "ok", false},
	{"100 only", "HTTP/1.1 100 Continue\r\n\r\n", refused, "", false},
	{"most informational ones", strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 10) + okAnswer, 200, "ok", false},
	{"too many informational ones", strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 11) + okAnswer, refused, "", false},
	{"chunk extension", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=\"b\r\nok\r\n0;c\r\n\r\n", 200, "ok", false},
	{"chunk's size too large", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000002\r\nok\r\n0\r\n\r\n", 200, "", true},
	{"negative chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nok\r\n0\r\n\r\n", 200, "", true},
	{"hexadecimal chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n", 200, "", true},
	{"chunk longer than its size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nok\r\n0\r\n\r\n", 200, "o", true},
	{"line feeds between chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nok\n0\n\n", 200, "", true},
	{"no last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", 200, "ok", true},
	{"no last line", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n", 200, "ok", true},
	{"half of the last line", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r", 200, "ok", true},
	{"trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\nok\r\n0\r\nX: y\r\nSet-Cookie: a=b\r\nContent-Length: 9\r\n\r\n", 200, "ok", false},
	{"forbidden trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\n\r\n", refused, "", false},
	{"broken trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX y\r\n\r\n", 200, "ok", true},
	{"long trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: " + strings.Repeat("y", 8<<10) + "\r\n\r\n", 200, "ok", true},
	{"body cut off", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", 200, "ok", true},
	{"head cut off", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", refused, "", false},
	{"bytes behind it", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + okAnswer, 200, "ok", false},
	{"204 with a body", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", 204, "", false},
	{"204 with chunks", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 204, "", false},
	{"304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", 304, "", false},
	{"205 with a body", "HTTP/1.1 205 Reset Content\r\nContent-Length: 2\r\n\r\nok", 205, "ok", false},
	{"101 unasked", "HTTP/1.1 101 Switching Protocols\r\n\r\n", 101, "", false},
	{"101 with a length", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\nok", 101, "ok", false},
}

// An answer is taken for what it is or refused, never for another (G9).
func TestAnswers(t *testing.T) {
	for _, tt := range answers {
		t.Run(tt.name, func(t *testing.T) {
			u, tr := newUpstream(t), newTransport(t)
			done := start(tr, u.request("GET", "/", nil))
			p := u.accept()
			p.serve(tt.raw)
			_ = p.CloseWrite()
			got := wait(t, done)
			switch {
			case tt.status == refused:
				if got.err == nil {
					t.Fatalf("got %d %q, want an error", got.res.StatusCode, got.body)
				}
			case got.err != nil:
				t.Fatalf("got %v, want %d", got.err, tt.status)
			case got.res.StatusCode != tt.status || got.body != tt.body || (got.cut != nil) != tt.cut:
				t.Errorf("got %d %q, %v, want %d %q and an error: %v", got.res.StatusCode, got.body, got.cut, tt.status, tt.body, tt.cut)
			}
			tr.CloseIdleConnections()
			p.gone()
		})
	}
}

// What follows no head is bounded by nothing but the head's own limit (G16).
func TestHeadLimit(t *testing.T) {
	const limit = 4 << 10
	long := func(size int) string { // a whole head of that size
		const frame = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: \r\n\r\n"
		return strings.Replace(frame, "X: ", "X: "+strings.Repeat("x", size-len(frame)), 1)
	}
	tests := []struct {
		name, raw string
		ok        bool
	}{
		{"at the limit", long(limit) + "ok", true},
		{"beyond it", long(limit+1) + "ok", false},
		{"many fields", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", limit/6) + "\r\n", false},
		{"informational ones count", "HTTP/1.1 103 Early Hints\r\nX: " + strings.Repeat("x", limit/2) + "\r\n\r\n" + long(limit/2) + "ok", false},
		{"no end of the line", "HTTP/1.1 200 " + strings.Repeat("x", 2*limit), false},
		{"no line", strings.Repeat("\r\n", limit), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, tr := newUpstream(t), newTransport(t)
			tr.MaxHeader = limit
			done := start(tr, u.request("GET", "/", nil))
			p := u.accept()
			p.serve(tt.raw)
			if tt.ok {
				expect(t, done, 200, "ok")
				return
			}
			if got := wait(t, done); got.err == nil {
				t.Error("it was taken")
			}
			p.gone()
		})
	}
}

// An upstream that never ends its head does not keep the caller for ever, nor
// fill the memory: it is refused at the limit though the connection stays open.
func TestEndlessAnswers(t *testing.T) {
	for name, piece := range map[string]string{
		"fields": "X: y\r\n", "a line": strings.Repeat("x", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			u, tr := newUpstream(t), newTransport(t)
			done := start(tr, u.request("GET", "/", nil))
			p := u.accept()
			p.serve("HTTP/1.1 200 OK\r\n")
			for {
				if _, err := fmt.Fprint(p, piece); err != nil {
					break // the client has hung up
				}
			}
			if got := wait(t, done); !errors.Is(got.err, http1.ErrHeader) {
				t.Errorf("got %v, want ErrHeader", got.err)
			}
		})
	}
	t.Run("informational ones", func(t *testing.T) {
		u, tr := newUpstream(t), newTransport(t)
		done := start(tr, u.request("GET", "/", nil))
		p := u.accept()
		p.serve(strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 11))
		if got := wait(t, done); !errors.Is(got.err, http1.ErrInforms) {
			t.Errorf("got %v, want ErrInforms", got.err)
		}
		p.gone()
	})
}
