package oidc_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
)

const (
	clientID    = "spa"
	secret      = "demo-secret"
	redirectURL = "http://127.0.0.1:1/bff/callback"
)

// bench is one provider and one relying party, on real sockets, with one
// clock that the test moves.
type bench struct {
	t   *testing.T
	idp *demo.Server
	rp  *oidc.Client
	log *lockedBuffer

	mu  sync.Mutex // guards now
	now time.Time
}

// setup changes the registration before the provider and the client start.
type setup func(*demo.ProviderConfig, *oidc.Config)

func newBench(t *testing.T, changes ...setup) *bench {
	t.Helper()
	b := &bench{t: t, log: &lockedBuffer{wrote: make(chan struct{}, 1)}, now: time.Now().Truncate(time.Second)}
	pcfg := demo.ProviderConfig{AutoLogin: "alice", Now: b.clock, Clients: []demo.Client{{
		ID: clientID, Secret: secret, RedirectURIs: []string{redirectURL},
		PostLogoutRedirectURIs: []string{"http://127.0.0.1:1/bff/logout/callback"},
	}}}
	cfg := oidc.Config{
		Name: "main", ClientID: clientID, ClientSecret: secret, RedirectURL: redirectURL, Now: b.clock,
		Log: slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, change := range changes {
		change(&pcfg, &cfg)
	}
	idp, err := demo.StartProvider(pcfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(idp.Close)
	if cfg.Issuer == "" {
		cfg.Issuer = idp.URL
	}
	b.idp, b.rp = idp, newClient(t, cfg)
	return b
}

func newClient(t *testing.T, cfg oidc.Config) *oidc.Client {
	t.Helper()
	c, err := oidc.New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return c
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) advance(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// authorize goes as far as the callback.
func (b *bench) authorize(p oidc.Params) (oidc.AuthRequest, url.Values) {
	b.t.Helper()
	req, to, err := b.rp.Begin(b.t.Context(), p)
	if err != nil {
		b.t.Fatalf("Begin: %v", err)
	}
	back, err := b.idp.SignIn(nil, to, "alice")
	if err != nil {
		b.t.Fatalf("SignIn: %v", err)
	}
	return req, back.Query()
}

// finish signs in as far as it goes.
func (b *bench) finish(p oidc.Params) (session.SignIn, error) {
	b.t.Helper()
	req, q := b.authorize(p)
	return b.rp.Finish(b.t.Context(), req, q)
}

// signIn signs in.
func (b *bench) signIn() session.SignIn {
	b.t.Helper()
	s, err := b.finish(oidc.Params{})
	if err != nil {
		b.t.Fatalf("Finish: %v", err)
	}
	return s
}

// refused fails the test unless err is the sentinel with the reason.
func refused(t *testing.T, err, sentinel error, reason string) {
	t.Helper()
	if !errors.Is(err, sentinel) || oidc.Reason(err) != reason {
		t.Errorf("error = %v (reason %q), want %v (reason %q)", err, oidc.Reason(err), sentinel, reason)
	}
}

// unavailable fails the test unless err says to try again later.
func unavailable(t *testing.T, err error, reason string) *session.Unavailable {
	t.Helper()
	var u *session.Unavailable
	if !errors.As(err, &u) || oidc.Reason(err) != reason {
		t.Fatalf("error = %v (reason %q), want unavailable (reason %q)", err, oidc.Reason(err), reason)
	}
	return u
}

// noSecrets fails the test if s holds anything that was ever secret.
func (b *bench) noSecrets(where, s string) {
	b.t.Helper()
	for _, issued := range b.idp.Secrets() {
		if strings.Contains(s, issued.Value) {
			b.t.Errorf("%s holds a %s", where, issued.Kind)
		}
	}
	if strings.Contains(s, secret) {
		b.t.Errorf("%s holds the client secret", where)
	}
}

func privateKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func claimsOf(t *testing.T, s session.SignIn) map[string]any {
	t.Helper()
	var claims map[string]any
	if err := json.Unmarshal(s.Claims, &claims); err != nil {
		t.Fatalf("claims: %v", err)
	}
	return claims
}

// lockedBuffer is a log that several goroutines write to.
type lockedBuffer struct {
	wrote chan struct{} // holds an element after a write
	mu    sync.Mutex
	b     bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.wrote <- struct{}{}:
	default:
	}
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// waitFor blocks until the log holds s.
func (l *lockedBuffer) waitFor(t *testing.T, s string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !strings.Contains(l.String(), s) {
		select {
		case <-deadline:
			t.Fatalf("the log never says %q", s)
		case <-l.wrote:
		}
	}
}
