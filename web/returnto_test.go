package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// returnTo is one value of return_to and the verdict on it, by hand: what the
// WHATWG URL parser makes of it at https://example.com, and whether any server
// or browser could see something else in it (A10).
var returnTo = []struct {
	value string
	good  bool
}{
	{"/", true}, {"/orders", true}, {"/orders/", true}, {"/orders?id=1&x=%2F", true}, {"/orders#top", true},
	{"/a/b/c.html?q=a/b//c", true}, {"/caf%C3%A9", true}, {"/a%20b", true}, {"/@alice", true}, {"/a:b", true},
	{"/x?next=https://evil.example/", true}, {"/x#//evil.example", true}, {"/...", true}, {"/.well-known/x", true},
	{"/bffx", true}, {"/a=b", true}, {"/" + strings.Repeat("a", 1023), true}, {"/docs/whoami", true},

	// Another origin, plainly.
	{"https://evil.example", false}, {"https://evil.example/", false}, {"http://example.com/", false},
	{"https://example.com/", false}, {"HTTPS://evil.example", false}, {"https:evil.example", false},
	{"https:/evil.example", false}, {"javascript:alert(1)", false}, {"JaVaScRiPt:alert(1)", false},
	{"data:text/html,x", false}, {"mailto:a@evil.example", false}, {"evil.example", false}, {"evil.example/x", false},
	{"@evil.example", false}, {":80", false}, {"?x=1", false}, {"#x", false}, {" ", false}, {".", false}, {"orders", false},
	// Protocol-relative, in all the ways that browsers read.
	{"//evil.example", false}, {"///evil.example", false}, {"////evil.example", false}, {"//evil.example/%2f..", false},
	{`/\evil.example`, false}, {`\/evil.example`, false}, {`\\evil.example`, false}, {`/\/evil.example`, false}, {`/\\evil.example`, false},
	{"//@evil.example", false}, {"//example.com@evil.example", false}, {"//evil.example:443", false}, {"//[::1]", false},
	// Browsers drop tab, CR and LF wherever they stand, and blanks at the ends.
	{"/\t/evil.example", false}, {"/\n/evil.example", false}, {"/\r/evil.example", false}, {"\t//evil.example", false},
	{"/\t\\evil.example", false}, {" //evil.example", false}, {"\x00//evil.example", false}, {"/x\r\nSet-Cookie: a=b", false},
	{"/orders ", false}, {"/orders\t", false}, {"/x?a=\n", false}, {"/\x01", false}, {"/\x7f", false},
	// Dot segments that end in an empty first segment.
	{"/.//evil.example", false}, {"/..//evil.example", false}, {"/x/..//evil.example", false}, {"/./", false}, {"/../x", false},
	{"/%2e//evil.example", false}, {"/%2e%2e//evil.example", false}, {"/.%2e/", false}, {"/x/%2E%2E/%2E%2E/", false},
	{`/./\evil.example`, false}, {`/..\evil.example`, false}, {"/a//evil.example", false},
	// Encoded once or twice, for servers that decode again.
	{"%2f%2fevil.example", false}, {"/%2fevil.example", false}, {"/%2F%2Fevil.example", false}, {"/%5cevil.example", false},
	{"/%5C%5Cevil.example", false}, {"/%09/evil.example", false}, {"/%0d%0aSet-Cookie:x", false}, {"/%00", false},
	{"/%252fevil.example", false}, {"/%25%32%66evil.example", false}, {"/%2", false}, {"/%zz", false}, {"/%u2215", false},
	// Letters that look like slashes, or become some.
	{"/∕evil.example", false}, {"/／evil.example", false}, {"／／evil.example", false}, {"/。evil.example", false},
	{"/\u2028/evil.example", false}, {"/\u00a0/evil.example", false}, {"\ufeff//evil.example", false},
	{"/%c0%afevil.example", false}, {"/%e0%80%af", false}, {"/%ff", false}, {"/\xff", false}, {"/é", false},
	// Parameters, brackets and the rest of what URLs don't have.
	{"/;//evil.example", false}, {"/x;y", false}, {"/<script>", false}, {`/"x"`, false}, {"/{x}", false}, {"/a|b", false},
	{"/x?a=\\", false}, {"/x#\\", false}, {"/[x]", false}, {"/^", false}, {"/`", false},
	// Our own endpoints: a loop.
	{"/bff", false}, {"/bff/login", false}, {"/bff/login?return_to=/bff/login", false}, {"/bff/logout", false},
	{"/bff/callback?code=x&state=y", false}, {"/bff/", false}, {"/%62ff/login", false}, {"/x/../bff/login", false},
	// Too long.
	{"/" + strings.Repeat("a", 1024), false}, {"/?" + strings.Repeat("a", 5000), false},
}

// Whatever return_to says, a sign-in ends on this origin (A10).
func TestReturnTo(t *testing.T) {
	if len(returnTo) < 110 {
		t.Fatalf("the corpus has %d values", len(returnTo))
	}
	s := newStand(t, options{})
	b := s.browser(t)
	self, _ := url.Parse(s.origin)
	for _, tt := range returnTo {
		t.Run(name(tt.value), func(t *testing.T) {
			b.TB = t
			query := "?return_to=" + url.QueryEscape(tt.value)
			if !tt.good {
				b.navigate(typed, "/bff/login"+query).problem(http.StatusBadRequest, "invalid_return_to").leads("")
				return
			}
			// prompt=none comes back without a page: not signed in.
			a := b.navigate(crossSite, b.approve(b.begin(query+"&prompt=none"), "").String())
			if strings.HasPrefix(tt.value, "/docs/") {
				if want := `<meta http-equiv="refresh" content="0;url=` + tt.value + `">`; !strings.Contains(a.want(200).body, want) {
					t.Errorf("the page does not lead to %s:\n%s", tt.value, a.body)
				}
				return
			}
			a.want(http.StatusSeeOther).leads(tt.value)
			if to, err := a.Location(); err != nil || to.Scheme != self.Scheme || to.Host != self.Host {
				t.Errorf("%q leads to %v (%v)", tt.value, to, err)
			}
		})
	}
}

// No return_to is the start page.
func TestReturnToMissing(t *testing.T) {
	s := newStand(t, options{})
	for _, query := range []string{"", "?return_to="} {
		s.browser(t).signIn("alice", query).want(http.StatusSeeOther).leads("/")
	}
}

// name makes a test's name of any text.
func name(text string) string {
	text = url.QueryEscape(text)
	return text[:min(len(text), 60)]
}
