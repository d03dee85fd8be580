package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session"
)

type demoCmd struct {
	Listen   string        `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Where the demo is served (${default}); a loopback address, or a port alone."`
	Provider string        `default:"127.0.0.1:8081" placeholder:"HOST:PORT" help:"Where the development provider listens (${default}). It is another site than localhost."`
	API      string        `name:"api" default:"127.0.0.1:0" placeholder:"HOST:PORT" help:"Where the sample API listens (a free port), for a configuration of your own."`
	TokenTTL time.Duration `default:"30s" help:"How long an access token lives (${default})."`
	Idle     time.Duration `default:"10m" help:"How long a session lives when nobody does anything (${default})."`

	RedirectURI  string `placeholder:"URI" help:"Register one more client at the development provider, for a configuration of your own."`
	ClientID     string `default:"app" placeholder:"ID" help:"The ID of that client (${default})."`
	ClientSecret string `default:"${demo_secret}" placeholder:"SECRET" help:"Its secret (${default}); client_secret_basic."`

	Verbose bool `short:"v" help:"Log every request."`
}

// demoClient is Cloakroom's own ID at the development provider.
const demoClient = "demo"

// demoSecret is the secret of the other client, unless another one is asked for.
const demoSecret = "app-secret"

// demoRecentAuth is short, so that the request for a recent sign-in is seen.
const demoRecentAuth = 2 * time.Minute

// Run serves the demo until the environment's context ends. Everything it
// keeps is in a temporary folder that goes with it.
func (d *demoCmd) Run(env *environment) error {
	if err := d.check(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "cloakroom-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	l, api, provider, err := d.open()
	if err != nil {
		return err
	}
	defer provider.Close()
	defer serveAPI(api, demo.APIConfig{Issuer: provider.URL, Keys: provider.KeySet})()
	_, port, _ := net.SplitHostPort(l.public.Addr().String())
	app, clientSecret := "http://localhost:"+port, rand.Text()
	client := registered(demoClient, clientSecret, app+"/bff/callback")
	client.BackchannelLogoutURI, client.BackchannelSessionRequired = app+"/bff/backchannel-logout/demo", true
	provider.SetClient(client)
	if d.RedirectURI != "" {
		provider.SetClient(registered(d.ClientID, d.ClientSecret, d.RedirectURI))
	}

	cfg := d.config(dir, app, provider.URL, "http://"+api.Addr().String())
	cfg.Providers[0].ClientSecret = session.Secret(clientSecret)
	if d.Verbose {
		cfg.Log.Level = "debug"
	}
	a, err := wire(cfg, demo.SPA(), newLogger(env.stderr, cfg.Log))
	if err != nil {
		return errors.Join(err, l.close())
	}
	d.greet(env, cfg, provider)
	return a.serveOn(env.ctx, l)
}

// check refuses what the demo can't be asked for, and completes addresses that
// are a port alone.
func (d *demoCmd) check() error {
	for _, option := range []struct {
		name string
		addr *string
	}{{"--listen", &d.Listen}, {"--provider", &d.Provider}, {"--api", &d.API}} {
		if _, err := strconv.ParseUint(*option.addr, 10, 16); err == nil {
			*option.addr = net.JoinHostPort("127.0.0.1", *option.addr)
		}
		host, _, err := net.SplitHostPort(*option.addr)
		if err == nil && !loopback(host) {
			err = fmt.Errorf("%q is not a loopback address, and anybody may be anybody in the demo", host)
		}
		if err != nil {
			return hinted{fmt.Errorf("%s: %w", option.name, err), option.name + " takes HOST:PORT, for example 127.0.0.1:8090"}
		}
	}
	absolute := DefaultConfig().Session.Absolute
	switch {
	case d.TokenTTL < time.Second:
		return hinted{errors.New("--token-ttl is too short"), "at least --token-ttl 1s"}
	case d.Idle < time.Second || d.Idle > absolute:
		return hinted{errors.New("--idle is out of range"), fmt.Sprintf("from --idle 1s to --idle %v", absolute)}
	case d.ClientID == demoClient:
		return hinted{fmt.Errorf("--client-id: %s is the demo's own", demoClient), "try --client-id app"}
	}
	return nil
}

// open takes all the addresses of the demo, so that every one that is in use is
// known at once.
func (d *demoCmd) open() (l listeners, api net.Listener, provider *demo.Server, err error) {
	var public, issuer, admin, sample error
	l.public, public = net.Listen("tcp", d.Listen)
	provider, issuer = demo.StartProvider(demo.ProviderConfig{Listen: d.Provider, AccessTTL: d.TokenTTL})
	l.admin, admin = net.Listen("tcp", "127.0.0.1:0")
	api, sample = net.Listen("tcp", d.API)
	err = errors.Join(taken("--listen "+d.Listen, public), taken("--provider "+d.Provider, issuer), taken("--api "+d.API, sample), admin)
	if err == nil {
		return l, api, provider, nil
	}
	hint := "try: cloakroom demo --listen " + other(d.Listen, public, 8090) +
		" --provider " + other(d.Provider, issuer, 8091)
	if sample != nil {
		hint += " --api " + other(d.API, sample, 9000)
	}
	if provider != nil {
		provider.Close()
	}
	if api != nil {
		err = errors.Join(err, api.Close())
	}
	return l, nil, nil, hinted{errors.Join(err, l.close()), hint}
}

// taken says in few words why an address could not be had.
func taken(option string, err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", option, err)
	}
	return err
}

