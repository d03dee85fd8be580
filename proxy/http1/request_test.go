package http1_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/proxy/http1"
)

// A request is written byte for byte as it is meant, and nothing is added but its
// host and how its body is framed (G1, G7, G9).
func TestRequests(t *testing.T) {
	const text = "POST / HTTP/1.1\r\nHost: UPSTREAM\r\n"
	tests := []struct {
		name   string
		method string
		body   any
		change func(*http.Request)
		want   string // UPSTREAM is its address; the fields are in alphabetical order
	}{
		{"GET", "GET", nil, nil, "GET / HTTP/1.1\r\nHost: UPSTREAM\r\n\r\n"},
		{"HEAD", "HEAD", nil, nil, "HEAD / HTTP/1.1\r\nHost: UPSTREAM\r\n\r\n"},
		{"DELETE", "DELETE", nil, nil, "DELETE / HTTP/1.1\r\nHost: UPSTREAM\r\n\r\n"},
		{"POST without a body", "POST", nil, nil, text + "Content-Length: 0\r\n\r\n"},
		{"PUT without a body", "PUT", nil, nil, "PUT / HTTP/1.1\r\nHost: UPSTREAM\r\nContent-Length: 0\r\n\r\n"},
		{"PATCH without a body", "PATCH", nil, nil, "PATCH / HTTP/1.1\r\nHost: UPSTREAM\r\nContent-Length: 0\r\n\r\n"},
		{"length", "POST", "hello", nil, text + "Content-Length: 5\r\n\r\nhello"},
		{"chunks", "POST", "hello", func(r *http.Request) { r.ContentLength = -1 }, text + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
		{"GET with a body", "GET", "hello", nil, "GET / HTTP/1.1\r\nHost: UPSTREAM\r\nContent-Length: 5\r\n\r\nhello"},
		{"another host", "GET", nil, func(r *http.Request) { r.Host = "app.example.com" }, "GET / HTTP/1.1\r\nHost: app.example.com\r\n\r\n"},
		{"target as it is", "GET", nil, func(r *http.Request) { r.URL.Opaque, r.URL.RawQuery = "/a%2Fb/../c;d//%zz^|", "x=%&y=;'\"\xff" },
			"GET /a%2Fb/../c;d//%zz^|?x=%&y=;'\"\xff HTTP/1.1\r\nHost: UPSTREAM\r\n\r\n"},
		{"empty query", "GET", nil, func(r *http.Request) { r.URL.ForceQuery = true }, "GET /? HTTP/1.1\r\nHost: UPSTREAM\r\n\r\n"},
		{"fields", "GET", nil, func(r *http.Request) {
			r.Header = http.Header{"Accept": {"a", "b", ""}, "x-lower": {" \ta\xff "}, "None": nil}
		}, "GET / HTTP/1.1\r\nHost: UPSTREAM\r\nAccept: a\r\nAccept: b\r\nAccept: \r\nx-lower:  \ta\xff \r\n\r\n"},
		{"framing is ours", "POST", "hello", func(r *http.Request) {
			r.Header = http.Header{"Content-Length": {"3"}, "Transfer-Encoding": {"chunked"}, "Host": {"evil"}, "Trailer": {"X"}}
		}, text + "Content-Length: 5\r\n\r\nhello"},
		{"in lower case too", "POST", "hello", func(r *http.Request) {
			r.Header = http.Header{"content-length": {"3"}, "transfer-encoding": {"chunked"}, "host": {"evil"}, "trailer": {"X"}}
		}, text + "Content-Length: 5\r\n\r\nhello"},
		{"in any case", "POST", "hello", func(r *http.Request) {
			r.Header = http.Header{"CONTENT-LENGTH": {"3"}, "Transfer-encoding": {"chunked"}, "hOsT": {"evil"}, "TRAILER": {"X"}}
		}, text + "Content-Length: 5\r\n\r\nhello"},
		{"framing without a body", "GET", nil, func(r *http.Request) {
			r.Header = http.Header{"content-length": {"3"}, "Transfer-Encoding": {"chunked"}}
			r.TransferEncoding, r.ContentLength = []string{"chunked"}, 9
		}, "GET / HTTP/1.1\r\nHost: UPSTREAM\r\n\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, tr := newUpstream(t), newTransport(t)
			r := u.request(tt.method, "/", tt.body)
			if tt.change != nil {
				tt.change(r)
			}
			done := start(tr, r)
			p := u.accept()
			head := sorted(p.head())
			want := strings.ReplaceAll(tt.want, "UPSTREAM", u.address)
			end := strings.Index(want, "\r\n\r\n") + 4
			if head != want[:end] {
				t.Errorf("got head\n%q, want\n%q", head, want[:end])
			}
			p.read(want[end:])
			p.write("HTTP/1.1 204 No Content\r\n\r\n")
			expect(t, done, 204, "")
			tr.CloseIdleConnections()
			p.gone()
		})
	}
}

