package http1_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

var errBody = errors.New("the browser has left")

// pieces is a body that comes in pieces: "" is a read of no bytes, errors come
// with the piece before them if joined.
type pieces struct {
	data []string
	err  error // after the last; nil: io.EOF
	join bool
}

func (p *pieces) Read(b []byte) (int, error) {
	end := p.err
	if end == nil {
		end = io.EOF
	}
	if len(p.data) == 0 {
		return 0, end
	}
	n := copy(b, p.data[0])
	if p.data[0] = p.data[0][n:]; p.data[0] == "" {
		p.data = p.data[1:]
	}
	if p.join && len(p.data) == 0 {
		return n, end
	}
	return n, nil
}

// An upstream gets as much of a body as was said, or sees that it is not whole: a
// byte more would be another request, a byte less would let the next one be part
// of it (G9).
func TestBodyLength(t *testing.T) {
	large := strings.Repeat("0123456789", 20_000)
	tests := []struct {
		name   string
		body   pieces
		length int64
		want   string // of what follows the head
		err    error  // nil: the request is whole
	}{
		{"as said", pieces{data: []string{"hello"}}, 5, "hello", nil},
		{"end with the last piece", pieces{data: []string{"hello"}, join: true}, 5, "hello", nil},
		{"in pieces", pieces{data: []string{"", "he", "", "", "llo", ""}}, 5, "hello", nil},
		{"large", pieces{data: []string{large}}, int64(len(large)), large, nil},
		{"longer than said", pieces{data: []string{"hello, GET / HTTP/1.1"}}, 5, "hello", nil},
		{"longer, in pieces", pieces{data: []string{"hel", "lo, GET / HTTP/1.1\r\n\r\n"}}, 5, "hello", nil},
		{"shorter than said", pieces{data: []string{"hell"}}, 5, "hell", io.ErrUnexpectedEOF},
		{"shorter, end with the last piece", pieces{data: []string{"hell"}, join: true}, 5, "hell", io.ErrUnexpectedEOF},
		{"empty", pieces{}, 5, "", io.ErrUnexpectedEOF},
		{"fails", pieces{data: []string{"hel"}, err: errBody}, 5, "hel", errBody},
		{"fails with the last piece", pieces{data: []string{"hel"}, err: errBody, join: true}, 5, "hel", errBody},
		{"fails at once", pieces{err: errBody}, 5, "", errBody},
		{"chunks", pieces{data: []string{"hello", "", "you"}}, -1, "5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n", nil},
		{"chunks, end with the last piece", pieces{data: []string{"hello"}, join: true}, -1, "5\r\nhello\r\n0\r\n\r\n", nil},
		{"no chunk", pieces{}, -1, "0\r\n\r\n", nil},
		{"chunks that fail", pieces{data: []string{"hello"}, err: errBody}, -1, "5\r\nhello\r\n", errBody},
		{"chunks that fail with the last piece", pieces{data: []string{"hello"}, err: errBody, join: true}, -1, "5\r\nhello\r\n", errBody},
		{"chunks that fail at once", pieces{err: errBody}, -1, "", errBody},
		{"unknown length", pieces{data: []string{"hello"}}, 0, "5\r\nhello\r\n0\r\n\r\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, tr := newUpstream(t), newTransport(t)
			src := newSource(&tt.body)
			r := u.request("POST", "/", src)
			r.ContentLength = tt.length
			done := start(tr, r)
			p := u.accept()
			if tt.err != nil {
				got := p.rest()
				if _, sent, ok := strings.Cut(got, "\r\n\r\n"); got != "" && (!ok || sent != tt.want) {
					t.Errorf("upstream got %q, want %q behind the head", got, tt.want)
				}
				if got := wait(t, done); !errors.Is(got.err, tt.err) {
					t.Errorf("got %v, want %v", got.err, tt.err)
				}
			} else {
				p.head()
				p.read(tt.want)
				p.write(okAnswer)
				expect(t, done, 200, "ok")
				next := start(tr, u.request("GET", "/next", nil)) // nothing is between
				p.read("GET /next HTTP/1.1\r\n")
				p.serve(okAnswer)
				expect(t, next, 200, "ok")
			}
			wait(t, src.closed)
		})
	}
}

// NoBody is none.
func TestNoBody(t *testing.T) {
	u, tr := newUpstream(t), newTransport(t)
	r := u.request("GET", "/", nil)
	r.Body = http.NoBody
	done := start(tr, r)
	if head := u.accept().serve(okAnswer); strings.Contains(head, "Content-Length") || strings.Contains(head, "Transfer-Encoding") {
		t.Errorf("upstream got %q", head)
	}
	expect(t, done, 200, "ok")
}

// The head does not wait for the body: an upstream may answer it alone, and a
// browser may send nothing before that.
func TestHeadBeforeBody(t *testing.T) {
	for name, length := range map[string]int64{"length": 5, "chunks": -1} {
		t.Run(name, func(t *testing.T) {
			u, tr := newUpstream(t), newTransport(t)
			in, browser := io.Pipe()
			src := newSource(in)
			r := u.request("POST", "/", src)
			r.ContentLength = length
			done := start(tr, r)
			p := u.accept()
			p.head()
			p.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
			expect(t, done, 403, "no")
			_ = browser.Close()
			wait(t, src.closed)
			p.gone()
		})
	}
}

// An answer that comes while the body is still on its way is passed on, and ends
// the connection: what else of the body is under way must not begin a request.
func TestEarlyAnswer(t *testing.T) {
	for _, answer := range []string{emptyAnswer, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno"} {
		t.Run(answer[9:12], func(t *testing.T) {
			u, tr := newUpstream(t), newTransport(t)
			in, browser := io.Pipe()
			src := newSource(in)
			done := start(tr, u.request("POST", "/", src))
			go func() { _, _ = io.WriteString(browser, "hello") }()
			p := u.accept()
			p.head()
			p.read("5\r\nhello\r\n")
			p.write(answer)
			if got := wait(t, done); got.err != nil || got.cut != nil {
				t.Errorf("got %v, %v", got.err, got.cut)
			}
			p.gone() // no last chunk
			_, _ = io.WriteString(browser, "more")
			_ = browser.Close()
			wait(t, src.closed)
			next := start(tr, u.request("GET", "/", nil))
			u.accept().serve(okAnswer)
			expect(t, next, 200, "ok")
		})
	}
}

// An upstream that takes no more of the body may have said why: its answer is
// passed on though nothing can be sent any more.
func TestAnswerOfOneWhoStoppedReading(t *testing.T) {
	u, tr := newUpstream(t), newTransport(t)
	dialled := lastDialled(tr)
	in, browser := io.Pipe()
	src := newSource(in)
	done := start(tr, u.request("POST", "/", src))
	p := u.accept()
	p.head()
	_ = dialled.Load().CloseWrite()
	_, _ = io.WriteString(browser, "hello")
	wait(t, src.closed)
	p.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")
	expect(t, done, 413, "no")
	p.gone()
}

// The connection of an upload that ended as it should is used again, though the
// answer was read before the last write had returned.
func TestUploadEndsWithTheAnswer(t *testing.T) {
	u, tr := newUpstream(t), newTransport(t)
	slow := func() *http.Request {
		src := newSource(&pieces{data: []string{"hello"}})
		r := u.request("POST", "/", src)
		r.ContentLength = 5
		return r
	}
	var p *peer
	for range 50 {
		done := start(tr, slow())
		if p == nil {
			p = u.accept()
		}
		p.head()
		p.read("hello")
		p.write(emptyAnswer)
		expect(t, done, 200, "")
	}
	u.connections(1)
}
