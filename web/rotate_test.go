package web_test

import (
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/web"
)

// rotating has tickets with a new issue every 15 minutes, and long sessions.
func rotating(o options) options {
	o.limits = func(l *session.Limits) {
		l.RotateEvery, l.Idle, l.Absolute = 15*time.Minute, 12*time.Hour, 24*time.Hour
	}
	return o
}

const ticketCookie = "__Host-session"

// issued reports whether the answer carries a new issue of a ticket.
func (a *answer) issued() bool {
	c := a.set(ticketCookie)
	return c != nil && c.Value != ""
}

// handled puts handlers of our own in the place of routes that want a session.
func handled(handlers map[string]http.HandlerFunc) func(*web.Config) {
	return func(c *web.Config) {
		route := c.Route
		c.Route = func(r *http.Request) (session.Demand, http.Handler) {
			if h, ok := handlers[r.URL.Path]; ok {
				return session.Demand{Auth: session.AuthRequired}, h
			}
			return route(r)
		}
	}
}

// Which answers bring the browser a new issue of its ticket (E10): those that
// no cache keeps, that another site can't cause, and that are no refusals.
func TestWhichAnswersCarryIssues(t *testing.T) {
	down, _ := url.Parse("http://127.0.0.1:1")
	s := newStand(t, rotating(options{routes: func(all []proxy.Config) []proxy.Config {
		required := session.Demand{Auth: session.AuthRequired}
		return append(all,
			proxy.Config{Path: "/cached/", Upstream: all[0].Upstream, StripPrefix: "/cached", Demand: required, Cache: proxy.CacheUpstream},
			proxy.Config{Path: "/down/", Upstream: down, Demand: required})
	}}))
	fetch := func(method, path string, headers ...string) func(*browser) *answer {
		return func(b *browser) *answer { return b.fetch(method, path, headers...) }
	}
	navigate := func(path string) func(*browser) *answer {
		return func(b *browser) *answer { return b.navigate(ourOrigin, path) }
	}
	for _, tt := range []struct {
		name   string
		do     func(*browser) *answer
		status int
		want   bool
	}{
		{"user", fetch("GET", "/bff/user"), 200, true},
		{"session", fetch("GET", "/bff/session"), 200, true},
		{"renewal", fetch("POST", "/bff/session/renew"), 200, true},
		{"call", fetch("GET", "/api/whoami"), 200, true},
		{"call that changes something", fetch("POST", "/api/whoami"), 200, true},
		{"question about a call", fetch("HEAD", "/api/whoami"), 200, true},
		{"call that counts as no activity", fetch("GET", "/quiet/whoami"), 200, true},
		{"call with or without session", fetch("GET", "/opt/whoami"), 200, true},
		{"call that the API knows nothing of", fetch("GET", "/api/nothing"), 404, true},
		{"page of a route", navigate("/docs/whoami"), 200, true},
		{"call without session", fetch("GET", "/open/whoami"), 401, false},
		{"call that caches may keep", fetch("GET", "/cached/whoami"), 200, false},
		{"API out of reach", fetch("GET", "/down/"), 502, false},
		{"another site's call", fetch("GET", "/api/whoami", "Sec-Fetch-Site", crossSite), 403, false},
		{"another site's question", fetch("GET", "/bff/user", "Sec-Fetch-Site", crossSite), 403, false},
		{"renewal that has to wait", func(b *browser) *answer {
			s.providers[0].FailNext("refresh", demo.Fault{Error: "temporarily_unavailable"})
			return b.fetch("POST", "/bff/session/renew")
		}, 503, false},
		{"no such endpoint", fetch("GET", "/bff/nothing"), 404, false},
		{"wrong method", fetch("POST", "/bff/user"), 405, false},
		{"page of the app", navigate("/"), 200, false},
		{"file of the app", fetch("GET", "/app.js"), 200, false},
		{"keys", fetch("GET", "/bff/jwks"), 200, false},
		{"sign-in", navigate("/bff/login"), 302, false},
		{"callback that is none", navigate("/bff/callback?state=x"), 400, false},
		{"logout", fetch("POST", "/bff/logout"), 200, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := s.signedIn(t, "alice")
			s.sleep(15*time.Minute + time.Second)
			a := tt.do(b).want(tt.status)
			if a.issued() != tt.want {
				t.Errorf("carries an issue: %v, want %v", a.issued(), tt.want)
			}
			if a.issued() && !strings.Contains(a.Header.Get("Cache-Control"), "no-store") { // E16
				t.Errorf("Cache-Control %q", a.Header.Get("Cache-Control"))
			}
		})
	}
}

// A new issue is the same session in the same kind of cookie (E1, E15), comes
// when it is time and not before, and but once: until then, and for the answers
// under way, the older one serves.
func TestNewIssue(t *testing.T) {
	s := newStand(t, rotating(options{}))
	b := s.browser(t)
	first := b.signIn("alice", "").set(ticketCookie)
	s.sleep(15*time.Minute - 10*time.Second)
	if b.fetch("GET", "/api/whoami").issued() {
		t.Error("an issue before its time")
	}
	s.sleep(11 * time.Second)

	var answers sync.WaitGroup
	var issues atomic.Int32
	stale := *b // its requests present the first issue, whatever the jar holds by now
	stale.hc = &http.Client{Transport: b.hc.Transport}
	for range 8 {
		answers.Go(func() {
			a := stale.fetch("GET", "/api/whoami", "Cookie", ticketCookie+"="+first.Value)
			if a.StatusCode != http.StatusOK {
				t.Errorf("a call beside the new issue = %d", a.StatusCode)
			}
			if c := a.set(ticketCookie); c != nil {
				issues.Add(1)
				b.hold(ticketCookie, c.Value)
				got, want := *c, *first
				got.Value, got.Raw, want.Value, want.Raw = "", "", "", ""
				if got.String() != want.String() || c.Value == first.Value || c.MaxAge != 0 || !c.Expires.IsZero() {
					t.Errorf("cookie %v, want one like %v with another value", c, first)
				}
			}
		})
	}
	answers.Wait()
	if issues.Load() != 1 {
		t.Fatalf("%d of the answers carried an issue, want 1", issues.Load())
	}
	if a := b.fetch("GET", "/api/whoami").want(http.StatusOK); a.issued() {
		t.Error("the new issue was followed by another at once")
	}
}

