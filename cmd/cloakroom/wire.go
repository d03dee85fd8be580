package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
	"github.com/cloakroom/cloakroom/session/oidc"
	"github.com/cloakroom/cloakroom/web"
)

// app is a whole Cloakroom, wired but not yet listening.
type app struct {
	cfg     *Config
	log     *slog.Logger
	store   *bolt.Store
	manager *session.Manager
	clients []*oidc.Client
	proxy   *proxy.Proxy
	web     *web.Server
	root    *os.Root // of the application's files; nil if there are none on disk

	token    session.Secret // of the admin listener
	refusals adminRefusals
	backup   sync.Mutex // held while one is taken
	metrics  *metrics
	keyIDs   []string         // of the keys it was wired with, newest first
	hup      <-chan os.Signal // asks to read the keys again; nil: nobody does
}

// How renewals in the background keep out of the users' way: half of renew_before is
// left to those whose calls are rare, and a call is over in the time of renewYield.
const (
	renewSpread = 0.5
	renewYield  = 50 * time.Millisecond
	renewWrite  = 20 * time.Millisecond // for which an intent waits to be written with others
)

// eventsPerSession is how many pages of one session may listen to its events.
const eventsPerSession = 4

// wire makes an app of cfg. spa replaces the files of cfg.SPA.Dir unless it is
// nil. Whoever gets an app closes it.
func wire(cfg *Config, spa fs.FS, log *slog.Logger) (_ *app, err error) {
	keys, err := openKeyring(cfg)
	if err != nil {
		return nil, err
	}
	a := &app{cfg: cfg, log: log, metrics: newMetrics(providerNames(cfg)), keyIDs: keys.IDs()}
	a.store, err = bolt.Open(bolt.Options{Path: cfg.Store.Bolt.Path, Patience: renewWrite, Log: log, Damaged: a.storeDamaged})
	if errors.Is(err, bolt.ErrDamaged) {
		return nil, hintStore(err)
	} else if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.closeFiles())
		}
	}()
	if r, ok := a.store.Restored(); ok {
		// Old refresh tokens must not be sent: providers take that for theft (J4).
		session.Audit(context.Background(), log, session.EventRestored, slog.String("file", cfg.Store.Bolt.Path),
			slog.String("found", string(r.Reason)), slog.Int("sessions", r.Sessions),
			slog.String("hint", "everybody signs in again; to move a store, copy the file and its .mark together"))
	}
	if a.token, err = openAdminToken(cfg.Admin.TokenFile); err != nil {
		return nil, fmt.Errorf("admin.token_file: %w", err)
	}
	providers, err := a.providers()
	if err != nil {
		return nil, err
	}
	a.manager = session.NewManager(session.Config{
		Store: faultyStore(a.store), Keys: keys, Log: log, Providers: managed(cfg, a.clients),
		Limits: session.Limits{
			Idle: cfg.Session.Idle, Absolute: cfg.Session.Absolute,
			RenewBefore: cfg.Session.RenewBefore, RenewTimeout: cfg.Session.RenewTimeout,
			RenewSpread: renewSpread, RenewYield: renewYield,
			RotateEvery: cfg.Session.RotateEvery, PerUser: cfg.Session.MaxPerUser, Streams: cfg.Limits.StreamsPerSession, Watches: eventsPerSession,
			InMemory: cfg.Limits.SessionsInMemory,
		},
		Bind: session.Bind(cfg.Session.Bind), Metrics: a.metrics,
	})
	if err := a.manager.Unlock(context.Background()); errors.Is(err, session.ErrWrongKeys) {
		return nil, wrongKeys(cfg)
	} else if err != nil {
		return nil, hintStore(err)
	}
	a.metrics.watchStore(a.manager.Ready)
	a.metrics.watchMemory(a.manager.InMemory)
	a.metrics.watchEvents(func() int { return a.web.EventStreams() })
	if spa == nil && cfg.SPA.Dir != "" {
		if a.root, err = os.OpenRoot(cfg.SPA.Dir); err != nil {
			return nil, fmt.Errorf("spa.dir: %w", err)
		}
		spa = a.root.FS()
	}
	return a, a.face(keys, providers, spa)
}

// storeDamaged tells of damage that is met while the store serves. What lies
// there is lost; the rest goes on, so that /readyz stays as it is.
func (a *app) storeDamaged(err error) {
	a.metrics.storeSound.Set(0)
	a.log.Error("the store is damaged: sessions that lie there can't be used. The next start reads the whole file, and refuses it if a page is broken",
		"error", err, "hint", remedy)
}

