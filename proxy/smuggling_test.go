package proxy_test

import (
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/proxy"
)

// However a request is framed, upstream gets one request for each that the
// proxy took, or none (G9). Every row ends with what could be a second request.
func TestSmuggling(t *testing.T) {
	const second = "GET /api/smuggled HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n"
	const cookie = "Cookie: __Host-session=alice\r\n"
	tests := []struct{ name, raw string }{
		{"length and chunks", "POST /api HTTP/1.1\r\nHost: app\r\n" + cookie + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"chunks and length", "POST /api HTTP/1.1\r\nHost: app\r\n" + cookie + "Transfer-Encoding: chunked\r\nContent-Length: 500\r\n\r\n0\r\n\r\n"},
		{"two lengths", "POST /api HTTP/1.1\r\nHost: app\r\n" + cookie + "Content-Length: 0\r\nContent-Length: 66\r\n\r\n"},
		{"a list of lengths", "POST /api HTTP/1.1\r\nHost: app\r\n" + cookie + "Content-Length: 0, 66\r\n\r\n"},
		{"length with a sign", "POST /api HTTP/1.1\r\nHost: app\r\n" + cookie + "Content-Length: +0\r\n\r\n"},
		{"negative length", "POST /api HTTP/1.1\r\nHost: app\r\n" + cookie + "Content-Length: -1\r\n\r\n"},
		{"space before the colon", "POST /api HTTP/1.1\r\nHost: app\r\n" + cookie + "Content-Length : 66\r\n\r\n"},
		{"folded field", "POST /api HTTP/1.1\r\nHost: app\r\n" + cookie + "Content-Length:\r\n 3\r\n\r\nabc"},
		{"tab in the coding", "POST /api HTTP/1.1\r\nHost: app\r\n" + cookie + "Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n"},
		{"obscured coding", "POST /api HTTP/1.1\r\nHost: app\r\n" + cookie + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
		{"two codings", "POST /api HTTP/1.1\r\nHost: app\r\n" + cookie + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"},
		{"underscore coding", "POST /api HTTP/1.1\r\nHost: app\r\n" + cookie + "Transfer_Encoding: chunked\r\nContent-Length: 0\r\n\r\n"},
		{"coding in Connection", "POST /api HTTP/1.1\r\nHost: app\r\n" + cookie + "Connection: Transfer-Encoding, Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"length in Connection", "POST /api HTTP/1.1\r\nHost: app\r\n" + cookie + "Connection: Content-Length\r\nContent-Length: 3\r\n\r\nabc"},
		{"bare line feeds in a chunk", "POST /api HTTP/1.1\r\nHost: app\r\n" + cookie + "Transfer-Encoding: chunked\r\n\r\n0\n\n"},
		{"chunk size too large", "POST /api HTTP/1.1\r\nHost: app\r\n" + cookie + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"},
		{"chunk extension", "POST /api HTTP/1.1\r\nHost: app\r\n" + cookie + "Transfer-Encoding: chunked\r\n\r\n0;a=\"\r\n\r\n"},
		{"trailer", "POST /api HTTP/1.1\r\nHost: app\r\n" + cookie + "Transfer-Encoding: chunked\r\nTrailer: X-User\r\n\r\n0\r\nX-User: bob\r\nContent-Length: 66\r\n\r\n"},
		{"GET with a body", "GET /api HTTP/1.1\r\nHost: app\r\n" + cookie + "Content-Length: 3\r\n\r\nabc"},
		{"line feed in a value", "GET /api HTTP/1.1\r\nHost: app\r\n" + cookie + "X: a\nX-User: bob\r\n\r\n"},
		{"carriage return in a value", "GET /api HTTP/1.1\r\nHost: app\r\n" + cookie + "X: a\rX-User: bob\r\n\r\n"},
		{"NUL in a value", "GET /api HTTP/1.1\r\nHost: app\r\n" + cookie + "X: a\x00b\r\n\r\n"},
		{"no name", "GET /api HTTP/1.1\r\nHost: app\r\n" + cookie + ": a\r\n\r\n"},
		{"space in a name", "GET /api HTTP/1.1\r\nHost: app\r\n" + cookie + "X User: bob\r\n\r\n"},
		{"two hosts", "GET /api HTTP/1.1\r\nHost: app\r\nHost: evil\r\n" + cookie + "\r\n"},
		{"line break in the target", "GET /api%0d%0aX-User:%20bob HTTP/1.1\r\nHost: app\r\n" + cookie + "\r\n"},
		{"space in the target", "GET /api /x HTTP/1.1\r\nHost: app\r\n" + cookie + "\r\n"},
		{"HTTP/0.9", "GET /api\r\n"},
		{"bytes above ASCII", "GET /api/\xff\xfe?\xff HTTP/1.1\r\nHost: app\r\n" + cookie + "X: \xff\r\n\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			upstream := newRawUpstream(t, nil)
			s := newStand(t, proxy.Config{Path: "/api", Upstream: mustParse(t, upstream.url())})
			got := send(t, s.Listener.Addr().String(), tt.raw+second)
			taken := 0
			for _, head := range upstream.requests() {
				if strings.Count(head, "HTTP/1.1\r\n") != 1 || strings.Contains(strings.ToLower(head), "\nx-user") {
					t.Errorf("upstream got %q", head)
				}
				if strings.HasPrefix(head, "GET /api/smuggled ") {
					t.Errorf("upstream got the second request, for which nobody was signed in")
				}
				taken++
			}
			answers := strings.Count(got, "HTTP/1.1 200 ")
			if taken > 1 || answers > taken {
				t.Errorf("upstream got %d requests for %d answers: %q", taken, answers, got)
			}
			for _, body := range upstream.bodies() {
				if strings.Contains(body, "smuggled") || body == "unreadable" {
					t.Errorf("upstream got body %q", body)
				}
			}
		})
	}
}

// What an upstream says unasked behind one user's answer is not the next user's
// answer (G9).
func TestAnswerBehindAnswer(t *testing.T) {
	const poison = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nalice"
	for name, answer := range map[string]string{
		"length": plainAnswer, "chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		"no body": "HTTP/1.1 204 No Content\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			upstream := newRawUpstream(t, func(int, string) string { return answer + poison })
			s := newStand(t, proxy.Config{Path: "/api", Upstream: mustParse(t, upstream.url())})
			for range 3 {
				if _, got := s.do(t, "GET", "/api", ""); got == "alice" {
					t.Errorf("got %q", got)
				}
			}
			if n := upstream.connections(); n != 3 {
				t.Errorf("got %d connections, want 3", n)
			}
		})
	}
}
