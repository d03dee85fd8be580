package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/web"
)

// lines returns what the log holds above the level debug, from a place on.
func (s *stand) lines(from int) (out []map[string]any) {
	for line := range strings.Lines(s.log.String()[from:]) {
		var record map[string]any
		if json.Unmarshal([]byte(line), &record) == nil && record["level"] != "DEBUG" {
			out = append(out, record)
		}
	}
	return out
}

// told describes lines by their name, code and number.
func told(lines []map[string]any) (out []string) {
	for _, l := range lines {
		out = append(out, fmt.Sprint(l["msg"], " ", l["code"], " ", l["times"]))
	}
	return out
}

// What anybody can send is one line a minute, client and kind, however often it
// comes; none is lost, and the counts have every one (K2, N3).
func TestFloodOfRefusals(t *testing.T) {
	const n = 50
	call := func(method, target string, headers ...string) func(*browser) *answer {
		return func(b *browser) *answer { return b.fetch(method, target, headers...) }
	}
	open := func(target string) func(*browser) *answer {
		return func(b *browser) *answer { return b.navigate(ourOrigin, target) }
	}
	tests := []struct {
		name, code string
		do         func(*browser) *answer
	}{
		{"wrong host", "wrong_host", func(b *browser) *answer {
			r := b.request("GET", "/")
			r.Host = "evil.example"
			return b.do(r)
		}},
		{"ambiguous path", "ambiguous_path", call("GET", "/a//b")},
		{"cross-site call", "cross_site", call("POST", "/bff/logout", "Sec-Fetch-Site", crossSite)},
		{"return_to elsewhere", "invalid_return_to", open("/bff/login?return_to=//x")},
		{"login by fetch", "not_a_navigation", call("GET", "/bff/login")},
		{"callback by fetch", "not_a_navigation", call("GET", "/bff/callback?state=x")},
		{"handshake from elsewhere", "cross_site", call("GET", "/open/x", "Upgrade", "websocket", "Connection", "Upgrade", "Origin", "https://evil.example")},
		{"preflight", "cors_refused", call("OPTIONS", "/api/x", "Access-Control-Request-Method", "GET")},
		{"other provider", "unknown_provider", open("/bff/login?provider=x")},
		{"wrong method of an open route", "method_not_allowed", call("TRACE", "/open/x")},
		{"script of an API", "not_a_document", call("GET", "/api/x", "Sec-Fetch-Dest", "script")},
		{"stale logout", "logout_state", open("/bff/logout/callback?state=x")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			count := &tally{n: map[string]int{}}
			s := newStand(t, options{web: func(c *web.Config) { c.Count = count }})
			b := s.browser(t)
			line := func(times int) string { return fmt.Sprintf("request_refused %s %d", tt.code, times) }
			want := []string{line(1)}
			flood := func() {
				for range n {
					if a := tt.do(b); a.StatusCode < 400 {
						t.Fatalf("answered %d", a.StatusCode)
					}
				}
			}
			flood()
			if got := told(s.lines(0)); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("within a minute the log has %v, want %v", got, want)
			}
			s.sleep(time.Minute)
			flood()
			stopped(s)
			stopped(s)
			want = append(want, line(n), line(n-1))
			if got := told(s.lines(0)); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("in the end the log has %v, want %v", got, want)
			}
			if last := s.lines(0)[2]; last["client"] != nil || last["reference"] != nil {
				t.Errorf("the line for all names one: %v", last)
			}
			if count.n[tt.code] != 2*n {
				t.Errorf("%d are counted, want %d", count.n[tt.code], 2*n)
			}
		})
	}
}

