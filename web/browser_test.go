package web_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// browser sends what Chromium sends: Fetch Metadata, Origin where it is due, and
// cookies from a jar. Unlike a real one it sends Strict cookies on cross-site
// navigations too, unless strict is set.
type browser struct {
	testing.TB
	s   *stand
	hc  *http.Client
	idp *http.Client // the same person's cookies at the providers
}

// The values of Sec-Fetch-Site.
const (
	typed     = "none"
	sameSite  = "same-site"
	ourOrigin = "same-origin"
	crossSite = "cross-site"
)

func (s *stand) browser(t testing.TB) *browser {
	jar, _ := cookiejar.New(nil) // never fails without options
	idpJar, _ := cookiejar.New(nil)
	transport := s.Client().Transport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, s.Listener.Addr().String())
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{
		TB: t, s: s, idp: &http.Client{Jar: idpJar},
		hc: &http.Client{Transport: transport, Jar: jar, Timeout: 30 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

// answer is a response with its body read.
type answer struct {
	*http.Response
	testing.TB
	body string
}

// idTokenHint is the one place where a token may stand (design, section 4).
var idTokenHint = regexp.MustCompile(`id_token_hint=[^&"\s\\]+`)

func (b *browser) do(r *http.Request) *answer {
	b.Helper()
	res, err := b.hc.Do(r)
	if err != nil {
		b.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	head, _ := httputil.DumpResponse(res, false)
	_, _ = b.s.seen.Write(idTokenHint.ReplaceAll(append(head, body...), []byte("id_token_hint=")))
	return &answer{res, b.TB, string(body)}
}

// text is the body without the style of our pages.
func (a *answer) text() string { return styles.ReplaceAllString(a.body, "") }

var styles = regexp.MustCompile(`(?s)<style.*</style>`)

// request makes a request for a path of ours, or for an absolute URL. The
// headers come in pairs; an empty value takes one away.
func (b *browser) request(method, target string, headers ...string) *http.Request {
	b.Helper()
	if strings.HasPrefix(target, "/") {
		target = b.s.origin + target
	}
	r, err := http.NewRequest(method, target, nil)
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// navigate opens an address as a page, coming from site.
func (b *browser) navigate(site, target string, headers ...string) *answer {
	b.Helper()
	return b.do(b.request("GET", target, append([]string{
		"Accept", "text/html,application/xhtml+xml,*/*;q=0.8", "Sec-Fetch-Site", site, "Sec-Fetch-Mode", "navigate",
		"Sec-Fetch-Dest", "document", "Sec-Fetch-User", "?1",
	}, headers...)...))
}

// fetch calls a path as one of our pages does.
func (b *browser) fetch(method, target string, headers ...string) *answer {
	b.Helper()
	usual := []string{"Accept", "*/*", "Sec-Fetch-Site", ourOrigin, "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}
	if method != "GET" && method != "HEAD" {
		usual = append(usual, "Origin", b.s.origin)
	}
	return b.do(b.request(method, target, append(usual, headers...)...))
}

// begin starts a sign-in and returns the authorization URL.
func (b *browser) begin(query string) *url.URL {
	b.Helper()
	a := b.navigate(ourOrigin, "/bff/login"+query)
	a.want(http.StatusFound)
	u, err := a.Location()
	if err != nil {
		b.Fatal(err)
	}
	return u
}

// approve signs user in at the provider and returns the callback URL.
func (b *browser) approve(at *url.URL, user string) *url.URL {
	b.Helper()
	for _, p := range b.s.providers {
		if strings.HasPrefix(at.String(), p.URL+"/") {
			callback, err := p.SignIn(b.idp, at.String(), user)
			if err != nil {
				b.Fatal(err)
			}
			return callback
		}
	}
	b.Fatalf("%s is at no provider", at)
	return nil
}

// signIn goes through a whole sign-in and returns the answer to the callback.
func (b *browser) signIn(user, query string) *answer {
	b.Helper()
	callback := b.approve(b.begin(query), user)
	return b.navigate(crossSite, callback.String())
}

// signedIn returns a new browser with a session.
func (s *stand) signedIn(t testing.TB, user string) *browser {
	t.Helper()
	b := s.browser(t)
	b.signIn(user, "").want(http.StatusSeeOther)
	if b.cookie("session") == "" {
		t.Fatalf("signing in as %s set no session cookie", user)
	}
	return b
}

// prefix is what our cookies' names begin with.
func (s *stand) prefix() string {
	if strings.HasPrefix(s.origin, "https:") {
		return "__Host-"
	}
	return "cloakroom-"
}

// jar returns the cookies that the browser holds for us.
func (b *browser) jar() []*http.Cookie {
	u, _ := url.Parse(b.s.origin)
	return b.hc.Jar.Cookies(u)
}

// cookie returns the value of one of our cookies, "" if there is none.
func (b *browser) cookie(name string) string {
	for _, c := range b.jar() {
		if c.Name == b.s.prefix()+name {
			return c.Value
		}
	}
	return ""
}

// hold puts a cookie into the browser.
func (b *browser) hold(name, value string) {
	u, _ := url.Parse(b.s.origin)
	b.hc.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/", Secure: u.Scheme == "https"}})
}

// loginCookies counts the sign-ins under way, and their size.
func (b *browser) loginCookies() (count, size int) {
	for _, c := range b.jar() {
		if strings.HasPrefix(c.Name, b.s.prefix()+"login-") {
			count++
			size += len(c.Name) + len(c.Value)
		}
	}
	return count, size
}

// user returns the sub that /bff/user names, "" when signed out.
func (b *browser) user() string {
	b.Helper()
	a := b.fetch("GET", "/bff/user")
	if a.StatusCode == http.StatusUnauthorized {
		return ""
	}
	a.want(http.StatusOK)
	sub, _ := a.json()["sub"].(string)
	return sub
}

// want fails the test unless the status is the given one.
func (a *answer) want(status int) *answer {
	a.Helper()
	if a.StatusCode != status {
		a.Fatalf("%s %s = %d, want %d\n%s", a.Request.Method, a.Request.URL, a.StatusCode, status, a.text())
	}
	return a
}

// leads fails the test unless the answer redirects to location.
func (a *answer) leads(location string) *answer {
	a.Helper()
	if got := a.Header.Get("Location"); got != location {
		a.Errorf("%s %s leads to %q, want %q", a.Request.Method, a.Request.URL, got, location)
	}
	return a
}

// json returns the body as an object.
func (a *answer) json() map[string]any {
	a.Helper()
	var body map[string]any
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		a.Fatalf("%s %s: %v in %q", a.Request.Method, a.Request.URL, err, a.body)
	}
	return body
}

// problem fails the test unless the answer is this problem, as JSON or as a page.
func (a *answer) problem(status int, code string) *answer {
	a.Helper()
	got := ""
	if strings.HasPrefix(a.Header.Get("Content-Type"), "application/problem+json") {
		got, _ = a.json()["code"].(string)
	} else if m := regexp.MustCompile(`<dd class="code">([a-z_]+)</dd></div>\s*<div><dt>[^<]+</dt><dd class="reference">`).FindStringSubmatch(a.body); m != nil {
		got = m[1]
	}
	if a.StatusCode != status || got != code {
		a.Errorf("%s %s = %d %q, want %d %q", a.Request.Method, a.Request.URL, a.StatusCode, got, status, code)
	}
	return a
}

// set returns the cookie that the answer sets, nil if it does not.
func (a *answer) set(name string) *http.Cookie {
	for _, c := range a.Cookies() {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// plainServer is an upstream for what the demo API does not do.
func plainServer(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

// stateOf returns the state in a URL's query.
func stateOf(t testing.TB, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("state")
}

func parse(raw string) *url.URL {
	u, err := url.Parse(raw)
	if err != nil {
		panic(err)
	}
	return u
}
