package oidc

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

const (
	metadataLife    = time.Hour        // after it the document is fetched again
	metadataTimeout = 10 * time.Second // for one attempt
	minBackoff      = time.Second      // between attempts while the provider is down
	maxBackoff      = 5 * time.Second  // so that a healed provider is noticed soon
	reachTimeout    = 5 * time.Second  // of Reach
)

// discovery fetches and keeps the metadata: one attempt at a time, started by
// whoever needs it. An old document serves while a new one is fetched.
type discovery struct {
	url     string
	issuer  string
	auth    string
	origins []string // of endpoints, beside the issuer's; empty: not fixed
	http    *http.Client
	now     func() time.Time
	log     *slog.Logger

	mu       sync.Mutex // guards what follows; never held during a call
	current  *metadata
	fetched  time.Time // when current was last confirmed
	next     time.Time // no attempt before
	failures int       // in a row
	err      error     // of the last attempt
	silent   bool      // the last attempt had no usable answer at all
	inflight *fetching
}

// fetching is one attempt to get the metadata.
type fetching struct {
	done chan struct{} // closed at the end; err is set then
	err  error         // of the fetch itself: what its outcome led to is another matter
}

func newDiscovery(cfg *Config, client *http.Client, log *slog.Logger) *discovery {
	return &discovery{
		// OpenID Connect Discovery, 4.1: a slash at the end is dropped first.
		url:    strings.TrimSuffix(cfg.Issuer, "/") + "/.well-known/openid-configuration",
		issuer: cfg.Issuer, auth: cfg.Auth, origins: cfg.EndpointOrigins, http: client, now: cfg.Now, log: log,
	}
}

