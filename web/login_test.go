package web_test

import (
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/session/oidc"
	"github.com/cloakroom/cloakroom/web"
)

// The authorization request has exactly what the code flow with PKCE needs (A2,
// A3, A5, A11).
func TestLoginAuthorizationURL(t *testing.T) {
	s := newStand(t, options{client: func(c *oidc.Config) { c.Params = map[string]string{"audience": "x"} }})
	b := s.browser(t)
	at := b.begin("?return_to=/orders")
	random := regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
	q := at.Query()
	for name, want := range map[string]string{
		"response_type": "code", "client_id": clientID, "redirect_uri": "https://example.com/bff/callback",
		"scope": "openid profile email", "code_challenge_method": "S256", "audience": "x",
		"state": "43", "nonce": "43", "code_challenge": "43",
	} {
		got := q.Get(name)
		if len(q[name]) != 1 || want == "43" && !random.MatchString(got) || want != "43" && got != want {
			t.Errorf("%s = %q, want %q (43: so many random characters)", name, q[name], want)
		}
		q.Del(name)
	}
	if len(q) != 0 {
		t.Errorf("the request has also %v", q)
	}
	if got := at.Scheme + "://" + at.Host + at.Path; got != s.providers[0].URL+"/authorize" {
		t.Errorf("it goes to %s", got)
	}
	again := b.begin("").Query()
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if again.Get(name) == at.Query().Get(name) {
			t.Errorf("%s is the same in the next request", name)
		}
	}
}

// What a sign-in may ask for goes to the provider; what it may not is refused
// before anything is set.
func TestLoginParameters(t *testing.T) {
	s := newStand(t, options{})
	long := strings.Repeat("x", 300)
	tests := []struct {
		name, query string
		want        string // of the authorization URL's query; empty: refused
		code        string // of the problem
	}{
		{"prompt", "prompt=login", "prompt=login", ""},
		{"two prompts", "prompt=login+consent", "prompt=login+consent", ""},
		{"hint", "login_hint=alice%40example.com", "login_hint=alice%40example.com", ""},
		{"acr", "acr_values=urn%3Ahigh", "acr_values=urn%3Ahigh", ""},
		{"age", "max_age=0", "max_age=0", ""},
		{"locales", "ui_locales=de-CH+fr", "ui_locales=de-CH+fr", ""},
		{"not ours to pass on", "foo=bar&scope=admin&client_id=evil&redirect_uri=https://evil.example", "client_id=spa", ""},
		{"third party", "iss=PROVIDER&login_hint=bob&target_link_uri=https://example.com/inbox", "login_hint=bob", ""},

		{"unknown prompt", "prompt=dance", "", "invalid_parameter"},
		{"none and more", "prompt=none+login", "", "invalid_parameter"},
		{"long hint", "login_hint=" + long, "", "invalid_parameter"},
		{"hint with a line", "login_hint=a%0d%0ab", "", "invalid_parameter"},
		{"long acr", "acr_values=" + long, "", "invalid_parameter"},
		{"negative age", "max_age=-1", "", "invalid_parameter"},
		{"age in words", "max_age=old", "", "invalid_parameter"},
		{"endless age", "max_age=99999999999999999999", "", "invalid_parameter"},
		{"empty age", "max_age=", "", "invalid_parameter"},
		{"twice", "prompt=login&prompt=none", "", "invalid_parameter"},
		{"twice, return_to", "return_to=/a&return_to=/b", "", "invalid_parameter"},
		{"broken escape", "prompt=%zz", "", "invalid_parameter"},
		{"semicolon", "prompt=login;x=y", "", "invalid_parameter"},
		{"unknown provider", "provider=other", "", "unknown_provider"},
		{"unknown issuer", "iss=https://evil.example", "", "unknown_provider"},
		{"target elsewhere", "iss=PROVIDER&target_link_uri=https://evil.example/", "", "invalid_return_to"},
		{"target of a longer host", "target_link_uri=https://example.com.evil.example/", "", "invalid_return_to"},
		{"target with userinfo", "target_link_uri=https://example.com@evil.example/", "", "invalid_return_to"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := s.browser(t)
			query := strings.ReplaceAll(tt.query, "PROVIDER", url.QueryEscape(s.providers[0].URL))
			a := b.navigate(typed, "/bff/login?"+query)
			if tt.want == "" {
				a.problem(http.StatusBadRequest, tt.code).leads("")
				if n, _ := b.loginCookies(); n != 0 {
					t.Errorf("a refused sign-in set %d cookies", n)
				}
				return
			}
			a.want(http.StatusFound)
			if got := a.Header.Get("Location"); !strings.Contains(got, "&"+tt.want+"&") && !strings.HasSuffix(got, tt.want) &&
				!strings.Contains(got, "?"+tt.want+"&") {
				t.Errorf("authorization URL %s has no %s", got, tt.want)
			}
			if strings.Contains(a.Header.Get("Location"), "evil") {
				t.Errorf("authorization URL %s has what the asker chose", a.Header.Get("Location"))
			}
		})
	}
}

