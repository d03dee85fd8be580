package proxy

import (
	"cmp"
	"net/http"
	"net/url"
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

// A port that is the scheme's own may be written or not, by the operator and by the
// upstream: a redirect to itself stays on the route, and names no inner host (G13).
func TestLocationWithDefaultPort(t *testing.T) {
	for _, tt := range []struct{ upstream, host, location, want string }{
		{"http://api.internal:80", "", "http://api.internal/api/y", "/api/y"},
		{"http://api.internal", "", "http://API.internal:80/api/y", "/api/y"},
		{"https://api.internal:443", "", "https://api.internal/api/y", "/api/y"},
		{"https://api.internal", "", "https://api.internal:443/api/y", "/api/y"},
		{"https://api.internal:8443", "app.example.com:443", "https://app.example.com/api/y", "/api/y"},
		{"http://api.internal:443", "", "http://api.internal/api/y", "http://api.internal/api/y"},
		{"http://api.internal", "", "https://api.internal/api/y", "https://api.internal/api/y"},
		{"http://api.internal:8080", "", "http://api.internal:80/api/y", "http://api.internal:80/api/y"},
	} {
		u, err := url.Parse(tt.upstream)
		if err != nil {
			t.Fatal(err)
		}
		rt := &route{Config: Config{Path: "/api", Upstream: u}, path: "/api", host: cmp.Or(tt.host, u.Host)}
		from := &url.URL{Scheme: u.Scheme, Host: u.Host, Opaque: "/api/x"}
		if got := rt.location(from, tt.location); got != tt.want {
			t.Errorf("%s with the host %s, Location %s: got %q, want %q", tt.upstream, rt.host, tt.location, got, tt.want)
		}
	}
}
