// Package demo is what `cloakroom demo` shows Cloakroom with, and what the
// tests of the other packages run against: an OpenID Provider, an API and a
// single-page app.
//
// The provider follows the specifications strictly, so that a relying party
// which passes here has met a real one's rules, and misbehaves only where it
// is told to: see [Faults]. It keeps everything in memory, writes down every
// call, secrets included, and lets anybody in as anybody. It must never face
// a network; [StartProvider] therefore listens on the loopback address only.
package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// DefaultAudience is the audience of access tokens when the client asks for
// no resource (RFC 8707), and what [API] expects unless told otherwise.
const DefaultAudience = "demo-api"

// User is somebody who can sign in; the login page shows a button for each.
type User struct {
	Subject, Username, Name, Email, Picture string

	// Groups is the claim groups, for the scope profile; nil: there is none.
	Groups []string
}

// DefaultUsers returns the three people of the demo. Their pictures are left
// empty; the provider serves one for each and fills it in.
func DefaultUsers() []User {
	return []User{
		{Subject: "u-1001", Username: "alice", Name: "Alice Archer", Email: "alice@example.com", Groups: []string{"staff"}},
		{Subject: "u-1002", Username: "bob", Name: "Bob Baker", Email: "bob@example.com", Groups: []string{"staff", "admin"}},
		{Subject: "u-1003", Username: "carol", Name: "Carol Carter", Email: "carol@example.com"},
	}
}

// Client is a registered relying party. Every client is confidential: one
// without a secret or keys can begin a sign-in but never redeem its code.
type Client struct {
	ID, Secret string

	// AuthMethod is the only way this client may authenticate at the token
	// and revocation endpoints: client_secret_basic (also when empty),
	// client_secret_post or private_key_jwt.
	AuthMethod string

	// Keys are the public keys that private_key_jwt assertions must be
	// signed with.
	Keys []jose.JSONWebKey

	// RedirectURIs and PostLogoutRedirectURIs are compared as strings.
	RedirectURIs, PostLogoutRedirectURIs []string

	// BackchannelLogoutURI gets a logout token when a session of the user ends
	// here. With BackchannelSessionRequired it always names the session.
	BackchannelLogoutURI       string
	BackchannelSessionRequired bool

	// FrontchannelLogoutURI is opened in a frame of the logout page, with iss and
	// sid.
	FrontchannelLogoutURI string
}

func (c Client) authMethod() string {
	if c.AuthMethod == "" {
		return methodBasic
	}
	return c.AuthMethod
}

// ProviderConfig says what a provider knows and how it behaves when healthy.
type ProviderConfig struct {
	// Issuer is the provider's URL, without a slash at its end. NewProvider
	// needs it; StartProvider sets it from its listener.
	Issuer string

	// Listen is where StartProvider listens. Empty: a free port of
	// 127.0.0.1. Anything but a loopback address is refused.
	Listen string

	Clients []Client
	Users   []User // nil: DefaultUsers

	// Lifetimes of what the token endpoint hands out; zero: 30 s, 12 h and
	// 5 min. RefreshTTL counts from the sign-in: rotation does not extend it.
	AccessTTL, RefreshTTL, IDTTL time.Duration

	Refresh RefreshMode
	Grace   time.Duration // for RefreshGrace and RefreshSame
	Reuses  int           // for RefreshCount

	// AutoLogin is the username of somebody who is signed in without a page,
	// whatever the prompt: a browser that comes back at once.
	AutoLogin string

	// SigningAlg is ES256 (also when empty) or RS256.
	SigningAlg string

	// Backchannel posts logout tokens. Nil: the machine's own trust, no redirects.
	Backchannel *http.Client

	Now func() time.Time // nil: time.Now
}

// Provider is an OpenID Provider: an http.Handler, safe for concurrent use.
type Provider struct {
	*journal
	*faultBox

	cfg    ProviderConfig
	prefix string // the issuer's path
	routes map[string]endpoint
	closed chan struct{}
	life   context.Context // of what goes on after a call was answered
	die    context.CancelFunc

	// mu guards everything below. It is held while a call is processed but
	// never while one is delayed, held or answered.
	mu       sync.Mutex
	clients  map[string]Client
	keys     []signingKey // the first signs
	foreign  signingKey   // never published
	codes    map[string]*code
	refresh  map[string]*refreshToken
	revoked  map[string]time.Time // access tokens' jti, until they expire
	seen     map[string]time.Time // assertions' jti, until they expire
	sso      map[string]*ssoSession
	pending  map[string]*interaction
	families []*family
	swept    time.Time // when sweep last looked
}