// get returns the metadata, waiting for it if there is none yet. The error is
// a *session.Unavailable.
func (d *discovery) get(ctx context.Context) (*metadata, error) {
	d.mu.Lock()
	now := d.now()
	if d.current != nil {
		defer d.mu.Unlock()
		if (d.silent || now.Sub(d.fetched) >= metadataLife) && d.inflight == nil && !now.Before(d.next) {
			d.start()
		}
		return d.current, nil
	}
	if d.inflight == nil {
		if wait := d.next.Sub(now); d.err != nil && wait > 0 {
			defer d.mu.Unlock()
			return nil, d.unavailable(wait)
		}
		d.start()
	}
	current := d.inflight
	d.mu.Unlock()

	select {
	case <-current.done:
	case <-ctx.Done():
		return nil, unavailable("provider_unreachable", netCause(ctx.Err()))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current == nil {
		return nil, d.unavailable(d.next.Sub(d.now()))
	}
	return d.current, nil
}

// known returns the metadata if there is any, without a call.
func (d *discovery) known() *metadata {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.current
}

// unavailable reports the last attempt's failure. Callers hold d.mu.
func (d *discovery) unavailable(wait time.Duration) error {
	u := unavailable("provider_unreachable", fmt.Errorf("metadata: %w", d.err))
	u.RetryAfter = max(wait, 0)
	return u
}

// start begins an attempt. It belongs to nobody's request: whoever waits may
// leave, and the timeout ends it. Callers hold d.mu.
func (d *discovery) start() {
	a := &fetching{done: make(chan struct{})}
	d.inflight = a
	go func() {
		defer close(a.done)
		ctx, cancel := context.WithTimeout(context.Background(), metadataTimeout)
		defer cancel()
		m, err := d.fetch(ctx)
		a.err = err

		d.mu.Lock()
		defer d.mu.Unlock()
		d.inflight, d.silent = nil, err != nil
		d.settle(m, err)
	}()
}

func (d *discovery) fetch(ctx context.Context) (*metadata, error) {
	o, err := getJSON(ctx, d.http, d.url, session.Secret(""))
	if err != nil {
		return nil, err
	}
	m, err := parseMetadata(o, d.issuer)
	if err != nil || len(d.origins) == 0 {
		return m, err
	}
	if name, at := m.outside(d.origins); name != "" {
		return nil, fmt.Errorf("%s is at %.255q, which is neither the issuer's origin nor among endpoint_origins", name, at)
	}
	return m, nil
}

// settle takes over the outcome of an attempt. Callers hold d.mu.
func (d *discovery) settle(m *metadata, err error) {
	now := d.now()
	if err == nil && d.current != nil && len(d.origins) == 0 {
		// Whoever gets hold of the metadata must not get every refresh token and
		// our secret too. A move for good reasons needs a restart: an operator
		// who knows of it.
		if name := d.current.moved(m); name != "" {
			err = fmt.Errorf("%s has moved to another origin; to accept that restart, or name it in endpoint_origins", name)
		}
	}
	if err != nil {
		d.err = err
		d.next = now.Add(min(minBackoff<<min(d.failures, 8), maxBackoff))
		if d.failures == 0 || d.current == nil {
			text := "provider can't be used: nobody can sign in with it until its metadata can be fetched"
			if d.current != nil {
				text = "provider metadata can't be fetched anew; the older copy is kept"
			}
			d.log.Warn(text, "url", d.url, "error", err)
		}
		d.failures++
		return
	}
	if d.current == nil || d.failures > 0 {
		m.warn(d.log, d.auth)
	}
	d.current, d.fetched, d.err, d.failures = m, now, nil, 0
}

// Probe reports whether the provider's metadata is at hand, fetching it if it
// is not. It is for readiness information and start-up logs: nothing may be
// refused because of it.
func (c *Client) Probe(ctx context.Context) error {
	_, err := c.meta.get(ctx)
	return err
}

// Answers reports whether the provider gave its metadata when it was last asked,
// true if that never happened. It makes no call; while the answer is false whoever
// needs the metadata, as [Client.Probe] does, causes another attempt every few
// seconds.
func (c *Client) Answers() bool {
	c.meta.mu.Lock()
	defer c.meta.mu.Unlock()
	return !c.meta.silent
}

// Reach asks the provider for something harmless, its metadata, whatever is
// known already and however lately it was asked; nil means that it answers.
// Callers at the same time share one call, which takes five seconds at most. An
// error, always a *session.Unavailable, changes nothing of what is known, and a
// document that is not accepted because an endpoint has moved is an answer too.
func (c *Client) Reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	return c.meta.reach(ctx)
}

func (d *discovery) reach(ctx context.Context) error {
	d.mu.Lock()
	if d.inflight == nil {
		d.start()
	}
	current := d.inflight
	d.mu.Unlock()
	select {
	case <-current.done:
	case <-ctx.Done():
		return unavailable("provider_unreachable", netCause(ctx.Err()))
	}
	if current.err != nil {
		return unavailable("provider_unreachable", fmt.Errorf("metadata: %w", current.err))
	}
	return nil
}

// Origins returns the origins that a browser is sent to, as far as they are
// known yet: the issuer's, and those of the authorization and end-session
// endpoints. They belong into the form-action of a Content-Security-Policy,
// which some browsers apply to redirects too.
func (c *Client) Origins() []string {
	if m := c.meta.known(); m != nil {
		return c.origins(m.authorization, m.endSession)
	}
	return c.origins()
}

// LogoutOrigins returns the origins of the provider's logout page, as far as they
// are known yet: the issuer's, and that of the end-session endpoint. They may
// open the front-channel logout page in a frame.
func (c *Client) LogoutOrigins() []string {
	if m := c.meta.known(); m != nil {
		return c.origins(m.endSession)
	}
	return c.origins()
}

// origins returns the issuer's origin and those of the endpoints that there are,
// each once.
func (c *Client) origins(endpoints ...string) []string {
	list := []string{origin(c.cfg.Issuer)}
	for _, e := range endpoints {
		if o := origin(e); e != "" && !slices.Contains(list, o) {
			list = append(list, o)
		}
	}
	return list
}
