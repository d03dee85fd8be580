package web

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

// eventStage is a server with one session, by a clock that the test moves: nothing of
// it has a socket.
type eventStage struct {
	*Server
	manager *session.Manager
	session *session.Session
	cookie  string
}

// noRenewer answers no renewal.
type noRenewer struct{}

func (noRenewer) Renew(context.Context, session.Identity, session.Tokens) (session.Tokens, error) {
	return session.Tokens{}, session.ErrRefused
}
func (noRenewer) Revoke(context.Context, session.Tokens) error { return nil }

func newEventStage(t *testing.T) *eventStage {
	t.Helper()
	store, err := bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "sessions.db")})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := session.ParseKeyring([]byte(session.NewKey()))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	m := session.NewManager(session.Config{
		Store: store, Keys: keys, Log: log,
		Limits:    session.Limits{Idle: 30 * time.Minute, Absolute: time.Hour, RenewTimeout: time.Second, Watches: 4},
		Providers: map[string]session.Provider{"main": {Renewer: noRenewer{}, Issuer: "https://id.test", ClientID: "spa"}},
	})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { m.Run(ctx) })
	s := New(Config{
		PublicURL: &url.URL{Scheme: "https", Host: "app.test"}, BasePath: "/bff", Keys: keys, Cookie: CookieConfig{Name: "session"},
		Manager: m, Log: log, Route: func(*http.Request) (session.Demand, http.Handler) { return session.Demand{}, nil },
	})
	t.Cleanup(func() {
		s.Close()
		synctest.Wait()
		stop()
		running.Wait()
		_ = m.Close(context.Background())
		_ = store.Close()
	})
	now := time.Now()
	ticket, err := m.Start(ctx, session.SignIn{
		Identity: session.Identity{Provider: "main", Issuer: "https://id.test", ClientID: "spa", Subject: "alice"},
		Tokens:   session.Tokens{Access: "a", Obtained: now, Expires: now.Add(24 * time.Hour)},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	if err := s.cookies.setTicket(rec, ticket); err != nil {
		t.Fatal(err)
	}
	current, err := m.Resume(ctx, ticket)
	if err != nil {
		t.Fatal(err)
	}
	cookie, _, _ := strings.Cut(rec.Header().Get("Set-Cookie"), ";")
	return &eventStage{s, m, current, cookie}
}

// pipeWriter is a browser's end of a connection.
type pipeWriter struct {
	*io.PipeWriter
	header http.Header
	cut    *time.Timer
}

func (w *pipeWriter) Header() http.Header { return w.header }
func (w *pipeWriter) WriteHeader(int)     {}
func (w *pipeWriter) Flush()              {}

// SetWriteDeadline ends the stream at the deadline, whether or not something is being
// written, as HTTP/2 does.
func (w *pipeWriter) SetWriteDeadline(at time.Time) error {
	if w.cut != nil {
		w.cut.Stop()
	}
	if !at.IsZero() {
		w.cut = time.AfterFunc(time.Until(at), func() { _ = w.CloseWithError(os.ErrDeadlineExceeded) })
	}
	return nil
}

// toldEvent is one event, and how long after the beginning it came.
type toldEvent struct {
	after      time.Duration
	name, data string
}

// listen opens a stream and returns what comes of it; heartbeats are events without a
// name. The channel closes with the stream.
func (s *eventStage) listen(t *testing.T) <-chan toldEvent {
	t.Helper()
	began := time.Now()
	in, out := io.Pipe()
	r := httptest.NewRequest("GET", "https://app.test/bff/events", nil).WithContext(t.Context())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Cookie", s.cookie)
	go func() {
		s.ServeHTTP(&pipeWriter{PipeWriter: out, header: http.Header{}}, r)
		_ = out.Close()
	}()
	events := make(chan toldEvent, 1000)
	go func() {
		defer close(events)
		var e toldEvent
		for lines := bufio.NewScanner(in); lines.Scan(); {
			field, value, _ := strings.Cut(lines.Text(), ":")
			switch field {
			case "event":
				e.name = strings.TrimSpace(value)
			case "data":
				e.data = strings.TrimSpace(value)
			case "":
				if lines.Text() == "" {
					e.after = time.Since(began)
					events <- e
					e = toldEvent{}
				}
			}
		}
	}()
	return events
}

// named returns the events with a name that have come by now.
func named(events <-chan toldEvent) (out []toldEvent) {
	synctest.Wait()
	for {
		select {
		case e, ok := <-events:
			if !ok {
				return out
			}
			if e.name != "" {
				out = append(out, e)
			}
		default:
			return out
		}
	}
}

// A page is warned two minutes before the session idles out, told when the user is
// back, warned again, and told of the end (peers: "warn before expiry").
func TestEventsExpiring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newEventStage(t)
		events := s.listen(t)
		time.Sleep(28*time.Minute - time.Second)
		if got := named(events); len(got) != 0 {
			t.Fatalf("before it is time: %v", got)
		}
		time.Sleep(2 * time.Second)
		got := named(events)
		if len(got) != 1 || got[0].name != eventExpiring || got[0].after != 28*time.Minute ||
			got[0].data != `{"limit":"idle","expires_in":120}` {
			t.Fatalf("the warning: %v", got)
		}
		time.Sleep(30 * time.Second)
		s.session.Touch()
		time.Sleep(2 * time.Second)
		got = named(events)
		if len(got) != 1 || got[0].name != eventRenewed {
			t.Fatalf("when the user is back: %v", got)
		}
		var body sessionAnswer
		if err := json.Unmarshal([]byte(got[0].data), &body); err != nil || !body.Authenticated || body.Session.IdleExpiresIn < 29*60 {
			t.Errorf("renewed says %s", got[0].data)
		}
		time.Sleep(30 * time.Minute)
		got = named(events)
		if len(got) != 2 || got[0].name != eventExpiring || got[1].name != eventEnded || got[1].data != `{"reason":"idle","login_url":"/bff/login"}` {
			t.Fatalf("the end: %v", got)
		}
		if _, open := <-events; open {
			t.Error("the stream goes on after the end")
		}
		if n := s.EventStreams(); n != 0 {
			t.Errorf("%d streams are counted after the end", n)
		}
	})
}

