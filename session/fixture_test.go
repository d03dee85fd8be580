package session_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

// room is a Manager on a real bolt file, with a provider and a store that fail
// on demand.
type room struct {
	*session.Manager
	t        *testing.T
	path     string
	keys     *session.Keyring
	limits   session.Limits
	store    *faultStore
	wrap     func(session.Store) session.Store // of the first opening; nil: as it is
	provider *provider
	blocking bool
	clientID string
	config   func(*session.Config) // has the last word on each opening; nil: none
	log      *lines
	stop     func()
	died     chan struct{} // see die
}

var usualLimits = session.Limits{
	Idle: 30 * time.Minute, Absolute: 8 * time.Hour, RenewBefore: time.Minute, RenewTimeout: 10 * time.Second, Streams: 3,
}

func newRoom(t *testing.T, change ...func(*room)) *room {
	t.Helper()
	r := &room{
		t: t, path: filepath.Join(t.TempDir(), "sessions.db"), limits: usualLimits, clientID: "spa",
		provider: &provider{lifetime: 5 * time.Minute}, log: &lines{}, keys: keyring(t, session.NewKey()),
	}
	for _, f := range change {
		f(r)
	}
	r.open()
	t.Cleanup(func() { r.close() })
	return r
}

func keyring(t *testing.T, lines ...string) *session.Keyring {
	t.Helper()
	k, err := session.ParseKeyring([]byte(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (r *room) open() {
	r.t.Helper()
	store, err := bolt.Open(bolt.Options{Path: r.path})
	if err != nil {
		r.t.Fatal(err)
	}
	r.store = &faultStore{Store: store}
	if r.wrap != nil {
		r.store.Store, r.wrap = r.wrap(store), nil
	}
	c := session.Config{
		Store: r.store, Keys: r.keys, Limits: r.limits, Log: slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Providers: map[string]session.Provider{
			"main": {Renewer: r.provider, Issuer: "https://id.test", ClientID: r.clientID, Blocking: r.blocking},
		},
	}
	if r.config != nil {
		r.config(&c)
	}
	r.Manager = session.NewManager(c)
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan struct{})
	go func() { r.Run(ctx); close(done) }()
	r.stop = sync.OnceFunc(func() { cancel(); <-done })
}

// close is an orderly end.
func (r *room) close() {
	r.stop()
	if err := r.Close(context.Background()); err != nil {
		r.t.Errorf("Close: %v", err)
	}
	_ = r.store.Store.Close()
}

// restart ends in order and opens the same file again.
func (r *room) restart() {
	r.t.Helper()
	r.close()
	r.open()
}

// signIn starts a session of subject with a fresh token set.
func (r *room) signIn(subject string, previous *session.Ticket) session.Ticket {
	r.t.Helper()
	ticket, err := r.Start(r.t.Context(), r.provider.signIn(subject), previous)
	if err != nil {
		r.t.Fatalf("Start: %v", err)
	}
	return ticket
}

func (r *room) resume(ticket session.Ticket) *session.Session {
	r.t.Helper()
	s, err := r.Resume(r.t.Context(), ticket)
	if err != nil {
		r.t.Fatalf("Resume: %v", err)
	}
	return s
}

// access returns the access token that a call on the ticket gets now.
func (r *room) access(ticket session.Ticket) string {
	r.t.Helper()
	token, err := r.resume(ticket).Access(r.t.Context())
	if err != nil {
		r.t.Fatalf("Access: %v", err)
	}
	return token.Reveal()
}

func (r *room) wantOver(ticket session.Ticket) {
	r.t.Helper()
	if _, err := r.Resume(r.t.Context(), ticket); !errors.Is(err, session.ErrNotFound) {
		r.t.Errorf("Resume: got %v, want ErrNotFound", err)
	}
}

// provider is a Renewer that rotates its tokens and notes what it is sent.
type provider struct {
	lifetime time.Duration
	answer   func(n int, t session.Tokens) (session.Tokens, error) // nil: rotate

	revoke func(n int) error // nil: done

	mu      sync.Mutex
	issued  int
	renewed []string // refresh tokens it was sent
	revoked []string
}

func (p *provider) next() session.Tokens {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.issued++
	now := time.Now()
	return session.Tokens{
		Access:  session.Secret(fmt.Sprintf("access-%d", p.issued)),
		Refresh: session.Secret(fmt.Sprintf("refresh-%d", p.issued)),
		ID:      session.Secret(fmt.Sprintf("id-%d", p.issued)),
		Scope:   "openid", Obtained: now, Expires: now.Add(p.lifetime),
	}
}

// takes makes each renewal take so long.
func (p *provider) takes(d time.Duration) {
	p.answer = func(int, session.Tokens) (session.Tokens, error) {
		time.Sleep(d)
		return p.next(), nil
	}
}

func (p *provider) signIn(subject string) session.SignIn {
	return session.SignIn{
		Identity: session.Identity{
			Provider: "main", Issuer: "https://id.test", ClientID: "spa", Subject: subject, SID: "sid-" + subject,
		},
		Tokens: p.next(), Claims: json.RawMessage(`{"sub":"` + subject + `"}`),
	}
}

func (p *provider) Renew(_ context.Context, _ session.Identity, t session.Tokens) (session.Tokens, error) {
	p.mu.Lock()
	p.renewed = append(p.renewed, t.Refresh.Reveal())
	n, answer := len(p.renewed), p.answer
	p.mu.Unlock()
	if answer != nil {
		return answer(n, t)
	}
	return p.next(), nil
}

func (p *provider) Revoke(_ context.Context, t session.Tokens) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revoked = append(p.revoked, t.Refresh.Reveal())
	if p.revoke != nil {
		return p.revoke(len(p.revoked))
	}
	return nil
}

func (p *provider) sent() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.renewed...)
}