// sorted returns a head with its fields in the order of TestRequests: a map's are in
// none. The first two lines and the framing stay where they are.
func sorted(head string) string {
	lines := strings.SplitAfter(head, "\r\n")
	end := len(lines) - 2
	for end > 2 && (strings.HasPrefix(lines[end-1], "Content-Length:") || strings.HasPrefix(lines[end-1], "Transfer-Encoding:")) {
		end--
	}
	slices.SortStableFunc(lines[2:end], func(a, b string) int {
		a, _, _ = strings.Cut(a, ":")
		b, _, _ = strings.Cut(b, ":")
		return strings.Compare(a, b)
	})
	return strings.Join(lines, "")
}

// What could be read as more than one request, or as one to somebody else, is not
// sent at all: not a byte, not even a connection (G9).
func TestRequestsRefused(t *testing.T) {
	spoils := map[string]func(r *http.Request, s string){
		"method":       func(r *http.Request, s string) { r.Method = "G" + s + "T" },
		"path":         func(r *http.Request, s string) { r.URL.Opaque = "/a" + s + "b" },
		"query":        func(r *http.Request, s string) { r.URL.RawQuery = "a" + s + "b" },
		"host":         func(r *http.Request, s string) { r.Host = "a" + s + "b" },
		"field's name": func(r *http.Request, s string) { r.Header["X"+s+"Y"] = []string{"z"} },
		"value":        func(r *http.Request, s string) { r.Header["X"] = []string{"y", "a" + s + "b"} },
	}
	for where, spoil := range spoils {
		for _, s := range []string{"\r\n", "\r", "\n", "\x00", "\x01", "\x0b", "\x1f", "\x7f", " ", "\t"} {
			if where == "value" && (s == " " || s == "\t") {
				continue
			}
			refuse(t, where+" with "+url.QueryEscape(s), func(r *http.Request) { spoil(r, s) })
		}
	}
	for _, s := range []string{":", "(", "é", "\"", ","} {
		refuse(t, "name with "+s, func(r *http.Request) { r.Header["X"+s] = []string{"y"} })
		refuse(t, "method with "+s, func(r *http.Request) { r.Method = "GET" + s })
	}
	for name, change := range map[string]func(*http.Request){
		"no name":         func(r *http.Request) { r.Header[""] = []string{"y"} },
		"no value either": func(r *http.Request) { r.Header["X Y"] = nil },
		"no method":       func(r *http.Request) { r.Method = "" },
		"no host":         func(r *http.Request) { r.URL.Host, r.Host = "", "app" },
		"CONNECT":         func(r *http.Request) { r.Method = "CONNECT" },
		"authority":       func(r *http.Request) { r.URL.Opaque = "other:443" },
		"absolute target": func(r *http.Request) { r.URL.Opaque = "//other/path" },
		"asterisk":        func(r *http.Request) { r.Method, r.URL.Opaque = "OPTIONS", "*" },
		"https":           func(r *http.Request) { r.URL.Scheme = "https" },
		"no scheme":       func(r *http.Request) { r.URL.Scheme = "" },
	} {
		refuse(t, name, change)
	}
}

func refuse(t *testing.T, name string, change func(*http.Request)) {
	t.Run(name, func(t *testing.T) {
		u, tr := newUpstream(t), newTransport(t)
		src := newSource(strings.NewReader("hello"))
		r := u.request("POST", "/", src)
		change(r)
		got := wait(t, start(tr, r))
		if !errors.Is(got.err, http1.ErrRequest) {
			t.Errorf("got %v, want ErrRequest", got.err)
		}
		wait(t, src.closed)
		u.connections(0)
	})
}

// A head that the system takes only in parts arrives whole.
func TestLargeHead(t *testing.T) {
	u, tr := newUpstream(t), newTransport(t)
	tr.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			err = c.(*net.TCPConn).SetWriteBuffer(1)
		}
		return c, err
	}
	large := strings.Repeat("0123456789abcdef", 256<<10/16)
	var p *peer
	for range 2 { // over a new connection, and over a used one
		r := u.request("GET", "/", nil)
		r.Header.Set("X-Large", large)
		done := start(tr, r)
		if p == nil {
			p = u.accept()
		}
		if head := p.serve(okAnswer); !strings.Contains(head, "X-Large: "+large+"\r\n") {
			t.Errorf("%d bytes arrived", len(head))
		}
		expect(t, done, 200, "ok")
	}
	u.connections(1)
}
