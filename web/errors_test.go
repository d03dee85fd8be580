package web_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/session"
)

// scene is a request that is refused, once with a problem and once as a page.
type scene struct {
	name   string
	status int
	code   string
	do     func(b *browser) *answer
}

func scenes() []scene {
	call := func(method, path string, headers ...string) func(*browser) *answer {
		return func(b *browser) *answer { return b.fetch(method, path, headers...) }
	}
	open := func(path string, headers ...string) func(*browser) *answer {
		return func(b *browser) *answer { return b.navigate(ourOrigin, path, headers...) }
	}
	fault := func(f demo.Fault, then func(*browser) *answer) func(*browser) *answer {
		return func(b *browser) *answer {
			b.s.providers[0].FailNext("code", f)
			return then(b)
		}
	}
	signIn := func(b *browser) *answer { return b.signIn("alice", "") }
	return []scene{
		{"no such file", 404, "not_found", call("GET", "/x.js")},
		{"no such page", 404, "not_found", open("/x.js")},
		{"no such endpoint", 404, "not_found", open("/bff/nothing")},
		{"wrong method", 405, "method_not_allowed", call("DELETE", "/bff/user")},
		{"wrong method of a route", 405, "method_not_allowed", call("TRACE", "/open/x")},
		{"signed out", 401, "signed_out", call("GET", "/bff/user")},
		{"cross-site", 403, "cross_site", call("GET", "/bff/user", "Sec-Fetch-Site", crossSite)},
		{"preflight", 403, "cors_refused", call("OPTIONS", "/api/x", "Access-Control-Request-Method", "GET")},
		{"script of an API", 403, "not_a_document", call("GET", "/api/x", "Sec-Fetch-Dest", "script")},
		{"login by fetch", 403, "not_a_navigation", call("GET", "/bff/login")},
		{"prefetched login", 403, "prefetch_refused", open("/bff/login", "Sec-Purpose", "prefetch")},
		{"return_to elsewhere", 400, "invalid_return_to", open("/bff/login?return_to=//x")},
		{"odd parameter", 400, "invalid_parameter", open("/bff/login?max_age=x")},
		{"other provider", 400, "unknown_provider", open("/bff/login?provider=x")},
		{"stale callback", 400, "login_expired", open("/bff/callback?state=x&code=y")},
		{"stale logout", 400, "logout_state", open("/bff/logout/callback?state=x")},
		{"ambiguous path", 400, "ambiguous_path", call("GET", "/a//b")},
		{"ambiguous path, page", 400, "ambiguous_path", open("/a/%2e%2e/b")},
		{"upgrade to h2c", 400, "upgrade_refused", call("GET", "/open/x", "Upgrade", "h2c", "Connection", "Upgrade")},
		{"upstream gone", 502, "upstream_unreachable", call("GET", "/gone/x")},
		{"upstream gone, page", 502, "upstream_unreachable", open("/gone/x")},
		{"upstream slow", 504, "upstream_timeout", call("GET", "/slow/x")},
		{"upstream breaks off", 502, "upstream_unreachable", call("GET", "/open/cut")},
		{"code refused", 502, "sign_in_failed", fault(demo.Fault{Error: "invalid_grant", ErrorDescription: "leaked-detail"}, signIn)},
		{"provider in trouble", 503, "sign_in_interrupted", fault(demo.Fault{Reply: &demo.Reply{Status: 500, Body: []byte("leaked-detail")}}, signIn)},
		{"provider speaks HTML", 502, "sign_in_failed", fault(demo.Fault{ReplyAfter: &demo.Reply{Body: []byte("<h1>leaked-detail</h1>")}}, signIn)},
		{"provider refuses", 403, "sign_in_access_denied", func(b *browser) *answer {
			b.s.providers[0].FailNext("authorize", demo.Fault{Error: "access_denied", ErrorDescription: "leaked-detail"})
			return b.navigate(crossSite, b.approve(b.begin(""), "alice").String())
		}},
		{"body too large", 413, "body_too_large", func(b *browser) *answer {
			r := b.request("POST", "/tiny/x", "Origin", b.s.origin, "Sec-Fetch-Site", ourOrigin)
			r.Body, r.ContentLength = http.NoBody, 0
			req, _ := http.NewRequest("POST", b.s.origin+"/tiny/x", strings.NewReader("too much"))
			req.Header = r.Header
			return b.do(req)
		}},
		{"wrong host", 421, "wrong_host", func(b *browser) *answer {
			r := b.request("GET", "/")
			r.Host = "evil.example"
			return b.do(r)
		}},
	}
}

