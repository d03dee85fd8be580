package proxy_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/session"
)

// An answer that begins after its session ended does not reach the browser,
// however long upstream took to begin it (E12). One of known length does if the
// session only idled out, and so do those that a replaced session is still good
// for.
func TestAnswerAfterTheEnd(t *testing.T) {
	const whole, endless, events = "/api/whole", "/api/endless", "/api/events"
	nothing := func(*testing.T, *stand) {}
	signOut := func(t *testing.T, s *stand) { s.signOut(t) }
	pass := func(d time.Duration) func(*testing.T, *stand) {
		return func(t *testing.T, s *stand) {
			s.shift.Add(int64(d))
			if _, err := s.sessions.Resume(context.Background(), s.tickets["alice"]); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("the session is not over: %v", err)
			}
		}
	}
	replace := func(t *testing.T, s *stand) {
		before := s.tickets["alice"]
		if _, err := s.sessions.Start(context.Background(), session.SignIn{
			Identity: session.Identity{Provider: "main", Issuer: "https://id.example.com", ClientID: "spa", Subject: "alice"},
			Claims:   []byte(`{}`), Tokens: session.Tokens{Access: "alice-9", Obtained: time.Now(), Expires: time.Now().Add(time.Hour)},
		}, &before); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name, path string
		meet       func(*testing.T, *stand)
		want       int
	}{
		{"nothing happens", whole, nothing, 200},
		{"nothing happens, no length", endless, nothing, 200},
		{"sign-out", whole, signOut, 401},
		{"sign-out, no length", endless, signOut, 401},
		{"sign-out, events", events, signOut, 401},
		{"sign-out, optional", "/opt/whole", signOut, 401},
		{"idled out", whole, pass(time.Hour + time.Second), 200},
		{"idled out, no length", endless, pass(time.Hour + time.Second), 401},
		{"absolute end", whole, pass(12*time.Hour + time.Second), 401},
		{"replaced", whole, replace, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			arrived, release, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
			config := proxy.Config{Path: "/api", Upstream: serve(t, func(w http.ResponseWriter, r *http.Request) {
				defer close(ended)
				close(arrived)
				<-release
				switch r.URL.Path {
				case events:
					w.Header().Set("Content-Type", "text/event-stream")
					fallthrough
				case endless:
					_ = http.NewResponseController(w).Flush()
				}
				_, _ = io.WriteString(w, "alice's own")
			})}
			optional := config
			optional.Path, optional.Demand.Auth = "/opt", session.AuthOptional
			s := newStand(t, config, optional)
			type result struct {
				status int
				body   string
			}
			got := make(chan result)
			go func() {
				res, body := s.do(t, "GET", tt.path, "")
				got <- result{res.StatusCode, body}
			}()
			<-arrived
			tt.meet(t, s)
			close(release)
			r := <-got
			<-ended
			if r.status != tt.want || (r.body != "") != (tt.want == 200) {
				t.Errorf("got %d %q, want %d", r.status, r.body, tt.want)
			}
			if tt.want == 401 && !errors.Is(s.lastErr(), session.ErrNotFound) {
				t.Errorf("refused for %v, want session.ErrNotFound", s.lastErr())
			}
		})
	}
}
