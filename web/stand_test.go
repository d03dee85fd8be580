package web_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
	"github.com/cloakroom/cloakroom/session/oidc"
	"github.com/cloakroom/cloakroom/web"
)

// options change a stand from the usual one: https://example.com, one provider,
// one API behind several routes, a small app.
type options struct {
	plain     bool     // http://localhost instead
	providers []string // names; the first is the default
	provider  func(*demo.ProviderConfig)
	client    func(*oidc.Config)
	web       func(*web.Config)
	limits    func(*session.Limits)
	bind      session.Bind
	store     func(session.Store) session.Store // wraps the real one
	keys      string                            // key file; empty: a new one
	path      string                            // the store's file; empty: a new one
	routes    func([]proxy.Config) []proxy.Config
}

// stand is the browser's side of Cloakroom as it is deployed: real providers, a
// real store, a real API, and a socket in front.
type stand struct {
	*httptest.Server
	origin    string
	server    *web.Server
	manager   *session.Manager
	proxy     *proxy.Proxy
	providers []*demo.Server
	api       *demo.API
	path      string
	keys      string
	log       *journal
	shift     atomic.Int64 // of every clock, from the true time
	seen      *journal     // everything that browsers were answered
}

// now is the one clock of Cloakroom, providers and API.
func (s *stand) now() time.Time { return time.Now().Add(time.Duration(s.shift.Load())) }

// sleep lets d pass for everybody.
func (s *stand) sleep(d time.Duration) { s.shift.Add(int64(d)) }

const (
	clientID     = "spa"
	clientSecret = "the-client-secret-4f8b"
)

// appFiles is the single-page app.
func appFiles() fs.FS {
	return fstest.MapFS{
		"index.html":        {Data: []byte("<!doctype html><title>app</title>")},
		"app.js":            {Data: []byte("console.log('app')")},
		"assets/style.css":  {Data: []byte("body{}")},
		"assets/index.html": {Data: []byte("<!doctype html><title>assets</title>")},
	}
}

func newStand(t testing.TB, o options) *stand {
	t.Helper()
	s := &stand{log: &journal{}, seen: &journal{}, path: o.path, keys: o.keys}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.origin = "https://example.com"
	if o.plain {
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		s.origin = "http://localhost:" + port
	}
	if s.path == "" {
		s.path = filepath.Join(t.TempDir(), "sessions.db")
	}
	if s.keys == "" {
		s.keys = session.NewKey()
	}
	if len(o.providers) == 0 {
		o.providers = []string{"main"}
	}
	log := slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.wire(t, o, log)

	s.Server = httptest.NewUnstartedServer(s.server)
	_ = s.Listener.Close()
	s.Listener = listener
	s.Config.DisableGeneralOptionsHandler = true
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	if o.plain {
		s.Start()
	} else {
		s.StartTLS()
	}
	t.Cleanup(func() {
		s.proxy.Close()
		s.CloseClientConnections()
		s.Close()
		s.checkLeaks(t)
	})
	return s
}

// wire makes everything but the socket, as cmd/cloakroom does.
func (s *stand) wire(t testing.TB, o options, log *slog.Logger) {
	t.Helper()
	keys, err := session.ParseKeyring([]byte(s.keys))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := bolt.Open(bolt.Options{Path: s.path})
	if err != nil {
		t.Fatal(err)
	}
	var store session.Store = opened
	if o.store != nil {
		store = o.store(store)
	}
	webProviders, managed := s.startProviders(t, o, log)
	limits := session.Limits{
		Idle: 30 * time.Minute, Absolute: 12 * time.Hour, RenewBefore: time.Minute, RenewTimeout: 5 * time.Second, Streams: 3,
	}
	if o.limits != nil {
		o.limits(&limits)
	}
	s.manager = session.NewManager(session.Config{
		Store: store, Keys: keys, Limits: limits, Bind: o.bind, Providers: managed, Log: log, Now: s.now,
	})
	upkeep, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { s.manager.Run(upkeep); close(done) }()
	t.Cleanup(func() {
		stop()
		<-done
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(s.manager.Close(ctx), opened.Close()); err != nil {
			t.Error(err)
		}
	})
	public, err := url.Parse(s.origin)
	if err != nil {
		t.Fatal(err)
	}
	c := web.Config{
		PublicURL: public, BasePath: "/bff", Keys: keys, Cookie: web.CookieConfig{Name: "session"},
		LoginFrom: web.LoginFromAny, Manager: s.manager, Providers: webProviders,
		Route: func(r *http.Request) (session.Demand, http.Handler) { return s.proxy.Route(r) },
		SPA:   appFiles(), Log: log, Now: s.now,
	}
	if o.web != nil {
		o.web(&c)
	}
	s.server = web.New(c)
	s.startAPI(t, o, public, log)
}

