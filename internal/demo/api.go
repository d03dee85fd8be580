package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// APIConfig says whose tokens an API takes.
type APIConfig struct {
	Issuer   string
	Audience string // empty: DefaultAudience

	// Keys returns the issuer's keys; Provider.KeySet when it runs in the
	// same process. Nil: fetched from Issuer, and again for an unknown kid.
	Keys func(context.Context) (jose.JSONWebKeySet, error)

	Tick time.Duration    // between two events of /sse; zero: 1 s
	Now  func() time.Time // nil: time.Now
}

// API is a sample resource server and a test upstream: an http.Handler, safe
// for concurrent use. Below /public/ it takes anybody, everywhere else it
// wants a good access token. It writes every request down.
type API struct {
	cfg    APIConfig
	routes map[string]http.HandlerFunc

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced at every change
	requests  []*Request
	arrived   int
	overrides map[string]http.Handler
	orders    []order
}

// Request is what the API wrote down about one request, token included.
type Request struct {
	Time      time.Time
	Method    string
	URI       string // as it stood in the request line
	Host      string
	Header    http.Header
	BodyBytes int64  // read so far
	Body      []byte // the first 64 KiB of it
}

// Token returns the bearer token that came with the request, "" for none.
func (r Request) Token() string {
	token, _ := bearer(&http.Request{Header: r.Header})
	return token
}

const keepBody = 64 << 10

// NewAPI returns an API for the configured issuer's tokens.
func NewAPI(cfg APIConfig) *API {
	if cfg.Audience == "" {
		cfg.Audience = DefaultAudience
	}
	if cfg.Keys == nil {
		cfg.Keys = (&remoteKeys{issuer: cfg.Issuer}).get
	}
	if cfg.Tick == 0 {
		cfg.Tick = time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &API{cfg: cfg, changed: make(chan struct{}), overrides: map[string]http.Handler{}, orders: sampleOrders()}
	a.routes = map[string]http.HandlerFunc{
		"/whoami": a.whoami, "/orders": a.ordersList, "/payments": a.payments, "/admin": a.admin, "/ws": a.echo, "/sse": a.ticks, "/slow": a.slow,
		"/bytes": a.bytes, "/upload": a.upload, "/download": a.download,
	}
	return a
}

// Handle lets h answer in place of the API, tokens unchecked. The pattern is
// an exact path, or all paths below one that ends in a slash, with a method
// and a space before it if it is meant for that method only. The longest
// pattern wins. Nothing is cleaned or redirected on the way.
func (a *API) Handle(pattern string, h http.Handler) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.overrides[pattern] = h
}

func (a *API) override(r *http.Request) http.Handler {
	a.mu.Lock()
	defer a.mu.Unlock()
	var best http.Handler
	length := -1
	for pattern, h := range a.overrides {
		path := pattern
		if method, rest, ok := strings.Cut(pattern, " "); ok {
			if method != r.Method {
				continue
			}
			path = rest
		}
		hit := path == r.URL.Path || strings.HasSuffix(path, "/") && strings.HasPrefix(r.URL.Path, path)
		if hit && len(pattern) > length {
			best, length = h, len(pattern)
		}
	}
	return best
}

// ServeHTTP writes the request down, checks the token and answers.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.record(r)
	if h := a.override(r); h != nil {
		h.ServeHTTP(w, r)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/public/") {
		a.whoami(w, r)
		return
	}
	claims, err := a.check(r)
	if err != nil {
		challenge := `Bearer realm="demo"`
		if !errors.Is(err, errNoToken) {
			challenge += `, error="invalid_token"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
		writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_token", "why": err.Error()})
		return
	}
	h, ok := a.routes[r.URL.Path]
	if !ok {
		writeJSON(w, http.StatusNotFound, map[string]any{"error": "not_found", "path": r.URL.Path})
		return
	}
	h(w, r.WithContext(context.WithValue(r.Context(), claimsKey{}, claims)))
}

type claimsKey struct{}

func claimsOf(r *http.Request) map[string]any {
	c, _ := r.Context().Value(claimsKey{}).(map[string]any)
	return c
}

var errNoToken = errors.New("no bearer token")

// check verifies the access token. Its errors are shown to the caller and
// say nothing of the token.
func (a *API) check(r *http.Request) (map[string]any, error) {
	token, ok := bearer(r)
	if !ok {
		return nil, errNoToken
	}
	keys, err := a.cfg.Keys(context.WithValue(r.Context(), tokenKey{}, token))
	if err != nil {
		return nil, errors.New("the issuer's keys are out of reach")
	}
	claims, err := verify(keys, token, accessType)
	switch {
	case err != nil:
		return nil, errors.New("not signed by the issuer")
	case claims["iss"] != a.cfg.Issuer:
		return nil, errors.New("another issuer's token")
	case !audienceIs(claims["aud"], a.cfg.Audience):
		return nil, errors.New("meant for another audience")
	case expired(claims, a.cfg.Now()):
		return nil, errors.New("expired")
	}
	return claims, nil
}

func audienceIs(aud any, want string) bool {
	list, ok := aud.([]any)
	return aud == want || ok && slices.Contains(list, any(want))
}

func (a *API) record(r *http.Request) {
	e := &Request{Time: a.cfg.Now(), Method: r.Method, URI: r.RequestURI, Host: r.Host, Header: r.Header.Clone()}
	r.Body = &countedBody{ReadCloser: r.Body, a: a, e: e}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.requests) >= maxCalls {
		a.requests = append([]*Request(nil), a.requests[maxCalls/2:]...)
	}
	a.requests = append(a.requests, e)
	a.arrived++
	close(a.changed)
	a.changed = make(chan struct{})
}

// countedBody notes what is read.
type countedBody struct {
	io.ReadCloser
	a *API
	e *Request
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.a.mu.Lock()
	defer b.a.mu.Unlock()
	b.e.BodyBytes += int64(n)
	if room := keepBody - len(b.e.Body); room > 0 {
		b.e.Body = append(b.e.Body, p[:min(n, room)]...)
	}
	return n, err
}

// Requests returns what arrived, in order.
func (a *API) Requests() []Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]Request, 0, len(a.requests))
	for _, e := range a.requests {
		c := *e
		c.Body = slices.Clone(e.Body)
		out = append(out, c)
	}
	return out
}

// Wait blocks until n requests have arrived since the start. It returns an
// error after timeout.
func (a *API) Wait(n int, timeout time.Duration) error {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		a.mu.Lock()
		got, changed := a.arrived, a.changed
		a.mu.Unlock()
		if got >= n {
			return nil
		}
		select {
		case <-changed:
		case <-timer.C:
			return fmt.Errorf("demo: %d requests after %v, want %d", got, timeout, n)
		}
	}
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