func troubledStand(t *testing.T) *stand {
	hung := plainServer(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s := newStand(t, options{routes: func(usual []proxy.Config) []proxy.Config {
		for name, edit := range map[string]func(*proxy.Config){
			"gone": func(c *proxy.Config) { c.Upstream = parse("http://127.0.0.1:1") },
			"slow": func(c *proxy.Config) { c.Upstream, c.Timeout = parse(hung.URL), 50*time.Millisecond },
			"tiny": func(c *proxy.Config) { c.MaxBody = 4 },
		} {
			c := proxy.Config{Path: "/" + name + "/", Upstream: usual[0].Upstream, Token: proxy.TokenNone}
			c.Demand = session.Demand{Auth: session.AuthNone, Documents: session.DocumentsAllow}
			edit(&c)
			usual = append(usual, c)
		}
		return usual
	}})
	s.api.Handle("/cut", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	return s
}

// internals are words that would tell what is inside.
var internals = regexp.MustCompile(`(?i)leaked-detail|127\.0\.0\.1|localhost|dial tcp|goroutine|\.go\b|bolt|panic|EOF|connection|invalid_grant|oidc|proxy:|session:`)

// Whatever goes wrong, the answer says what it means and nothing of its cause,
// and its reference leads to the cause in the log (N5).
func TestErrors(t *testing.T) {
	if len(scenes()) < 25 {
		t.Fatalf("%d scenes", len(scenes()))
	}
	s := troubledStand(t)
	reference := regexp.MustCompile(`"reference":"([0-9a-f]{12})"|"reference">([0-9a-f]{12})<`)
	for _, tt := range scenes() {
		t.Run(tt.name, func(t *testing.T) {
			b := s.browser(t)
			a := tt.do(b).problem(tt.status, tt.code)
			page := strings.HasPrefix(a.Header.Get("Content-Type"), "text/html; charset=utf-8")
			if navigation := a.Request.Header.Get("Sec-Fetch-Mode") == "navigate"; page != navigation {
				t.Errorf("navigation = %v, answered with a page = %v", navigation, page)
			}
			if got := internals.FindString(a.text()); got != "" {
				t.Errorf("the answer says %q:\n%s", got, a.text())
			}
			if a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers %v", a.Header)
			}
			m := reference.FindStringSubmatch(a.body)
			if m == nil {
				t.Fatalf("the answer has no reference:\n%s", a.text())
			}
			cause := regexp.MustCompile(`"code":"` + tt.code + `".*"reference":"` + m[1] + m[2] + `".*"error":"[^"]`)
			if len(cause.FindAllString(s.log.String(), -1)) != 1 {
				t.Errorf("the log has no cause under the reference %s", m[1]+m[2])
			}
			if !page {
				wantKeys(t, "problem", without(a.json(), "login_url"), "type", "title", "status", "code", "reference")
				if a.json()["type"] != "urn:cloakroom:"+tt.code || a.json()["status"] != float64(tt.status) || len(a.json()["title"].(string)) < 5 {
					t.Errorf("problem %s", a.body)
				}
			}
		})
	}
}

func without(m map[string]any, name string) map[string]any {
	m = maps.Clone(m)
	delete(m, name)
	return m
}

// What a client chose can't forge a line of the log, nor fill it (N4).
func TestLogInjection(t *testing.T) {
	s := newStand(t, options{plain: true})
	evil := "x%0d%0a{\"level\":\"INFO\",\"msg\":\"sign_in\"}%1b[31m"
	long := strings.Repeat("A", 4000)
	b := s.browser(t)
	for _, query := range []string{
		"/bff/callback?state=" + evil + "&error=" + evil, "/bff/login?return_to=" + evil, "/bff/login?provider=" + evil,
		"/bff/logout/callback?state=" + evil, "/" + long + ".js",
	} {
		b.navigate(typed, query, "User-Agent", "\u202e\u0085a", "X-Forwarded-For", "\u2028")
	}
	s.raw(t, "GET /x.js", "User-Agent: a\x1b[31m")
	s.raw(t, "GET /a%1b%5b31m")
	s.raw(t, "GET /bff/user", "X-CSRF: \x1b[31m", "Origin: \x1b[31m")
	s.raw(t, strings.Repeat("M", 3000)+" /x")
	events := 0
	for _, line := range strings.Split(strings.TrimSpace(s.log.String()), "\n") {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil || len(line) > 1500 {
			t.Errorf("a line of %d bytes: %v: %.200q", len(line), err, line)
		}
		if record["msg"] == "sign_in" {
			t.Errorf("a forged line: %s", line)
		}
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' }) {
			t.Errorf("a control character: %q", line)
		}
		events++
	}
	if events < 8 {
		t.Errorf("%d lines", events)
	}
}