func (s *stand) startProviders(t testing.TB, o options, log *slog.Logger) ([]web.Provider, map[string]session.Provider) {
	t.Helper()
	var list []web.Provider
	managed := map[string]session.Provider{}
	for i, name := range o.providers {
		callback := "/bff/callback"
		if i > 0 {
			callback += "/" + name
		}
		cfg := demo.ProviderConfig{AccessTTL: 5 * time.Minute, Now: s.now, Clients: []demo.Client{{
			ID: clientID, Secret: clientSecret, RedirectURIs: []string{s.origin + callback},
			PostLogoutRedirectURIs: []string{s.origin + "/bff/logout/callback"},
		}}}
		if o.provider != nil {
			o.provider(&cfg)
		}
		p, err := demo.StartProvider(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		s.providers = append(s.providers, p)
		oc := oidc.Config{
			Name: name, Issuer: p.URL, ClientID: clientID, ClientSecret: clientSecret, RedirectURL: s.origin + callback,
			PostLogoutRedirectURL: s.origin + "/bff/logout/callback", TokenTimeout: 5 * time.Second, Now: s.now, Log: log,
		}
		if o.client != nil {
			o.client(&oc)
		}
		client, err := oidc.New(oc)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, web.Provider{Client: client, DisplayName: "Sign in at " + name, Callback: callback, PostLogout: "/bye"})
		managed[name] = session.Provider{Renewer: client, Issuer: p.URL, ClientID: oc.ClientID}
	}
	return list, managed
}

func (s *stand) startAPI(t testing.TB, o options, public *url.URL, log *slog.Logger) {
	t.Helper()
	s.api = demo.NewAPI(demo.APIConfig{
		Issuer: s.providers[0].URL, Keys: s.providers[0].KeySet, Tick: 50 * time.Millisecond, Now: s.now,
	})
	server := httptest.NewServer(s.api)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	upstream, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	routes := usualRoutes(upstream)
	if o.routes != nil {
		routes = o.routes(routes)
	}
	s.proxy, err = proxy.New(proxy.Options{
		Routes: routes, PublicURL: public, OwnCookie: s.server.OwnCookie, ClientIP: s.server.ClientIP, Log: log,
		Fail: func(w http.ResponseWriter, r *http.Request, err error) { s.server.Fail(w, r, forBrowser(err)) },
	})
	if err != nil {
		t.Fatal(err)
	}
}

// usualRoutes has one route for each kind of demand.
func usualRoutes(upstream *url.URL) []proxy.Config {
	route := func(path string, d session.Demand) proxy.Config {
		c := proxy.Config{Path: path, Upstream: upstream, StripPrefix: strings.TrimSuffix(path, "/"), Demand: d}
		if d.Auth == session.AuthNone {
			c.Token = proxy.TokenNone
		}
		return c
	}
	return []proxy.Config{
		route("/api/", session.Demand{Auth: session.AuthRequired, Activity: true, WebSocket: true}),
		route("/quiet/", session.Demand{Auth: session.AuthRequired}),
		route("/opt/", session.Demand{Auth: session.AuthOptional, Activity: true}),
		route("/open/", session.Demand{Auth: session.AuthNone, WebSocket: true}),
		route("/docs/", session.Demand{Auth: session.AuthRequired, Documents: session.DocumentsAllow, Activity: true}),
		route("/files/", session.Demand{Auth: session.AuthRequired, Documents: session.DocumentsAttachment}),
	}
}

// forBrowser is what cmd/cloakroom puts between proxy and web.
func forBrowser(err error) error {
	var refusal *proxy.Refusal
	if errors.As(err, &refusal) {
		return &web.Refusal{Status: refusal.Status, Code: refusal.Code, Allow: refusal.Allow, Err: refusal.Err}
	}
	return err
}
