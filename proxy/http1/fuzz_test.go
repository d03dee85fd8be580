package http1_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/proxy/http1"
)

// pipe returns a Dial whose connections serve gets the other end of. Nothing is
// read of them by the system, so nothing is lost when one side hangs up.
func pipe(serve func(net.Conn)) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		_ = ours.SetDeadline(time.Now().Add(patience))
		_ = theirs.SetDeadline(time.Now().Add(patience))
		go func() {
			serve(theirs)
			_ = theirs.Close()
		}()
		return ours, nil
	}
}

// Whatever is asked for, what is sent is one request with nothing behind it, and
// the one that was asked for; or it is refused, and nothing is sent (G9).
func FuzzRequest(f *testing.F) {
	for _, seed := range []struct {
		method, target, query, host, name, value, body string
		length                                         int64
	}{
		{"GET", "/", "", "app", "Accept", "*/*", "", 0},
		{"POST", "/a%2fb//c;d", "x=1&y=%zz", "app:80", "X-A", " a\tb ", "hello", 5},
		{"POST", "/", "", "app", "content-length", "3", "hello", 5},
		{"POST", "/", "", "app", "TRANSFER-ENCODING", "chunked", "0\r\n\r\nGET / HTTP/1.1\r\n\r\n", 21},
		{"PUT", "/", "", "app", "Transfer-Encoding", "identity", "hello", -1},
		{"PUT", "/", "", "app", "hOST", "evil", "hello", 3},
		{"PATCH", "/", "", "app", "trailer", "X", "hello", 9},
		{"GET", "/ HTTP/1.1\r\nX: y", "", "app", "X", "y", "", 0},
		{"GET", "/", "a b", "app", "X", "y", "", 0},
		{"GET", "/", "", "a\r\nX: y", "X", "y", "", 0},
		{"GET", "/", "", "app", "X", "y\nZ: z", "", 0},
		{"GET", "/", "", "app", "X\r\nY", "y", "", 0},
		{"GET", "/", "", "app", "X:", "y", "", 0},
		{"GET\r\n", "/", "", "app", "X", "\x00", "", 0},
		{"CONNECT", "other:443", "", "app", "X", "y", "", 0},
		{"OPTIONS", "*", "", "app", "X", "y", "", 0},
		{"GET", "//host/path", "", "app", "X", "\x7f", "", 0},
		{"GET", "path", "", "app", "Connection", "close", "", 0},
		{"HEAD", "/", "", "", "", "", "", 0},
		{"POST", "/", "", "app", "Expect", "100-continue", "hello", 5},
	} {
		f.Add(seed.method, seed.target, seed.query, seed.host, seed.name, seed.value, seed.body, seed.length)
	}
	f.Fuzz(func(t *testing.T, method, target, query, host, name, value, body string, length int64) {
		var raw bytes.Buffer
		served := make(chan struct{})
		tr := &http1.Transport{IdleTimeout: time.Hour, MaxHeader: 1 << 10, Dial: pipe(func(c net.Conn) {
			defer close(served)
			in := bufio.NewReader(io.TeeReader(c, &raw))
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			if _, err := url.ParseRequestURI(strings.Fields(line)[1]); err != nil {
				line = method + " / HTTP/1.1\r\n" // see compareRequest
			}
			in = bufio.NewReader(io.MultiReader(strings.NewReader(line), in))
			r, err := http.ReadRequest(in)
			if err == nil {
				_, err = io.Copy(io.Discard, r.Body)
			}
			if err == nil {
				_, _ = io.WriteString(c, emptyAnswer)
				_, _ = io.Copy(io.Discard, in)
			}
		})}
		r := &http.Request{
			Method: method, URL: &url.URL{Scheme: "http", Host: "upstream", Opaque: target, RawQuery: query},
			Host: host, Header: http.Header{name: {value, value}},
		}
		if body != "" || length != 0 {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), length
		}
		got := exchange(tr, r)
		if errors.Is(got.err, http1.ErrRequest) {
			if raw.Len() != 0 {
				t.Fatalf("refused, but sent %q", raw.String())
			}
			return
		}
		<-served
		switch {
		case length > int64(len(body)): // there is no such body
			if got.err == nil {
				t.Fatalf("%q was sent as a body of %d bytes", body, length)
			}
		case got.err != nil:
			t.Fatalf("got %v for %q", got.err, raw.String())
		}
		compareRequest(t, raw.String(), r, body)
	})
}