// NewProvider returns a provider for cfg.Issuer. It does not listen; mount it
// at the root of a server that answers for that URL.
func NewProvider(cfg ProviderConfig) (*Provider, error) {
	u, err := url.Parse(cfg.Issuer)
	if err != nil || u.Host == "" || strings.HasSuffix(cfg.Issuer, "/") {
		return nil, fmt.Errorf("demo: issuer %q: want an absolute URL without a slash at its end", cfg.Issuer)
	}
	cfg = cfg.withDefaults()
	p := &Provider{
		journal: newJournal(), faultBox: &faultBox{queue: map[string][]Fault{}},
		cfg: cfg, prefix: u.Path, closed: make(chan struct{}),
		clients: map[string]Client{}, codes: map[string]*code{}, refresh: map[string]*refreshToken{},
		revoked: map[string]time.Time{}, seen: map[string]time.Time{},
		sso: map[string]*ssoSession{}, pending: map[string]*interaction{},
	}
	p.life, p.die = context.WithCancel(context.Background())
	for i, user := range p.cfg.Users {
		if user.Picture == "" {
			p.cfg.Users[i].Picture = cfg.Issuer + "/picture/" + url.PathEscape(user.Username) + ".svg"
		}
	}
	if p.cfg.AutoLogin != "" {
		if _, ok := p.user(p.cfg.AutoLogin); !ok {
			return nil, fmt.Errorf("demo: no user %q to sign in automatically", p.cfg.AutoLogin)
		}
	}
	key, err := newSigningKey(cfg.SigningAlg)
	if err != nil {
		return nil, err
	}
	if p.foreign, err = newSigningKey(cfg.SigningAlg); err != nil {
		return nil, err
	}
	p.keys = []signingKey{key}
	for _, c := range cfg.Clients {
		p.clients[c.ID] = c
	}
	p.routes = p.routeTable()
	return p, nil
}

func (cfg ProviderConfig) withDefaults() ProviderConfig {
	or := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	or(&cfg.AccessTTL, 30*time.Second)
	or(&cfg.RefreshTTL, 12*time.Hour)
	or(&cfg.IDTTL, 5*time.Minute)
	if cfg.Users == nil {
		cfg.Users = DefaultUsers()
	}
	cfg.Users = append([]User(nil), cfg.Users...)
	if cfg.SigningAlg == "" {
		cfg.SigningAlg = string(jose.ES256)
	}
	if cfg.Backchannel == nil {
		cfg.Backchannel = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return cfg
}

// Server is a provider with a listener of its own.
type Server struct {
	*Provider
	URL string // the issuer

	http *http.Server
	once sync.Once
}

// StartProvider starts a provider over http on a loopback address, which is
// its issuer. Close it when done.
func StartProvider(cfg ProviderConfig) (*Server, error) {
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("demo: start provider: %w", err)
	}
	addr, ok := ln.Addr().(*net.TCPAddr)
	if !ok || !addr.IP.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("demo: start provider: %v is not a loopback address", ln.Addr()), ln.Close())
	}
	cfg.Issuer = "http://" + addr.String()
	p, err := NewProvider(cfg)
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	s := &Server{Provider: p, URL: cfg.Issuer, http: &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}}
	// Serve returns when Close is called; no other end is of interest here.
	go func() { _ = s.http.Serve(ln) }()
	return s, nil
}

// Close stops listening, cuts every connection and lets go of held calls.
func (s *Server) Close() {
	s.once.Do(func() {
		close(s.closed)
		s.die()
		_ = s.http.Close()
	})
}

// Issuer returns the provider's issuer identifier.
func (p *Provider) Issuer() string { return p.cfg.Issuer }

// SetClient adds a client or replaces the one with the same ID, for instance
// once the relying party's own address is known.
func (p *Provider) SetClient(c Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clients[c.ID] = c
}

func (p *Provider) client(id string) (Client, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.clients[id]
	return c, ok
}

func (p *Provider) user(username string) (User, bool) {
	for _, u := range p.cfg.Users {
		if u.Username == username {
			return u, true
		}
	}
	return User{}, false
}

func (p *Provider) now() time.Time { return p.cfg.Now() }

// secret returns an unguessable value that shows by its prefix what it is
// wherever it leaks to.
func secret(prefix string) string { return prefix + "_" + rand.Text() }