// An active user is warned of the end that nothing postpones.
func TestEventsAbsolute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newEventStage(t)
		events := s.listen(t)
		for range 4 * 60 {
			time.Sleep(15 * time.Second)
			s.session.Touch()
		}
		time.Sleep(2 * time.Second)
		got := named(events)
		if len(got) != 2 || got[0].name != eventExpiring || got[0].data != `{"limit":"absolute","expires_in":120}` ||
			got[0].after != 58*time.Minute || got[1].data != `{"reason":"absolute","login_url":"/bff/login"}` {
			t.Fatalf("got %v", got)
		}
	})
}

// Something goes over the line every 20 s at least, and never keeps the session alive
// (E8): several streams end with it when nobody does anything.
func TestEventsHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newEventStage(t)
		first, second := s.listen(t), s.listen(t)
		var last time.Duration
		beats := 0
		for e := range first {
			if gap := e.after - last; gap > heartbeat {
				t.Errorf("nothing for %s", gap)
			}
			last = e.after
			beats++
		}
		if beats < 85 || last < 30*time.Minute || last > 30*time.Minute+2*time.Second {
			t.Errorf("%d messages, the last after %s", beats, last)
		}
		if got := named(second); len(got) != 2 || got[1].name != eventEnded {
			t.Errorf("the other stream: %v", got)
		}
	})
}

// A stop of the server ends streams at once, without the word that the session is
// over: the page comes back.
func TestEventsStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newEventStage(t)
		events := s.listen(t)
		synctest.Wait()
		s.Close()
		if got := named(events); len(got) != 0 {
			t.Errorf("got %v", got)
		}
		if _, open := <-events; open {
			t.Error("the stream goes on")
		}
	})
}

// Reasons that tell of a suspicion are told in one word, and all that there are in
// some word.
func TestToldReason(t *testing.T) {
	for reason, want := range map[string]string{
		session.ReasonLogout: "logout", session.ReasonIdle: "idle", session.ReasonAbsolute: "absolute",
		session.ReasonReplaced: "replaced", session.ReasonOperator: "operator",
		session.ReasonBackchannel: "provider_logout", session.ReasonFrontchannel: "provider_logout",
		session.ReasonDevice: "ended_elsewhere", session.ReasonPerUser: "ended_elsewhere",
		session.ReasonReplay: "security", session.ReasonContext: "security", session.ReasonIdentity: "security",
		session.ReasonRefused: "renewal_failed", session.ReasonOwnCrash: "renewal_failed", session.ReasonNoRenew: "renewal_failed",
		"": "other", session.ReasonLate: "other",
	} {
		if got := toldReason(reason); got != want {
			t.Errorf("%q is told as %q, want %q", reason, got, want)
		}
	}
}
