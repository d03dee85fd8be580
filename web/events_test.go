package web_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/web"
)

// stream is an open event stream of a page.
type stream struct {
	*http.Response
	t      *testing.T
	events chan string // "name data"; closed with the stream
}

// listen opens GET /bff/events as a page's EventSource does.
func (b *browser) listen(t *testing.T) *stream {
	t.Helper()
	ctx, leave := context.WithCancel(context.Background())
	t.Cleanup(leave)
	r := b.request("GET", "/bff/events", "Accept", "text/event-stream", "Sec-Fetch-Site", ourOrigin, "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty")
	res, err := b.hc.Do(r.WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	s := &stream{res, t, make(chan string, 100)}
	go func() {
		defer close(s.events)
		name := ""
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			_, _ = b.s.seen.Write(lines.Bytes())
			if v, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				name = v
			}
			if v, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				s.events <- name + " " + v
			}
		}
	}()
	return s
}

// next returns the next event.
func (s *stream) next() string {
	s.t.Helper()
	select {
	case e, ok := <-s.events:
		if !ok {
			return "closed"
		}
		return e
	case <-time.After(10 * time.Second):
		s.t.Fatal("no event")
		return ""
	}
}

// wants fails the test unless these are the next events.
func (s *stream) wants(events ...string) {
	s.t.Helper()
	for _, want := range events {
		if got := s.next(); got != want && !strings.HasPrefix(got, want+" ") {
			s.t.Errorf("got event %q, want %q", got, want)
		}
	}
}

const endedBy = `session.ended {"reason":"`

// What happens to a session is told to its pages, whoever did it.
func TestEvents(t *testing.T) {
	tests := []struct {
		name   string
		do     func(t *testing.T, s *stand, b *browser)
		events []string
	}{
		{"a renewal", func(_ *testing.T, s *stand, b *browser) {
			s.sleep(4 * time.Minute)
			b.fetch("POST", "/bff/session/renew").want(http.StatusOK)
			b.fetch("POST", "/bff/logout").want(http.StatusOK)
		}, []string{"session.renewed", endedBy + `logout","login_url":"/bff/login"}`, "closed"}},
		{"the same user signs in again", func(_ *testing.T, _ *stand, b *browser) { b.signIn("alice", "") },
			[]string{"session.changed {}", "closed"}},
		{"another user signs in", func(_ *testing.T, _ *stand, b *browser) {
			b.signIn("bob", "?prompt=login")
		}, []string{endedBy + `replaced","login_url":"/bff/login"}`, "closed"}},
		{"another device", func(t *testing.T, s *stand, _ *browser) {
			s.signedIn(t, "alice").fetch("DELETE", "/bff/sessions").want(http.StatusOK)
		}, []string{endedBy + `ended_elsewhere","login_url":"/bff/login"}`, "closed"}},
		{"the provider", func(t *testing.T, s *stand, _ *browser) {
			s.backchannel(t, s.logoutToken("u-1001", "")).want(http.StatusOK)
		}, []string{endedBy + `provider_logout","login_url":"/bff/login"}`, "closed"}},
		{"the server stops", func(_ *testing.T, s *stand, _ *browser) { s.server.Close() }, []string{"closed"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStand(t, options{})
			b := s.signedIn(t, "alice")
			stream := b.listen(t)
			h := stream.Header
			if stream.StatusCode != http.StatusOK || h.Get("Content-Type") != "text/event-stream" || h.Get("Cache-Control") != "no-store" {
				t.Fatalf("%d %v", stream.StatusCode, h)
			}
			if h.Get("Set-Cookie") != "" {
				t.Error("the stream sets a cookie")
			}
			tt.do(t, s, b)
			stream.wants(tt.events...)
		})
	}
}

// A page that listens to a session which was replaced is told so again, until its
// browser has the new ticket; a signed-out one is told to stay away.
func TestEventsOfTheReplaced(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	old := s.browser(t)
	old.hold(s.prefix()+"session", b.cookie("session"))
	b.signIn("alice", "")
	old.listen(t).wants("session.changed", "closed")
	fresh := b.listen(t)
	b.fetch("POST", "/bff/logout").want(http.StatusOK)
	fresh.wants(endedBy+`logout","login_url":"/bff/login"}`, "closed")
	b.fetch("GET", "/bff/events").problem(http.StatusUnauthorized, "signed_out")
}

// Streams are bounded for each session and in all, and what closes makes room. Other
// sites get none (F1, F3).
func TestEventsBounds(t *testing.T) {
	s := newStand(t, options{limits: func(l *session.Limits) { l.Watches = 4 }, web: func(c *web.Config) { c.EventStreams = 5 }})
	alice, bob := s.signedIn(t, "alice"), s.signedIn(t, "bob")
	for range 4 {
		alice.listen(t)
	}
	alice.fetch("GET", "/bff/events").want(http.StatusNoContent)
	bob.listen(t)
	a := bob.fetch("GET", "/bff/events").problem(http.StatusServiceUnavailable, "too_many_event_streams")
	if a.Header.Get("Retry-After") == "" {
		t.Error("nothing says when to come back")
	}
	if n := s.server.EventStreams(); n != 5 {
		t.Errorf("%d streams are counted, want 5", n)
	}
	alice.fetch("POST", "/bff/logout").want(http.StatusOK)
	for s.server.EventStreams() != 1 { // they are about to end
		time.Sleep(time.Millisecond)
	}
	if got := bob.listen(t).StatusCode; got != http.StatusOK {
		t.Errorf("once there is room: %d", got)
	}
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", crossSite}, {"Sec-Fetch-Site", sameSite}, {"Sec-Fetch-Site", "", "Origin", "https://evil.test"}, {"Sec-Fetch-Site", ""},
	} {
		bob.fetch("GET", "/bff/events", headers...).problem(http.StatusForbidden, "cross_site")
	}
	bob.fetch("POST", "/bff/events").want(http.StatusMethodNotAllowed)
}