func (p *provider) revocations() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.revoked...)
}

// faultStore fails in the methods that fail names, and counts its writes.
type faultStore struct {
	session.Store
	mu     sync.Mutex
	fail   map[string]error
	after  func(method string) // called after a method worked
	writes map[string]int
}

func (f *faultStore) set(method string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail == nil {
		f.fail = map[string]error{}
	}
	f.fail[method] = err
}

func (f *faultStore) call(method string, do func() error) error {
	f.mu.Lock()
	err, after := f.fail[method], f.after
	if f.writes == nil {
		f.writes = map[string]int{}
	}
	f.writes[method]++
	f.mu.Unlock()
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	if after != nil {
		after(method)
	}
	return nil
}

func (f *faultStore) count(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.writes[method]
}

func (f *faultStore) Create(ctx context.Context, k session.Key, r session.Record, fl session.Filing) error {
	return f.call("Create", func() error { return f.Store.Create(ctx, k, r, fl) })
}

func (f *faultStore) Load(ctx context.Context, k session.Key) (r session.Record, err error) {
	err = f.call("Load", func() (err error) { r, err = f.Store.Load(ctx, k); return err })
	return r, err
}

func (f *faultStore) UpdateHeads(ctx context.Context, u []session.HeadUpdate) error {
	return f.call("UpdateHeads", func() error { return f.Store.UpdateHeads(ctx, u) })
}

func (f *faultStore) SwapTokens(ctx context.Context, k session.Key, u session.TokensUpdate) error {
	return f.call("SwapTokens", func() error { return f.Store.SwapTokens(ctx, k, u) })
}

func (f *faultStore) Delete(ctx context.Context, k session.Key, rev *session.Revocation) error {
	return f.call("Delete", func() error { return f.Store.Delete(ctx, k, rev) })
}

// lines is the log.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// events returns the audit events of the given name as "name reason class".
func (l *lines) events(name session.Event) []string {
	var out []string
	for line := range strings.Lines(l.String()) {
		var e struct{ Msg, Reason, Class string }
		if json.Unmarshal([]byte(line), &e) == nil && e.Msg == string(name) {
			out = append(out, strings.TrimSpace(e.Reason+" "+e.Class))
		}
	}
	return out
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