// face makes what browsers meet: the endpoints, the files and the proxy.
func (a *app) face(keys *session.Keyring, providers []web.Provider, spa fs.FS) error {
	cfg, log := a.cfg, a.log
	pages, err := loadPages(cfg)
	if err != nil {
		return fmt.Errorf("pages.dir: %w", err)
	}
	a.web = web.New(web.Config{
		PublicURL: cfg.PublicURL, BasePath: cfg.BasePath, Keys: keys,
		Cookie: web.CookieConfig{
			Name: cfg.Session.Cookie.Name, Lax: cfg.Session.Cookie.SameSite == "lax", MaxAge: cfg.Session.Cookie.MaxAge,
		},
		EventStreams: cfg.Limits.EventStreams, RecentAuth: cfg.Session.RecentAuth,
		LoginFrom: web.LoginFrom(cfg.LoginFrom), Manager: a.manager, Providers: providers,
		Route: func(r *http.Request) (session.Demand, http.Handler) { return a.proxy.Route(r) },
		HSTS:  web.HSTS(cfg.HSTS), SPA: spa, App: webApp(cfg), Pages: pages,
		Client: web.TrustedProxies(cfg.TrustedProxies), Log: log, Count: a.metrics,
		Rates: web.Rates{
			SignIns: cfg.Limits.Rates.SignIns, Callbacks: cfg.Limits.Rates.Callbacks,
			Renewals: cfg.Limits.Rates.Renewals, RefusedTickets: cfg.Limits.Rates.RefusedTickets,
			Reports: cfg.Limits.Rates.CSPReports,
		},
	})
	a.proxy, err = proxy.New(proxy.Options{
		Routes: proxyRoutes(cfg), PublicURL: cfg.PublicURL, OwnCookie: a.web.OwnCookie,
		ClientIP: a.web.ClientIP, Log: log,
		Fail: func(w http.ResponseWriter, r *http.Request, err error) { a.web.Fail(w, r, forBrowser(err)) },
	})
	return err
}

// openKeyring reads the key file. At the very first start, when there is no
// store either, it makes one with a first key: 0600.
func openKeyring(cfg *Config) (*session.Keyring, error) {
	keys, err := readKeyring(cfg.KeysFile)
	if lost := keysLost(cfg, err); lost != nil {
		return nil, lost
	}
	if !errors.Is(err, os.ErrNotExist) {
		return keys, err
	}
	if err := os.MkdirAll(filepath.Dir(cfg.KeysFile), 0o700); err != nil {
		return nil, err
	}
	if _, err := addKey(cfg.KeysFile); err != nil {
		return nil, err
	}
	return readKeyring(cfg.KeysFile)
}

// wrongKeys says that the keys and the store do not belong together. Going on
// would sign out every user.
func wrongKeys(cfg *Config) error {
	return misfit{hinted{fmt.Errorf("the keys in %s do not open %s", cfg.KeysFile, cfg.Store.Bolt.Path), restoreKeys}}
}

func proxyRoutes(cfg *Config) []proxy.Config {
	var out []proxy.Config
	for _, r := range cfg.Routes {
		body := r.MaxBody
		if body == 0 {
			body = cfg.Limits.Body
		}
		out = append(out, proxy.Config{
			Path: r.Path, Upstream: r.Upstream, StripPrefix: r.StripPrefix,
			Demand: session.Demand{
				Auth: session.Auth(r.Auth), Documents: session.Documents(r.Documents),
				Activity: r.Activity, WebSocket: r.WebSocket,
				ACRValues: r.ACRValues, MaxAge: r.MaxAge, Require: rules(r),
			},
			Token: r.Token, Methods: r.Methods, Timeout: r.Timeout, MaxBody: int64(body), Cache: r.Cache,
			SetCookies: r.SetCookies, Cookies: r.Cookies, Headers: r.Headers, Host: r.Host,
			TLS: proxy.TLS{CAFile: r.UpstreamTLS.CAFile, ServerName: r.UpstreamTLS.ServerName},
		})
	}
	if cfg.SPA.Upstream != nil {
		out = append(out, appRoute(cfg))
	}
	return out
}

func rules(r Route) []session.Rule {
	var out []session.Rule
	for _, rule := range r.Require {
		out = append(out, session.Rule{Claim: rule.Claim, Any: rule.Any, All: rule.All})
	}
	return out
}

// forBrowser gives web the proxy's errors in its own words: neither knows the
// other.
func forBrowser(err error) error {
	var refusal *proxy.Refusal
	if errors.As(err, &refusal) {
		return &web.Refusal{Status: refusal.Status, Code: refusal.Code, Allow: refusal.Allow, Err: refusal.Err}
	}
	return err
}

// warm asks every provider for its metadata, so that a wrong issuer is in the
// log before the first user finds it. Nothing waits for it.
func (a *app) warm(ctx context.Context) {
	for _, c := range a.clients {
		go func() { _ = c.Probe(ctx) }() // the client itself logs what is wrong
	}
}

func (a *app) closeFiles() error {
	err := a.store.Close()
	if a.root != nil {
		err = errors.Join(err, a.root.Close())
	}
	return err
}
