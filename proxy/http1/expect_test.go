package http1_test

import (
	"strings"
	"testing"
	"time"
)

// A body that an upstream is asked about first is sent when it says so, or says
// nothing for long; never after its answer (RFC 9110 section 10.1.1).
func TestExpectContinue(t *testing.T) {
	const no = "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\n" // "no" comes later
	tests := []struct {
		name, said string
		patient    bool // else nothing said is leave
		sent       bool
	}{
		{"100", "HTTP/1.1 100 Continue\r\n\r\n", true, true},
		{"several 100s", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 3), true, true},
		{"103 and 100", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n", true, true},
		{"nothing", "", false, true},
		{"102 only", "HTTP/1.1 102 Processing\r\n\r\n", false, true},
		{"417", no, true, false},
		{"103 and 417", "HTTP/1.1 103 Early Hints\r\n\r\n" + no, true, false},
	}
	for _, tt := range tests {
		for name, length := range map[string]int64{"length": 5, "chunks": -1} {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				u, tr := newUpstream(t), newTransport(t)
				if !tt.patient {
					tr.ContinueTimeout = time.Millisecond
				}
				src := newSource(strings.NewReader("hello"))
				r := u.request("POST", "/", src)
				r.ContentLength = length
				r.Header.Set("Expect", "100-continue")
				done := start(tr, r)
				p := u.accept()
				if head := p.head(); !strings.Contains(head, "\r\nExpect: 100-continue\r\n") {
					t.Errorf("upstream got %q", head)
				}
				if n := src.reads.Load(); tt.patient && n != 0 {
					t.Error("the body was read unasked")
				}
				p.write(tt.said)
				if tt.sent {
					p.read(map[string]string{"length": "hello", "chunks": "5\r\nhello\r\n0\r\n\r\n"}[name])
					p.write(okAnswer)
					expect(t, done, 200, "ok")
					tr.CloseIdleConnections()
					p.gone()
					wait(t, src.closed)
					return
				}
				wait(t, src.closed) // before the answer is whole
				p.write("no")
				expect(t, done, 417, "no")
				p.gone()
				if n := src.reads.Load(); n != 0 {
					t.Error("the body was read unasked")
				}
			})
		}
	}
}

// The answer to a body that was asked for leaves the connection to others.
func TestExpectContinueReuse(t *testing.T) {
	u, tr := newUpstream(t), newTransport(t)
	var p *peer
	for range 3 {
		r := u.request("POST", "/", "hello")
		r.Header.Set("Expect", "100-continue")
		done := start(tr, r)
		if p == nil {
			p = u.accept()
		}
		p.serve("HTTP/1.1 100 Continue\r\n\r\n")
		p.read("hello")
		p.write(okAnswer)
		expect(t, done, 200, "ok")
	}
	u.connections(1)
}

// An upstream that hangs up instead of an answer gets no body either.
func TestExpectContinueBroken(t *testing.T) {
	u, tr := newUpstream(t), newTransport(t)
	src := newSource(strings.NewReader("hello"))
	r := u.request("POST", "/", src)
	r.Header.Set("Expect", "100-continue")
	done := start(tr, r)
	p := u.accept()
	p.head()
	_ = p.CloseWrite()
	if got := wait(t, done); got.err == nil {
		t.Error("it was answered")
	}
	p.gone()
	wait(t, src.closed)
	if n := src.reads.Load(); n != 0 {
		t.Error("the body was read unasked")
	}
}