// Only a navigation starts a sign-in, and only from a site that may (A9).
func TestLoginIsNavigation(t *testing.T) {
	type header = []string
	image := header{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}
	tests := []struct {
		name string
		from web.LoginFrom
		site string
		head header
		code string // "": allowed
	}{
		{"typed", "any", typed, nil, ""},
		{"link of another site", "any", crossSite, nil, ""},
		{"link of a sibling", "any", sameSite, nil, ""},
		{"our own link", "any", ourOrigin, nil, ""},
		{"through a service worker", "any", ourOrigin, header{"Sec-Fetch-Dest", "empty"}, ""},
		{"typed, same-site only", "same-site", typed, nil, ""},
		{"sibling, same-site only", "same-site", sameSite, nil, ""},
		{"our own, same-site only", "same-site", ourOrigin, nil, ""},
		{"another site, same-site only", "same-site", crossSite, nil, "cross_site"},
		{"typed, same-origin only", "same-origin", typed, nil, ""},
		{"our own, same-origin only", "same-origin", ourOrigin, nil, ""},
		{"sibling, same-origin only", "same-origin", sameSite, nil, "cross_site"},
		{"another site, same-origin only", "same-origin", crossSite, nil, "cross_site"},
		{"image", "any", crossSite, image, "not_a_navigation"},
		{"our own image", "any", ourOrigin, image, "not_a_navigation"},
		{"iframe", "any", crossSite, header{"Sec-Fetch-Dest", "iframe"}, "not_a_navigation"},
		{"our own iframe", "any", ourOrigin, header{"Sec-Fetch-Dest", "iframe"}, "not_a_navigation"},
		{"embed", "any", crossSite, header{"Sec-Fetch-Dest", "embed"}, "not_a_navigation"},
		{"fetch", "any", ourOrigin, header{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, "not_a_navigation"},
		{"fetch of another site", "any", crossSite, header{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "empty"}, "not_a_navigation"},
		{"mode missing", "any", ourOrigin, header{"Sec-Fetch-Mode", ""}, "not_a_navigation"},
		{"prefetch", "any", ourOrigin, header{"Sec-Purpose", "prefetch"}, "prefetch_refused"},
		{"prerender", "any", ourOrigin, header{"Sec-Purpose", "prefetch;prerender"}, "prefetch_refused"},
		{"old prefetch", "any", ourOrigin, header{"Purpose", "prefetch"}, "prefetch_refused"},
	}
	stands := map[web.LoginFrom]*stand{}
	for _, tt := range tests {
		if stands[tt.from] == nil {
			stands[tt.from] = newStand(t, options{web: func(c *web.Config) { c.LoginFrom = tt.from }})
		}
		t.Run(tt.name, func(t *testing.T) {
			b := stands[tt.from].browser(t)
			a := b.navigate(tt.site, "/bff/login", tt.head...)
			if tt.code == "" && tt.site == crossSite {
				// Its Strict cookie may have been held back: it comes again from here.
				if a.want(http.StatusOK); !strings.Contains(a.body, `content="0;url=/bff/login"`) || len(b.jar()) != 0 {
					t.Errorf("not sent through a page of ours:\n%s", a.body)
				}
				a = b.navigate(ourOrigin, "/bff/login", tt.head...)
			}
			if tt.code == "" {
				a.want(http.StatusFound)
				return
			}
			a.problem(http.StatusForbidden, tt.code).leads("")
			if n := len(b.jar()); n != 0 {
				t.Errorf("a refused sign-in set %d cookies", n)
			}
		})
	}
}

// A link of another site hides the Strict ticket, and yet the session before
// ends (B10). With a Lax ticket nothing is hidden, and no page is between.
func TestLoginByForeignLink(t *testing.T) {
	for _, lax := range []bool{false, true} {
		s := newStand(t, options{web: func(c *web.Config) { c.Cookie.Lax = lax }})
		b := s.signedIn(t, "alice")
		old, hidden := s.browser(t), s.browser(t) // the latter as the other site's link makes the browser look
		old.hold("__Host-session", b.cookie("session"))
		a := hidden.navigate(crossSite, "/bff/login?prompt=login")
		if lax {
			a.want(http.StatusFound)
			continue
		}
		if a.want(http.StatusOK); !strings.Contains(a.body, `content="0;url=/bff/login?prompt=login"`) {
			t.Fatalf("no way back to here:\n%s", a.body)
		}
		location := b.navigate(ourOrigin, "/bff/login?prompt=login").want(http.StatusFound).Header.Get("Location")
		at, err := url.Parse(location)
		if err != nil {
			t.Fatal(err)
		}
		b.navigate(crossSite, b.approve(at, "bob").String()).want(http.StatusSeeOther)
		if old.user() != "" || b.user() != "u-1002" {
			t.Error("alice's session outlives bob's sign-in over it")
		}
	}
}

// A browser without Fetch Metadata can sign in too.
func TestLoginOfAnOldBrowser(t *testing.T) {
	s := newStand(t, options{})
	b := s.browser(t)
	b.do(b.request("GET", "/bff/login", "Accept", "text/html")).want(http.StatusFound)
}

// HEAD and POST start nothing.
func TestLoginMethod(t *testing.T) {
	s := newStand(t, options{})
	for _, method := range []string{"HEAD", "POST", "PUT", "DELETE"} {
		b := s.browser(t)
		a := b.do(b.request(method, "/bff/login", "Sec-Fetch-Site", ourOrigin, "Sec-Fetch-Mode", "navigate"))
		a.want(http.StatusMethodNotAllowed).leads("")
		if n := len(b.jar()); n != 0 {
			t.Errorf("%s set %d cookies", method, n)
		}
	}
}

// The redirect URI is configuration: no header changes it (A11, G15).
func TestLoginHost(t *testing.T) {
	s := newStand(t, options{})
	b := s.browser(t)
	for _, header := range []string{"X-Forwarded-Host", "X-Forwarded-Server", "X-Original-Host", "X-Host", "Forwarded"} {
		value := "evil.example"
		if header == "Forwarded" {
			value = "host=evil.example;proto=http"
		}
		a := b.navigate(typed, "/bff/login", header, value, "X-Forwarded-Proto", "http", "X-Forwarded-Port", "81")
		a.want(http.StatusFound)
		u, _ := a.Location()
		if got := u.Query().Get("redirect_uri"); got != "https://example.com/bff/callback" {
			t.Errorf("with %s the redirect URI is %s", header, got)
		}
	}
	for _, host := range []string{
		"evil.example", "example.com.evil.example", "example.com:444", "example.com.", "localhost", "127.0.0.1",
		"xexample.com", "www.example.com",
	} {
		r := b.request("GET", "/bff/login", "Sec-Fetch-Site", typed, "Sec-Fetch-Mode", "navigate")
		r.Host = host
		b.do(r).problem(http.StatusMisdirectedRequest, "wrong_host").leads("")
	}
	for _, host := range []string{"example.com", "EXAMPLE.com", "example.com:443"} {
		r := b.request("GET", "/bff/login")
		r.Host = host
		b.do(r).want(http.StatusFound)
	}
}

// A flood of sign-ins writes nothing (A8).
func TestLoginWritesNothing(t *testing.T) {
	s := newStand(t, options{})
	b := s.browser(t)
	b.hc.Jar = nil
	b.navigate(typed, "/bff/login").want(http.StatusFound)
	before, err := os.Stat(s.path)
	if err != nil {
		t.Fatal(err)
	}
	for range 2000 {
		b.navigate(typed, "/bff/login?return_to=/x").want(http.StatusFound)
	}
	after, err := os.Stat(s.path)
	if err != nil {
		t.Fatal(err)
	}
	if before.Size() != after.Size() || !before.ModTime().Equal(after.ModTime()) {
		t.Errorf("the store grew from %d bytes at %v to %d at %v", before.Size(), before.ModTime(), after.Size(), after.ModTime())
	}
}