// Each client and each kind has its first line at once (N3).
func TestFirstOfEachKindIsTold(t *testing.T) {
	s := newStand(t, limited(web.Rates{}, options{}))
	for range 5 {
		for _, address := range []string{"192.0.2.7", "192.0.2.8", "2001:db8:1:2::7", "2001:db8:1:2::8"} {
			s.browser(t).fetch("GET", "/a//b", at(address)...)
			s.browser(t).fetch("GET", "/bff/user", append(at(address), "Sec-Fetch-Site", crossSite)...)
		}
	}
	for _, text := range []string{`"client":"192.0.2.7"`, `"client":"192.0.2.8"`, `"client":"2001:db8:1:2::`} {
		for _, code := range []string{`"code":"ambiguous_path"`, `"code":"cross_site"`} {
			n := 0
			for line := range strings.Lines(s.log.String()) {
				if strings.Contains(line, `"msg":"request_refused"`) && strings.Contains(line, text) && strings.Contains(line, code) {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%d lines with %s and %s, want 1", n, code, text)
			}
		}
	}
}

// A refused callback is one event, and not one more line (N3).
func TestRefusedCallbackIsOneLine(t *testing.T) {
	s := newStand(t, limited(web.Rates{Callbacks: 20}, options{web: func(c *web.Config) {
		began := time.Now()
		c.Now = func() time.Time { return began } // on a slow machine some of the allowance would come back meanwhile
	}}))
	for range 100 {
		s.browser(t).navigate(crossSite, "/bff/callback?state=x&code=y", at("192.0.2.7")...)
	}
	stopped(s)
	want := []string{"request_refused too_many_requests 1", "request_refused too_many_requests 79"}
	got := told(s.lines(0))
	for range 20 {
		want = append([]string{"sign_in_refused login_expired <nil>"}, want...)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the log has %d lines, want %d: %v", len(got), len(want), got)
	}
	if first := s.lines(0)[0]; first["reason"] != "login_expired" || first["reference"] == nil || first["error"] == nil {
		t.Errorf("the event does not say why: %v", first)
	}
}

// An API that is down is one line a minute and route (N3).
func TestFloodOfAnOutageOfAnAPI(t *testing.T) {
	s := newStand(t, options{routes: func(usual []proxy.Config) []proxy.Config {
		for _, path := range []string{"/gone/", "/gone/too/"} {
			c := proxy.Config{Path: path, Upstream: parse("http://127.0.0.1:1"), Token: proxy.TokenNone}
			c.Demand = session.Demand{Auth: session.AuthNone}
			usual = append(usual, c)
		}
		return usual
	}})
	calls := func(path string) {
		for i := range 30 {
			s.browser(t).fetch("GET", path+fmt.Sprint(i)).problem(http.StatusBadGateway, "upstream_unreachable")
		}
	}
	line := func(times int) string { return fmt.Sprintf("request failed upstream_unreachable %d", times) }
	calls("/gone/")
	calls("/gone/too/")
	want := []string{line(1), line(1)}
	if got := told(s.lines(0)); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the log has %v, want %v", got, want)
	}
	s.sleep(time.Minute)
	calls("/gone/")
	stopped(s)
	lines := s.lines(0)
	paths := map[any]any{}
	for _, l := range lines[len(lines)-2:] {
		paths[l["path"]] = l["times"]
		if l["level"] != "ERROR" || !strings.Contains(fmt.Sprint(l["error"]), "refused") {
			t.Errorf("a line does not say what is wrong: %v", l)
		}
	}
	if got := told(lines); len(got) != 5 || got[2] != line(30) || fmt.Sprint(paths) != fmt.Sprint(map[any]any{"/gone/29": 29.0, "/gone/too/29": 29.0}) {
		t.Errorf("the log has %v, and tells in the end of %v", got, paths)
	}
}

// A store that fails is one line a minute and kind of event, whatever meets it (K4, N3).
func TestFloodOfAnOutageOfTheStore(t *testing.T) {
	broken := &brokenStore{}
	s := newStand(t, options{store: func(real session.Store) session.Store { broken.Store = real; return broken }})
	b, sid := s.signedInAs(t, "alice")
	from := len(s.log.String())
	broken.bury.Store(true)
	for range 30 {
		b.frame(frontchannelQuery(s.providers[0].URL, sid)).problem(http.StatusServiceUnavailable, "unavailable")
	}
	stopped(s)
	want := []string{"logout_refused unavailable 1", "logout_refused unavailable 29"}
	if got := told(s.lines(from)); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the log has %v, want %v", got, want)
	}
	broken.bury.Store(false)

	broken.mark.Store(true)
	from = len(s.log.String())
	for range 5 {
		s.browser(t).signIn("alice", "").problem(http.StatusServiceUnavailable, "sign_in_interrupted")
	}
	stopped(s)
	want = []string{"sign_in_refused sign_in_interrupted 1", "sign_in_refused sign_in_interrupted 4"}
	if got := told(s.lines(from)); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the log has %v, want %v", got, want)
	}
}

// The same for calls on sessions that can't be read, through any endpoint.
func TestFloodOfUnreadableSessions(t *testing.T) {
	broken := &brokenStore{}
	path, keys := t.TempDir()+"/sessions.db", session.NewKey()
	var ticket string
	t.Run("before", func(t *testing.T) {
		ticket = newStand(t, options{path: path, keys: keys}).signedIn(t, "alice").cookie("session")
	})
	s := newStand(t, options{path: path, keys: keys, store: func(real session.Store) session.Store { broken.Store = real; return broken }})
	broken.load.Store(true)
	b := s.browser(t)
	b.hold(ticketCookie, ticket)
	for range 30 {
		b.fetch("GET", "/bff/user").problem(http.StatusServiceUnavailable, "unavailable")
		b.fetch("GET", "/api/whoami").problem(http.StatusServiceUnavailable, "unavailable")
	}
	stopped(s)
	want := []string{"request failed unavailable 1", "request failed unavailable 59"}
	if got := told(s.lines(0)); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the log has %v, want %v", got, want)
	}
}
