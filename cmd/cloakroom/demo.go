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
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session"
)

type demoCmd struct {
	Listen   string        `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Where the demo is served (${default}); a loopback address."`
	Provider string        `default:"127.0.0.1:8081" placeholder:"HOST:PORT" help:"Where the development provider listens (${default}). It is another site than localhost."`
	TokenTTL time.Duration `default:"30s" help:"How long an access token lives (${default})."`
	Verbose  bool          `short:"v" help:"Log every request."`
}

// Run serves the demo until the environment's context ends. Everything it
// keeps is in a temporary folder that goes with it.
func (d *demoCmd) Run(env *environment) error {
	host, port, err := net.SplitHostPort(d.Listen)
	if err == nil && !loopback(host) {
		err = fmt.Errorf("--listen: %q is not a loopback address, and anybody may be anybody in the demo", host)
	}
	if err != nil {
		return hinted{err, "--listen takes HOST:PORT, for example 127.0.0.1:8080"}
	}
	dir, err := os.MkdirTemp("", "cloakroom-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	clientSecret := rand.Text()
	provider, err := d.startProvider(clientSecret, "http://localhost:"+port)
	if err != nil {
		return err
	}
	defer provider.Close()
	api, apiURL, err := startAPI(demo.APIConfig{Issuer: provider.URL, Keys: provider.KeySet})
	if err != nil {
		return err
	}
	defer func() { _ = api.Close() }()

	cfg := d.config(dir, "http://localhost:"+port, provider.URL, apiURL)
	cfg.Providers[0].ClientSecret = session.Secret(clientSecret)
	if d.Verbose {
		cfg.Log.Level = "debug"
	}
	a, err := wire(cfg, demo.SPA(), newLogger(env.stderr, cfg.Log))
	if err != nil {
		return err
	}
	l, err := a.listen()
	if err != nil {
		return errors.Join(err, a.closeFiles())
	}
	d.greet(env, cfg, provider)
	return a.serveOn(env.ctx, l)
}

// startProvider starts the development provider with Cloakroom as its client.
func (d *demoCmd) startProvider(clientSecret, app string) (*demo.Server, error) {
	provider, err := demo.StartProvider(demo.ProviderConfig{
		Listen: d.Provider, AccessTTL: d.TokenTTL,
		Clients: []demo.Client{{
			ID: "demo", Secret: clientSecret,
			RedirectURIs: []string{app + "/bff/callback"}, PostLogoutRedirectURIs: []string{app + "/bff/logout/callback"},
		}},
	})
	if err != nil {
		return nil, hinted{err, "choose another address for the development provider with --provider 127.0.0.1:PORT"}
	}
	return provider, nil
}

// startAPI serves the sample API on a free loopback port.
func startAPI(cfg demo.APIConfig) (*http.Server, string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	server := &http.Server{Handler: demo.NewAPI(cfg), ReadHeaderTimeout: readHeaderTimeout}
	go func() { _ = server.Serve(listener) }()
	return server, "http://" + listener.Addr().String(), nil
}

// config is the configuration that an operator would write for the demo.
func (d *demoCmd) config(dir, app, issuer, api string) *Config {
	cfg := DefaultConfig()
	cfg.Listen, cfg.Admin.Listen = d.Listen, "127.0.0.1:0"
	cfg.PublicURL = mustURL(app)
	cfg.KeysFile = filepath.Join(dir, "keys")
	cfg.Store.Bolt.Path = filepath.Join(dir, "sessions.db")
	cfg.ShutdownTimeout = 2 * time.Second
	cfg.Log = Log{Level: "info", Format: "text"}

	p := DefaultProvider()
	p.Name, p.DisplayName, p.Issuer, p.ClientID = "demo", "Development provider", issuer, "demo"
	cfg.Providers = []Provider{p}

	r := DefaultRoute()
	r.Path, r.Upstream, r.StripPrefix, r.WebSocket = "/api/", mustURL(api), "/api", true
	cfg.Routes = []Route{r}
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
	env.say("  Data      in a temporary folder, gone when you stop")
	env.say("  Stop      with Ctrl-C")
	env.say("")
	env.say("  The log below has one line for each sign-in, renewal and logout.")
	env.say("")
}
