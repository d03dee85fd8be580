package web_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/session"
)

// targets is the strict path corpus (G1, G3): request targets as they stand in
// the request line, and whether they are forwarded.
var targets = []struct {
	target string
	good   bool
}{
	{"/", true}, {"/a", true}, {"/a/", true}, {"/a/b/c", true}, {"/a.b/c..d", true}, {"/...", true}, {"/.a/..b", true},
	{"/a?b", true}, {"/a?", true}, {"/a?b=/../c//d;e&%2f%2e%00", true}, {"/a?b?c", true}, {"/a/?", true},
	{"/a-b_c~d.e", true}, {"/!$&'()*+,=:@", true}, {"/@b", true}, {"/a:80/", true}, {"/:", true}, {"/a=b&c=d", true},
	{"/a%20b", true}, {"/caf%C3%A9", true}, {"/caf%c3%a9", true}, {"/%E2%82%AC", true}, {"/%F0%9F%98%80", true},
	{"/a%22b", true}, {"/a%3Bb", true}, {"/a%3Fb", true}, {"/a%23b", true}, {"/a%26b", true}, {"/a%3Cb%3E", true}, {"/a%7Bb%7D", true},
	{"/%EF%BC%8F", true}, {"/a%40b", true}, {"/a%5Bb%5D", true},

	{"//", false}, {"//a", false}, {"///a", false}, {"/a//b", false}, {"/a//", false}, {"//evil.example/a", false},
	{"/.", false}, {"/..", false}, {"/./", false}, {"/../", false}, {"/a/.", false}, {"/a/..", false}, {"/a/./b", false}, {"/a/../b", false},
	{"/../../etc/passwd", false}, {"/a/..;/b", false}, {"/..;/b", false}, {"/a;b", false}, {"/a;", false}, {"/;", false}, {"/a;b=c/d", false},
	{"/%2e", false}, {"/%2E", false}, {"/%2e%2e", false}, {"/%2E%2e/", false}, {"/.%2e/", false}, {"/%2e./", false}, {"/a/%2e%2e/b", false},
	{"/%2f", false}, {"/%2F", false}, {"/a%2fb", false}, {"/a%2Fb", false}, {"/a/%2f/b", false}, {"/%2f%2fevil.example", false},
	{`/\`, false}, {`/a\b`, false}, {`/..\a`, false}, {"/%5c", false}, {"/%5C", false}, {"/a%5cb", false}, {"/%5c%5cevil.example", false},
	{"/%00", false}, {"/a%00b", false}, {"/%01", false}, {"/%09", false}, {"/%0a", false}, {"/%0d%0a", false}, {"/%1f", false}, {"/%7f", false},
	{"/%25", false}, {"/%252e", false}, {"/%252f", false}, {"/%2525", false},
	{"/%41", false}, {"/%61", false}, {"/%7e", false}, {"/%7E", false}, {"/%2d", false}, {"/%5f", false}, {"/%30", false}, {"/%70i", false},
	{"/%", false}, {"/%2", false}, {"/%zz", false}, {"/%u002e", false}, {"/a%", false}, {"/%g0", false}, {"/%-1", false},
	{"/%c0%af", false}, {"/%c0%ae", false}, {"/%e0%80%af", false}, {"/%f0%80%80%af", false}, {"/%c1%1c", false}, {"/%ff", false}, {"/%80", false},
	{"/%ed%a0%80", false}, {"/%C3", false}, {"/%C3/%A9", false},
	{"/a#b", false}, {"/#", false}, {"/a?b#c", false}, {"/\xff", false}, {"/é", false}, {"/／", false}, {"/a?é", false}, {"/a?\x7f", false}, {"/a\tb", false},
	{"/a\x00b", false}, {"/a\x0bb", false}, {`/"a"`, false}, {"/<a>", false}, {"/a|b", false}, {"/a^b", false}, {"/a`b", false}, {"/{a}", false}, {"/[a]", false},
	{"a", false}, {"a/b", false}, {"", false}, {"?a", false}, {".", false}, {"..", false}, {"*", false}, {"evil.example:443", false}, {"http:", false},
	{"http:/a", false}, {"http://", false}, {"http://HOST", false}, {"http://HOST?a", false}, {"http://HOST//a", false}, {"http://HOST/../a", false},
	{"http://HOST/a/%2e%2e/b", false}, {"http://evil.example/a", false}, {"http://evil.example@HOST/a", false}, {"http://HOST@evil.example/a", false},
	{"http://HOST/a", true}, {"http://HOST/a?b=c", true},
}

// raw sends one request line, as it is, and returns the answer's status; 0 for a
// connection that was cut.
func (s *stand) raw(t *testing.T, line string, headers ...string) *http.Response {
	t.Helper()
	c, err := net.DialTimeout("tcp", s.Listener.Addr().String(), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	host := strings.TrimPrefix(s.origin, "http://")
	_, _ = fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n", line, host, strings.Join(append(headers, ""), "\r\n"))
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	_ = res.Body.Close()
	return res
}

// Every target is refused or forwarded byte for byte (G1, G3).
func TestTarget(t *testing.T) {
	if len(targets) < 130 {
		t.Fatalf("the corpus has %d targets", len(targets))
	}
	s := newStand(t, options{plain: true, routes: func(usual []proxy.Config) []proxy.Config {
		return []proxy.Config{{Path: "/", Upstream: usual[0].Upstream, Token: proxy.TokenNone, Demand: session.Demand{Auth: session.AuthNone}}}
	}})
	s.api.Handle("/", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	host := strings.TrimPrefix(s.origin, "http://")
	for _, tt := range targets {
		t.Run(name(tt.target), func(t *testing.T) {
			before := len(s.api.Requests())
			target := strings.ReplaceAll(tt.target, "HOST", host)
			res := s.raw(t, "GET "+target)
			reached := s.api.Requests()[before:]
			if !tt.good {
				if res.StatusCode != http.StatusBadRequest && res.StatusCode != http.StatusMisdirectedRequest || len(reached) != 0 {
					t.Errorf("GET %q = %d, reached the upstream %d times", target, res.StatusCode, len(reached))
				}
				return
			}
			want := strings.TrimPrefix(target, "http://"+host)
			if res.StatusCode != http.StatusOK || len(reached) != 1 || reached[0].URI != want {
				t.Errorf("GET %q = %d, forwarded %v", target, res.StatusCode, reached)
			}
		})
	}
}

// Other requests than for a path have no way through either (G1, G2).
func TestTargetMethods(t *testing.T) {
	s := newStand(t, options{plain: true})
	host := strings.TrimPrefix(s.origin, "http://")
	for _, line := range []string{
		"CONNECT evil.example:443", "CONNECT " + host, "CONNECT /open/x", "OPTIONS *", "GET *", "TRACE /open/x", "TRACK /open/x", "FOO /open/x",
		"get /open/x", "Get /open/x", "PRI *", "GET http://evil.example/open/x", "POST https://evil.example/",
	} {
		res := s.raw(t, line)
		if res.StatusCode < 400 {
			t.Errorf("%q = %d", line, res.StatusCode)
		}
	}
	if n := len(s.api.Requests()); n != 0 {
		t.Errorf("%d requests reached the API", n)
	}
}

// A prefix ends where a segment does, and nothing leads out of one (G3).
func TestTargetPrefixes(t *testing.T) {
	s := newStand(t, options{plain: true})
	for target, want := range map[string]string{
		"/open/public/a": "/public/a", "/open/": "/", "/open": "/",
	} {
		before := len(s.api.Requests())
		s.raw(t, "GET "+target)
		if got := s.api.Requests()[before:]; len(got) != 1 || got[0].URI != want {
			t.Errorf("GET %s is forwarded as %v, want %s", target, got, want)
		}
	}
	before := len(s.api.Requests())
	for _, target := range []string{"/openx", "/OPEN/public/a", "/open.", "/open%20/a", "/open:/a", "/xopen/a", "/bff/open/a", "/apix/whoami"} {
		s.raw(t, "GET "+target)
	}
	if got := s.api.Requests()[before:]; len(got) != 0 {
		t.Errorf("forwarded %v", got)
	}
	// What the base path holds is ours, though a route may cover it.
	for _, target := range []string{"/bff", "/bff/", "/bff/x", "/bff/login/x", "/bff/user/", "/bff/..x"} {
		if res := s.raw(t, "GET "+target, "X-CSRF: 1"); res.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s = %d, want 404", target, res.StatusCode)
		}
	}
}
