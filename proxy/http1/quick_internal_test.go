package http1

import (
	"bufio"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// plainAnswers are ones that quick must know, or it is for nothing.
var plainAnswers = []string{
	"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 28 Nov 2026 05:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 4\r\nConnection: keep-alive\r\nETag: \"x\"\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\ncontent-length: 3\r\nvary: a\r\nVary:\t b \r\n\r\nno\n",
	"HTTP/1.1 299 \r\nX-Empty:\r\nX-Latin: \xe4\r\nContent-Length: 007\r\n\r\nwhole, and more",
	"HTTP/1.1 500\r\nContent-Length: 9\r\n\r\nshort",
}

// oddAnswers are for net/http to judge: where they end, or whether they are any, is
// no matter of a glance (G9).
var oddAnswers = []string{
	"",
	"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n",
	"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\n\r\nbody",
	"HTTP/1.1 200 OK\nContent-Length: 4\n\nbody",
	"HTTP/1.1 200 OK\r\nA: b\nContent-Length: 4\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\nA: b\rContent-Length: 9\r\nContent-Length: 4\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nbody!",
	"HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\nContent-Length: 4, 4\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\nContent-Length : 4\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n folded: x\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\n Content-Length: 4\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 4\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX: \x00\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: keep-alive\r\nConnection: close\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTrailer: X\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nPragma: no-cache\r\n\r\nbody",
	"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nbody",
	"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n",
	"HTTP/1.1 100 Continue\r\nContent-Length: 4\r\n\r\nbody",
	"HTTP/1.1 101 Switching Protocols\r\nContent-Length: 4\r\n\r\nbody",
	"HTTP/1.1 20 OK\r\nContent-Length: 4\r\n\r\nbody",
	"HTTP/1.1 2000 OK\r\nContent-Length: 4\r\n\r\nbody",
	"HTTP/1.1  200 OK\r\nContent-Length: 4\r\n\r\nbody",
	"HTTP/1.1 +20 OK\r\nContent-Length: 4\r\n\r\nbody",
	"http/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
	"HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 1000) + "Content-Length: 4\r\n\r\nbody",
}

// glance returns what quick makes of raw, and the reader behind it.
func glance(raw, method string) (*http.Response, *bufio.Reader) {
	c := &conn{in: bufio.NewReader(strings.NewReader(raw))}
	x := &exchange{conn: c, req: &http.Request{Method: method}, over: true}
	return x.quick(), c.in
}

func TestQuick(t *testing.T) {
	for _, raw := range plainAnswers {
		if res, _ := glance(raw, "GET"); res == nil {
			t.Errorf("%q is not read quickly", raw)
		}
	}
	for _, raw := range oddAnswers {
		if res, in := glance(raw, "GET"); res != nil {
			t.Errorf("%q is read quickly", raw)
		} else if left, _ := io.ReadAll(in); string(left) != raw {
			t.Errorf("of %q only %q is left", raw, left)
		}
	}
	if res, _ := glance(plainAnswers[0], "HEAD"); res != nil {
		t.Error("an answer to HEAD is read quickly")
	}
}

// What is read quickly is to the byte what net/http reads, and what is behind it
// stays behind it.
func FuzzQuick(f *testing.F) {
	for _, raw := range slices.Concat(plainAnswers, oddAnswers) {
		f.Add(raw, "GET")
	}
	f.Add(plainAnswers[0], "HEAD")
	f.Fuzz(func(t *testing.T, raw, method string) {
		got, behind := glance(raw, method)
		if got == nil {
			if left, _ := io.ReadAll(behind); string(left) != raw {
				t.Fatalf("of %q only %q is left", raw, left)
			}
			return
		}
		in := bufio.NewReader(strings.NewReader(raw))
		want, err := http.ReadResponse(in, got.Request)
		if err != nil {
			t.Fatalf("%q is no answer: %v", raw, err)
		}
		if got.Status != want.Status || got.StatusCode != want.StatusCode || got.Proto != want.Proto ||
			got.ProtoMajor != want.ProtoMajor || got.ProtoMinor != want.ProtoMinor || got.ContentLength != want.ContentLength ||
			want.Close || want.TransferEncoding != nil || want.Trailer != nil {
			t.Errorf("%q: got %+v, want %+v", raw, got, want)
		}
		if !maps.EqualFunc(got.Header, want.Header, slices.Equal) {
			t.Errorf("%q: got fields %q, want %q", raw, got.Header, want.Header)
		}
		body, cut := io.ReadAll(got.Body)
		wantBody, wantCut := io.ReadAll(want.Body)
		if string(body) != string(wantBody) || cut != wantCut {
			t.Errorf("%q: got body %q, %v, want %q, %v", raw, body, cut, wantBody, wantCut)
		}
		left, _ := io.ReadAll(behind)
		if wantLeft, _ := io.ReadAll(in); string(left) != string(wantLeft) {
			t.Errorf("%q: %q is behind it, want %q", raw, left, wantLeft)
		}
	})
}