// A WebSocket handshake carries no ticket, and is not in the way of the next
// call's.
func TestHandshakeCarriesNoIssue(t *testing.T) {
	s := newStand(t, rotating(options{}))
	b := s.signedIn(t, "alice")
	s.sleep(16 * time.Minute)
	for path, status := range map[string]int{"/api/ws": http.StatusSwitchingProtocols, "/api/whoami": http.StatusOK} {
		c, res, err := websocket.Dial(t.Context(), "wss://example.com"+path,
			&websocket.DialOptions{HTTPClient: b.hc, HTTPHeader: http.Header{"Origin": {s.origin}}})
		if err == nil {
			_ = c.CloseNow()
		}
		if res == nil || res.StatusCode != status {
			t.Fatalf("handshake: %v, %v, want %d", res, err, status)
		}
		if len(res.Cookies()) != 0 {
			t.Errorf("the handshake of %s sets %v", path, res.Cookies())
		}
	}
	if !b.fetch("GET", "/api/whoami").issued() {
		t.Error("the call after it carries no issue")
	}
}

// Whether an answer carries an issue is decided when its header is written: not
// on an informational one, on a flush too, and never if there is no answer.
func TestIssueIsDecidedLate(t *testing.T) {
	private := func(w http.ResponseWriter) { w.Header().Set("Cache-Control", "private, no-store") }
	s := newStand(t, rotating(options{web: handled(map[string]http.HandlerFunc{
		"/hints": func(w http.ResponseWriter, _ *http.Request) {
			private(w)
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusAccepted)
		},
		"/flushed": func(w http.ResponseWriter, _ *http.Request) {
			private(w)
			control := http.NewResponseController(w)
			if err := control.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Errorf("the connection is out of reach: %v", err)
			}
			if err := control.Flush(); err != nil {
				t.Errorf("flush: %v", err)
			}
			_, _ = w.Write([]byte("text"))
		},
		"/panic": func(w http.ResponseWriter, _ *http.Request) {
			private(w)
			panic("before the header")
		},
		"/edge": func(w http.ResponseWriter, _ *http.Request) {
			private(w)
			w.Header().Set("Any-Cdn-Cache-Control", "max-age=600") // overrules it there (RFC 9213)
			_, _ = w.Write([]byte("text"))
		},
		"/surrogate": func(w http.ResponseWriter, _ *http.Request) {
			private(w)
			w.Header().Set("Surrogate-Control", "max-age=600")
			_, _ = w.Write([]byte("text"))
		},
		"/public": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Cache-Control"] = []string{"private, no-store", "public"}
			_, _ = w.Write([]byte("text"))
		},
	})}))
	for _, tt := range []struct {
		path   string
		status int
		want   bool
	}{
		{"/hints", http.StatusAccepted, true},
		{"/flushed", http.StatusOK, true},
		{"/panic", http.StatusInternalServerError, false},
		{"/public", http.StatusOK, false},
		{"/edge", http.StatusOK, false},
		{"/surrogate", http.StatusOK, false},
	} {
		t.Run(tt.path, func(t *testing.T) {
			b := s.signedIn(t, "alice")
			s.sleep(16 * time.Minute)
			r := b.request("GET", tt.path, "Sec-Fetch-Site", ourOrigin)
			a := b.do(r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
				Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
					if h.Get("Set-Cookie") != "" {
						t.Errorf("the %d answer sets a cookie", code)
					}
					return nil
				},
			}))).want(tt.status)
			if a.issued() != tt.want {
				t.Errorf("carries an issue: %v, want %v", a.issued(), tt.want)
			}
		})
	}
}

// A session that ended or was replaced while its answer was under way gets no
// new ticket: the browser holds its successor by now.
func TestNoIssueOnceOver(t *testing.T) {
	arrived, goOn := make(chan struct{}), make(chan struct{})
	s := newStand(t, rotating(options{web: handled(map[string]http.HandlerFunc{
		"/slow": func(w http.ResponseWriter, r *http.Request) {
			arrived <- struct{}{}
			select {
			case <-goOn:
			case <-r.Context().Done(): // the test has failed
			}
			w.Header().Set("Cache-Control", "private, no-store")
			w.WriteHeader(http.StatusOK)
		},
	})}))
	for _, tt := range []struct {
		name string
		meet func(*browser)
		want bool
	}{
		{"nothing happens", func(*browser) {}, true},
		{"logout", func(b *browser) { b.fetch("POST", "/bff/logout").want(http.StatusOK) }, false},
		{"sign-in", func(b *browser) { b.signIn("alice", "").want(http.StatusSeeOther) }, false},
		{"another user's sign-in", func(b *browser) { b.signIn("bob", "?prompt=login").want(http.StatusSeeOther) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := s.signedIn(t, "alice")
			s.sleep(16 * time.Minute)
			slow := make(chan *answer)
			go func() { slow <- b.fetch("GET", "/slow") }()
			<-arrived
			tt.meet(b)
			goOn <- struct{}{}
			if a := (<-slow).want(http.StatusOK); a.issued() != tt.want {
				t.Errorf("carries an issue: %v, want %v", a.issued(), tt.want)
			}
		})
	}
}