// compareRequest fails the test unless raw is r, with nothing behind it.
func compareRequest(t *testing.T, raw string, r *http.Request, body string) {
	t.Helper()
	if raw == "" && r.ContentLength > int64(len(body)) {
		return // nothing is as good as less
	}
	line, rest, _ := strings.Cut(raw, "\r\n")
	if want := r.Method + " " + r.URL.RequestURI() + " HTTP/1.1"; line != want {
		t.Fatalf("got %q, want %q", raw, want)
	}
	if _, err := url.ParseRequestURI(r.URL.RequestURI()); err != nil {
		line = r.Method + " / HTTP/1.1" // it is passed on byte for byte, but net/http would not take it
	}
	in := bufio.NewReader(strings.NewReader(line + "\r\n" + rest))
	sent, err := http.ReadRequest(in)
	if err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	got, err := io.ReadAll(sent.Body)
	switch {
	case r.ContentLength > int64(len(body)):
		if err == nil || !strings.HasPrefix(body, string(got)) {
			t.Errorf("%q: got body %q, %v, want less than %q and an error", raw, got, err, body)
		}
	case r.ContentLength > 0:
		body = body[:r.ContentLength]
		fallthrough
	default:
		if err != nil || string(got) != body {
			t.Errorf("%q: got body %q, %v, want %q", raw, got, err, body)
		}
	}
	if left, _ := io.ReadAll(in); len(left) > 0 {
		t.Errorf("%q: %q is behind it", raw, left)
	}
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	if !strings.HasPrefix(rest, "Host: "+host+"\r\n") {
		t.Errorf("got %q, want it to %q", raw, host)
	}
	want := http.Header{}
	for name, values := range r.Header {
		if name = textproto.CanonicalMIMEHeaderKey(name); !slices.Contains(framing, name) {
			for _, v := range values {
				want[name] = append(want[name], strings.Trim(v, " \t"))
			}
		}
	}
	for _, name := range framing {
		sent.Header.Del(name)
	}
	if !maps.EqualFunc(sent.Header, want, slices.Equal) {
		t.Errorf("%q: got fields %q, want %q", raw, sent.Header, want)
	}
}

var framing = []string{"Host", "Content-Length", "Transfer-Encoding", "Trailer"}

// The same bytes are the same answer to this client as to net/http's: where one
// sees an end that the other doesn't, somebody's answer is somebody else's (G9).
func FuzzAnswer(f *testing.F) {
	for _, a := range answers {
		f.Add(a.raw, false)
		f.Add(a.raw, true)
		for i := range a.raw {
			if i%7 == 3 {
				f.Add(a.raw[:i], false)
			}
		}
	}
	log.SetOutput(io.Discard) // net/http complains about what is behind answers
	f.Fuzz(func(t *testing.T, raw string, head bool) {
		const limit = 1 << 10
		dial := pipe(func(c net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.WriteString(c, raw)
			}
		})
		ours := &http1.Transport{IdleTimeout: time.Hour, MaxHeader: limit, Dial: dial}
		theirs := &http.Transport{DialContext: dial, DisableCompression: true, MaxResponseHeaderBytes: limit}
		defer theirs.CloseIdleConnections()
		method := http.MethodGet
		if head {
			method = http.MethodHead
		}
		got, want := ask(t, ours, method), ask(t, theirs, method)
		switch {
		case want.err == nil && stricter(raw, want.res) && got.err != nil:
		case (got.err != nil) != (want.err != nil):
			t.Fatalf("got error %v, want %v", got.err, want.err)
		case got.err == nil:
			compareAnswer(t, got, want)
		}
	})
}

// stricter reports whether this client may refuse what net/http's takes: many
// informational answers, and a status below 100, which HTTP doesn't have.
func stricter(raw string, res *http.Response) bool {
	return res.StatusCode < 100 || strings.Count(raw, "HTTP/") > 10
}

func ask(t *testing.T, tr http.RoundTripper, method string) result {
	r, err := http.NewRequest(method, "http://upstream/", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := tr.RoundTrip(r)
	if err != nil {
		return result{err: err}
	}
	got := result{res: res}
	if res.StatusCode != http.StatusSwitchingProtocols {
		var body []byte
		body, got.cut = io.ReadAll(res.Body)
		got.body = string(body)
	}
	_ = res.Body.Close()
	return got
}

func compareAnswer(t *testing.T, got, want result) {
	t.Helper()
	g, w := got.res, want.res
	if g.StatusCode != w.StatusCode || g.Status != w.Status || g.Proto != w.Proto || g.ContentLength != w.ContentLength {
		t.Errorf("got %s %q of %d bytes, want %s %q of %d", g.Proto, g.Status, g.ContentLength, w.Proto, w.Status, w.ContentLength)
	}
	if !maps.EqualFunc(g.Header, w.Header, slices.Equal) || !maps.EqualFunc(g.Trailer, w.Trailer, slices.Equal) {
		t.Errorf("got fields %q and trailers %q, want %q and %q", g.Header, g.Trailer, w.Header, w.Trailer)
	}
	if got.body != want.body || (got.cut != nil) != (want.cut != nil) {
		t.Errorf("got body %q, %v, want %q, %v", got.body, got.cut, want.body, want.cut)
	}
}
