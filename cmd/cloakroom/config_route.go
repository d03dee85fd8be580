package main

import (
	"net/url"
	"time"
)

// Route maps a path, and all that lies under it, to an upstream.
type Route struct {
	Path     string   `yaml:"path"`
	Upstream *url.URL `yaml:"upstream"`

	// StripPrefix is taken off the path before it goes upstream.
	StripPrefix string `yaml:"strip_prefix"`

	Auth  string `yaml:"auth" enum:"required,optional,none"`
	Token string `yaml:"token" enum:"access,id,none"`

	// Methods that pass; empty means GET, HEAD, POST, PUT, PATCH and DELETE.
	Methods   []string `yaml:"methods"`
	WebSocket bool     `yaml:"websocket"`

	// Timeout bounds the wait for the first byte of the answer, never a stream.
	Timeout time.Duration `yaml:"timeout"`

	// Activity says whether requests here keep a session from idling out.
	Activity  bool   `yaml:"activity"`
	Documents string `yaml:"documents" enum:"none,allow,attachment"`
	Cache     string `yaml:"cache" enum:"private,upstream"`

	// MaxBody replaces the limit on request bodies; 0 keeps Limits.Body.
	MaxBody Size `yaml:"max_body"`

	SetCookies []string          `yaml:"set_cookies"` // upstream cookies the browser may get
	Cookies    []string          `yaml:"cookies"`     // browser cookies the upstream may get
	Headers    map[string]string `yaml:"headers"`     // header name to claim name

	// ACRValues and MaxAge say how and how long ago the user must have authenticated
	// (RFC 9470); none and 0: it does not matter. Require is what the provider must say of
	// the user: all of it.
	ACRValues []string      `yaml:"acr_values"`
	MaxAge    time.Duration `yaml:"max_age"`
	Require   []Rule        `yaml:"require" single:"yes"`

	Host        string      `yaml:"host" enum:"upstream,public"`
	UpstreamTLS UpstreamTLS `yaml:"upstream_tls"`
}

// Rule is a condition on one claim: the claim, or one of its items if it is a list,
// is one of Any; each of All is it or among them.
type Rule struct {
	Claim string   `yaml:"claim"` // its name, or a path with dots into an object
	Any   []string `yaml:"any"`
	All   []string `yaml:"all"`
}

// UpstreamTLS adjusts how an upstream's certificate is verified. There is no
// way to turn verification off.
type UpstreamTLS struct {
	CAFile     string `yaml:"ca_file" path:"yes"`
	ServerName string `yaml:"server_name"`
}