// other is addr, or an address to take instead if addr could not be had.
func other(addr string, failure error, port uint16) string {
	if failure == nil {
		return addr
	}
	for end := port + 100; port < end; port += 2 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil && l.Close() == nil {
			break
		}
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

func (l listeners) close() error {
	var errs []error
	for _, one := range []net.Listener{l.public, l.admin} {
		if one != nil {
			errs = append(errs, one.Close())
		}
	}
	return errors.Join(errs...)
}

// registered is a client with the redirect URI of a Cloakroom, which says where
// it wants users back after their logout.
func registered(id, secret, redirectURI string) demo.Client {
	c := demo.Client{ID: id, Secret: secret, RedirectURIs: []string{redirectURI}}
	// .../callback, or .../callback/NAME of one of several providers
	if base, name, ok := strings.Cut(redirectURI, "/callback"); ok && !strings.Contains(strings.TrimPrefix(name, "/"), "/") {
		c.PostLogoutRedirectURIs = []string{base + "/logout/callback"}
	}
	return c
}

// serveAPI serves the sample API until stop is called.
func serveAPI(listener net.Listener, cfg demo.APIConfig) (stop func()) {
	server := &http.Server{Handler: demo.NewAPI(cfg), ReadHeaderTimeout: readHeaderTimeout}
	go func() { _ = server.Serve(listener) }()
	return func() { _ = server.Close() }
}

// config is the configuration that an operator would write for the demo.
func (d *demoCmd) config(dir, app, issuer, api string) *Config {
	cfg := DefaultConfig()
	cfg.Listen = d.Listen
	cfg.Admin = Admin{Listen: "127.0.0.1:0", TokenFile: filepath.Join(dir, "admin-token")}
	cfg.PublicURL = mustURL(app)
	cfg.KeysFile, cfg.Admin.TokenFile = filepath.Join(dir, "keys"), filepath.Join(dir, "admin-token")
	cfg.Store.Bolt.Path = filepath.Join(dir, "sessions.db")
	cfg.Session.Idle, cfg.Session.RecentAuth = d.Idle, demoRecentAuth
	cfg.ShutdownTimeout = 2 * time.Second
	cfg.Log = Log{Level: "info", Format: "text"}

	p := DefaultProvider()
	p.Name, p.DisplayName, p.Issuer, p.ClientID = "demo", "Development provider", issuer, demoClient
	p.PostLogout = "/" // the sample app shows who is signed in, and asks nobody to sign in by itself
	cfg.Providers = []Provider{p}

	route := func(path string) Route {
		r := DefaultRoute()
		r.Path, r.Upstream, r.StripPrefix = path, mustURL(api), "/api"
		return r
	}
	all, payments, admin := route("/api/"), route("/api/payments"), route("/api/admin")
	all.WebSocket = true
	payments.Methods, payments.ACRValues = []string{"POST"}, []string{"2"}
	admin.Require = []Rule{{Claim: "groups", Any: []string{"admin"}}}
	cfg.Routes = []Route{all, payments, admin}
	return cfg
}

func mustURL(raw string) *url.URL {
	u, err := url.Parse(raw)
	if err != nil {
		panic(err) // made by this file
	}
	return u
}

func (d *demoCmd) greet(env *environment, cfg *Config, provider *demo.Server) {
	var users []string
	for _, u := range demo.DefaultUsers() {
		users = append(users, u.Username)
	}
	env.say("")
	env.say("  Cloakroom demo")
	env.say("")
	env.say("  Open      %s", cfg.PublicURL)
	env.say("  Sign in   as %s (no passwords)", strings.Join(users, ", "))
	env.say("  Provider  %s  (one-time refresh tokens, access tokens live %s)", provider.URL, d.TokenTTL)
	if d.RedirectURI != "" {
		secret := "the secret of --client-secret"
		if d.ClientSecret == demoSecret {
			secret = "the secret " + demoSecret
		}
		env.say("  Client    %s, for %s, with %s", d.ClientID, d.RedirectURI, secret)
		env.say("  API       %s: /whoami, /orders, /payments, /sse", cfg.Routes[0].Upstream)
	}
	env.say("  Data      in a temporary folder, gone when you stop")
	env.say("  Stop      with Ctrl-C")
	env.say("")
	env.say("  The log below tells of each sign-in, renewal and logout.")
	env.say("")
}