// Each thing that happens to somebody's sign-in is one event, by its name (N3).
func TestAuditEvents(t *testing.T) {
	s := newStand(t, options{})
	event := regexp.MustCompile(`"msg":"([a-z_]+)","audit":true`)
	alice := s.signedIn(t, "alice")
	tests := []struct {
		name string
		do   func()
		want []string
	}{
		{"sign-in", func() { s.signedIn(t, "bob") }, []string{"sign_in"}},
		{"refused callback", func() { s.browser(t).navigate(crossSite, "/bff/callback?state=x") }, []string{"sign_in_refused"}},
		{"user said no", func() {
			b := s.browser(t)
			callback, err := s.providers[0].Deny(b.idp, b.begin("").String())
			if err != nil {
				t.Fatal(err)
			}
			b.navigate(crossSite, callback.String())
		}, []string{"sign_in_refused"}},
		{"bad token", func() {
			s.providers[0].FailNext("code", demo.Fault{Forge: demo.ForgeNone})
			s.browser(t).signIn("alice", "")
		}, []string{"sign_in_refused", "tokens_revoked"}},
		{"cross-site call", func() { alice.fetch("GET", "/api/whoami", "Sec-Fetch-Site", crossSite) }, []string{"request_refused"}},
		{"ambiguous path", func() { alice.fetch("GET", "/a//b") }, []string{"request_refused"}},
		{"signed out", func() { s.browser(t).fetch("GET", "/bff/user") }, nil},
		{"not found", func() { alice.fetch("GET", "/x.js") }, nil},
		{"renewal", func() { s.sleep(2 * time.Minute); alice.fetch("POST", "/bff/session/renew") }, []string{"tokens_renewed"}},
		{"signed in again", func() { alice.signIn("alice", "?prompt=login") }, []string{"session_ended", "sign_in"}},
		{"logout", func() { alice.fetch("POST", "/bff/logout") }, []string{"session_ended", "tokens_revoked"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := len(s.log.String())
			tt.do()
			var got []string
			s.log.until(func(log string) bool {
				got = nil
				for _, m := range event.FindAllStringSubmatch(log[before:], -1) {
					got = append(got, m[1])
				}
				return len(got) >= len(tt.want)
			})
			slices.Sort(got)
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("events %v, want %v", got, tt.want)
			}
		})
	}
}
