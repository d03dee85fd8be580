package proxy

import (
	"net/http"
	"strings"
	"testing"
)

// Whatever an API writes into a challenge, what is passed on is one challenge
// of ours.
func FuzzChallenges(f *testing.F) {
	for _, seed := range []string{
		`Bearer error="invalid_token"`, `Basic realm="a, Bearer error=x"`, `Negotiate abc==, Bearer error=x , scope = "a b"`,
		`Bearer error="a\"b"`, `Bearer error="`, `,,,`, `=`, `a=b`, `Bearer  error`, `Bearer =`, "Bearer error=\"\xff\"", `A b=c, D e="f`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		got := harmless(&http.Response{StatusCode: 401, Header: http.Header{"Www-Authenticate": {field}}})
		back := parseChallenges(got)
		if len(back) != 1 || back[0].scheme != "Upstream" || strings.ContainsAny(got, "\r\n") {
			t.Errorf("%q was passed on as %q", field, got)
		}
	})
}

// Frames end where they end, however the bytes are cut.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x81\x02hi"), 1)
	f.Add([]byte("\x81\x7e\x00\x80"+strings.Repeat("x", 128)+"\x89\x00"), 3)
	f.Add([]byte("\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x01x\x88\x00"), 5)
	f.Add([]byte("\x81\x82maskhi"), 4)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		var whole, parts frames
		whole.add(data)
		for rest := data; len(rest) > 0; {
			n := min(max(cut, 1), len(rest))
			parts.add(rest[:n])
			rest = rest[n:]
		}
		if whole != parts {
			t.Errorf("got %+v in pieces, %+v at once", parts, whole)
		}
	})
}

func TestFrames(t *testing.T) {
	tests := []struct {
		name, data string
		want       bool // whether a frame may follow
	}{
		{"nothing", "", true},
		{"half a head", "\x81", false},
		{"short", "\x81\x02hi", true},
		{"short, incomplete", "\x81\x02h", false},
		{"empty", "\x89\x00", true},
		{"medium head", "\x81\x7e\x00", false},
		{"medium", "\x81\x7e\x00\x7e" + strings.Repeat("x", 126), true},
		{"large", "\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x01x", true},
		{"masked", "\x81\x81maskx", true},
		{"masked, incomplete", "\x81\x81mask", false},
		{"between fragments", "\x01\x01x", true},
		{"after a close", "\x88\x00", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var f frames
			f.add([]byte(tt.data))
			if got := f.between(); got != tt.want {
				t.Errorf("between = %v, want %v", got, tt.want)
			}
		})
	}
}
