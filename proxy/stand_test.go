package proxy_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

const publicURL = "https://app.example.com"

// stand is a proxy with a server in front and sessions beside it. A request is
// made for the session named by its cookie __Host-session.
type stand struct {
	*httptest.Server
	proxy    *proxy.Proxy
	sessions *session.Manager
	provider *fakeProvider

	serving sync.WaitGroup // requests under way
	shift   atomic.Int64   // of the sessions' clock, from the true time

	mu      sync.Mutex
	tickets map[string]session.Ticket
	errs    []error
}

// newStand makes a stand with the given routes. The test's users are alice and
// bob; their access tokens are alice-1, bob-1, and after a renewal alice-2.
func newStand(t testing.TB, routes ...proxy.Config) *stand {
	t.Helper()
	return newStandWith(t, proxy.Options{Routes: routes})
}

func newStandWith(t testing.TB, o proxy.Options) *stand {
	t.Helper()
	s := &stand{provider: &fakeProvider{}, tickets: map[string]session.Ticket{}}
	s.startSessions(t)
	o.PublicURL = mustParse(t, publicURL)
	o.OwnCookie = func(name string) bool { return strings.HasPrefix(name, "__Host-") }
	o.Fail = s.fail
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	var err error
	if s.proxy, err = proxy.New(o); err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.Start()
	t.Cleanup(func() { s.proxy.Close(); s.CloseClientConnections(); s.Close() })
	return s
}

func (s *stand) startSessions(t testing.TB) {
	t.Helper()
	store, err := bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "sessions.db")})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := session.ParseKeyring([]byte(session.NewKey()))
	if err != nil {
		t.Fatal(err)
	}
	s.sessions = session.NewManager(session.Config{
		Store: store, Keys: keys, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Now().Add(time.Duration(s.shift.Load())) },
		Limits: session.Limits{
			Idle: time.Hour, Absolute: 12 * time.Hour, RenewBefore: time.Minute, RenewTimeout: 5 * time.Second, Streams: 3,
		},
		Providers: map[string]session.Provider{"main": {Renewer: s.provider, Issuer: "https://id.example.com", ClientID: "spa"}},
	})
	t.Cleanup(func() {
		if err := errors.Join(s.sessions.Close(context.Background()), store.Close()); err != nil {
			t.Error(err)
		}
	})
	for user, claims := range map[string]string{
		"alice": `{"email":"alice@example.com","age":42,"ok":true,"groups":["a","b"],"name":"Alíce","evil":"x\r\nX-Admin: 1","pad":" alice","odd":["a,b"],"obj":{}}`,
		"bob":   `{}`,
	} {
		issued := time.Now().Add(-30 * time.Minute)
		ticket, err := s.sessions.Start(context.Background(), session.SignIn{
			Identity: session.Identity{Provider: "main", Issuer: "https://id.example.com", ClientID: "spa", Subject: user},
			Claims:   []byte(claims),
			Tokens: session.Tokens{
				Access: session.Secret(user + "-1"), Refresh: "refresh-1", ID: session.Secret(user + "-id"),
				Obtained: issued, Expires: issued.Add(time.Hour),
			},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.tickets[user] = ticket
	}
}

// ServeHTTP does what package web does for the proxy: it finds the session.
func (s *stand) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.serving.Add(1)
	defer s.serving.Done()
	_, h := s.proxy.Route(r)
	if h == nil {
		http.NotFound(w, r)
		return
	}
	if c, err := r.Cookie("__Host-session"); err == nil {
		sess, err := s.sessions.Resume(r.Context(), s.tickets[c.Value])
		if err == nil {
			r = r.WithContext(session.NewContext(r.Context(), sess))
		}
	}
	h.ServeHTTP(w, r)
}

// fail answers with the status that fits and remembers the error.
func (s *stand) fail(w http.ResponseWriter, _ *http.Request, err error) {
	s.mu.Lock()
	s.errs = append(s.errs, err)
	s.mu.Unlock()
	status := http.StatusInternalServerError
	refusal, isRefusal := errors.AsType[*proxy.Refusal](err)
	_, isStepUp := errors.AsType[*session.StepUp](err)
	_, isUnavailable := errors.AsType[*session.Unavailable](err)
	switch {
	case isRefusal:
		status = refusal.Status
	case isStepUp, errors.Is(err, session.ErrNotFound):
		status = http.StatusUnauthorized
	case isUnavailable:
		status = http.StatusServiceUnavailable
	case errors.Is(err, session.ErrTooManyStreams):
		status = http.StatusTooManyRequests
	}
	w.Header().Set("X-Failed", "1")
	w.WriteHeader(status)
}

// lastErr returns the last error handed to Fail.
func (s *stand) lastErr() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.errs) == 0 {
		return nil
	}
	return s.errs[len(s.errs)-1]
}

// code returns the code of the last refusal, or "".
func (s *stand) code() string {
	if r, ok := errors.AsType[*proxy.Refusal](s.lastErr()); ok {
		return r.Code
	}
	return ""
}

// do makes a request as alice and returns the answer, read to its end.
func (s *stand) do(t testing.TB, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r, err := http.NewRequest(method, s.URL+path, in)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Cookie", "__Host-session=alice")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header[header[i]] = append(r.Header[header[i]], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(got)
}

// fakeProvider renews alice-1 to alice-2 and so on.
type fakeProvider struct {
	renewals atomic.Int32
	err      error // what Renew returns instead
}

func (f *fakeProvider) Renew(_ context.Context, _ session.Identity, t session.Tokens) (session.Tokens, error) {
	f.renewals.Add(1)
	if f.err != nil {
		return session.Tokens{}, f.err
	}
	name, _, _ := strings.Cut(t.Access.Reveal(), "-")
	t.Access = session.Secret(name + "-2")
	t.Obtained, t.Expires = time.Now(), time.Now().Add(time.Hour)
	return t, nil
}

func (f *fakeProvider) Revoke(context.Context, session.Tokens) error { return nil }

func mustParse(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
