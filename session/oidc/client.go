package oidc

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// Client is the relying party at one provider. It is safe for concurrent use
// and remembers nothing of any user.
type Client struct {
	cfg    Config
	log    *slog.Logger
	http   *http.Client // for metadata, keys and UserInfo
	poster *http.Client // for what may be sent only once
	auth   *authenticator
	meta   *discovery
	keys   *keySet
	claims map[string]bool // that are shown
	kept   map[string]bool // that are kept, shown or not
}

var (
	_ session.Renewer = (*Client)(nil)
	_ session.Reacher = (*Client)(nil)
)

// New returns a client for cfg, or everything that is wrong with cfg. It makes
// no network call: a provider that is down keeps nobody from starting.
func New(cfg Config) (*Client, error) {
	cfg.setDefaults()
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("oidc: provider %q: %w", cfg.Name, err)
	}
	auth, err := newAuthenticator(&cfg)
	if err != nil {
		return nil, fmt.Errorf("oidc: provider %q: %w", cfg.Name, err)
	}
	c := &Client{cfg: cfg, auth: auth, log: cfg.Log.With("provider", cfg.Name)}
	transport := newTransport(&cfg)
	c.http = newHTTPClient(transport)
	transport = transport.Clone()
	transport.DisableKeepAlives = true
	c.poster = newHTTPClient(transport)
	c.meta = newDiscovery(&c.cfg, c.http, c.log)
	c.keys = &keySet{http: c.http, now: cfg.Now, pauses: map[source]time.Time{}}
	c.claims, c.kept = map[string]bool{}, map[string]bool{}
	for _, name := range cfg.Keep {
		c.kept[name] = true
	}
	for _, name := range cfg.Claims {
		c.claims[name] = true
	}
	if len(c.claims) == 0 {
		for _, name := range strings.Fields(defaultClaims) {
			c.claims[name] = true
		}
	}
	return c, nil
}

// Name returns the provider's name in our configuration.
func (c *Client) Name() string { return c.cfg.Name }

// Issuer returns the provider's issuer identifier.
func (c *Client) Issuer() string { return c.cfg.Issuer }

// PublicKeys returns the keys that the provider needs to check our assertions,
// each a JSON Web Key (RFC 7517); none unless the client authenticates with
// private_key_jwt.
func (c *Client) PublicKeys() []json.RawMessage { return c.auth.public }

// newHTTPClient returns a client that follows no redirect: with 307 it would
// send body and credentials to wherever the answer says.
func newHTTPClient(transport *http.Transport) *http.Client {
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// newTransport returns the transport for calls to the provider. See the
// package documentation for what it does not do, and why.
func newTransport(cfg *Config) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSClientConfig: &tls.Config{
			RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12,
			// Each POST has a connection of its own; this makes them cheap.
			ClientSessionCache: tls.NewLRUClientSessionCache(8),
		},
		TLSHandshakeTimeout:    5 * time.Second,
		Protocols:              &protocols,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}
