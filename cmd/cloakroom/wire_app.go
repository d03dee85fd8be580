package main

import (
	"time"

	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/web"
)

// webApp is how the app's pages and files are sent.
func webApp(cfg *Config) web.AppConfig {
	s := cfg.SPA
	return web.AppConfig{
		CSP: s.CSP, Headers: s.Headers, Immutable: s.Immutable, Gate: s.Gate, Public: s.Public, Report: s.CSPReport,
	}
}

// appTimeout is how long the app's own server may take to the first byte of an
// answer: one for development builds what it is asked for first.
const appTimeout = 2 * time.Minute

// appRoute leads what no other route names to the app's own server. It gets neither
// cookies nor a token.
func appRoute(cfg *Config) proxy.Config {
	return proxy.Config{
		Path: "/", Upstream: cfg.SPA.Upstream,
		Demand: session.Demand{Auth: session.AuthNone, Documents: session.DocumentsApp, WebSocket: true},
		Token:  proxy.TokenNone, Cache: proxy.CacheUpstream, Timeout: appTimeout, MaxBody: int64(cfg.Limits.Body),
	}
}
