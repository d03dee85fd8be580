package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

// What a token set of 4 kB is made of, in bytes: two JWTs and an opaque token.
const (
	accessSize  = 1800
	idSize      = 1800
	refreshSize = 400
	tokensSize  = accessSize + idSize + refreshSize
)

// The provider that the crowd's tokens are of. Nobody asks it: its renewer
// answers at once.
const (
	providerName = "bench"
	issuer       = "http://127.0.0.1:9"
	clientID     = "bench"
)

// limits are those of the reference configuration.
var limits = session.Limits{
	Idle: 30 * time.Minute, Absolute: 12 * time.Hour, RenewBefore: time.Minute,
	RenewTimeout: 10 * time.Second, RotateEvery: 15 * time.Minute,
}

// signIn is one user's, with tokens of random text that live so long.
func signIn(lifetime time.Duration) session.SignIn {
	now := time.Now()
	return session.SignIn{
		Identity: session.Identity{
			Provider: providerName, Issuer: issuer, ClientID: clientID,
			Subject: "u-" + rand.Text(), SID: rand.Text(),
		},
		Tokens: session.Tokens{
			Access: text(accessSize), Refresh: text(refreshSize), ID: text(idSize),
			Scope: "openid profile email offline_access", Obtained: now, Expires: now.Add(lifetime),
		},
		Began: now,
		From: session.UserContext{
			UserAgent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
			Address:   netip.MustParseAddr("192.0.2.7"),
		},
		Claims: json.RawMessage(`{"sub":"u-1001","name":"Alice Archer","preferred_username":"alice","email":"alice@example.com","email_verified":true,"picture":"https://id.example.com/picture/alice.svg"}`),
		ACR:    "1", AuthTime: now,
	}
}

// text returns a random token of n characters.
func text(n int) session.Secret {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	for i := range b {
		b[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[b[i]&63]
	}
	return session.Secret(b)
}

// instant is a provider that answers at once with tokens that live so long.
type instant struct{ lifetime time.Duration }

func (r instant) Renew(_ context.Context, _ session.Identity, t session.Tokens) (session.Tokens, error) {
	t.Access, t.Refresh = text(accessSize), text(refreshSize)
	t.Obtained = time.Now()
	t.Expires = t.Obtained.Add(r.lifetime)
	return t, nil
}

func (instant) Revoke(context.Context, session.Tokens) error { return session.ErrNoRevocation }

// house is a store on the disk and how to open managers on it.
type house struct {
	dir     string
	store   *bolt.Store
	keys    *session.Keyring
	renewer session.Renewer
}

func (h *house) path() string { return filepath.Join(h.dir, "sessions.db") }

// openHouse opens the store in dir, with the keys there; both are made if they
// are missing. They lie where the binary looks for them by default if dir is the
// folder data beside its configuration.
func openHouse(dir string) (*house, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "keys")
	raw, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		raw = []byte(session.NewKey() + "\n")
		err = os.WriteFile(file, raw, 0o600)
	}
	if err != nil {
		return nil, err
	}
	h := &house{dir: dir, renewer: instant{limits.Absolute}}
	if h.keys, err = session.ParseKeyring(raw); err != nil {
		return nil, err
	}
	h.store, err = bolt.Open(bolt.Options{Path: h.path()})
	return h, err
}

// manager returns one with nothing in its memory.
func (h *house) manager() (*session.Manager, error) { return newManager(h.store, h.keys, h.renewer) }

func newManager(store session.Store, keys *session.Keyring, renewer session.Renewer) (*session.Manager, error) {
	m := session.NewManager(session.Config{
		Store: store, Keys: keys, Limits: limits, Log: slog.New(slog.DiscardHandler),
		Providers: map[string]session.Provider{providerName: {Renewer: renewer, Issuer: issuer, ClientID: clientID}},
	})
	return m, m.Unlock(context.Background())
}

// fillChunk is how many sessions one manager begins: it holds them all in
// memory.
const fillChunk = 20_000

// fill signs n users in, as the product does, so many at a time, and returns
// some of their tickets, evenly spread.
func (h *house) fill(n, keep int) (kept []session.Ticket, err error) {
	every := max(1, n/max(1, keep))
	for done := 0; done < n; done += fillChunk {
		m, err := h.manager()
		if err != nil {
			return nil, err
		}
		tickets := make([]session.Ticket, min(fillChunk, n-done))
		err = together(512, len(tickets), func(i int) (err error) {
			tickets[i], err = m.Start(context.Background(), signIn(12*time.Hour), nil)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("fill: %w", err)
		}
		for i := range tickets {
			if (done+i)%every == 0 {
				kept = append(kept, tickets[i])
			}
		}
	}
	return kept, nil
}

// together calls do(0) to do(n-1), so many at a time, and returns the first
// error.
func together(parallel, n int, do func(i int) error) error {
	var next atomic.Int64
	var once sync.Once
	var first error
	var all sync.WaitGroup
	for range min(parallel, n) {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if err := do(int(i)); err != nil {
					once.Do(func() { first = err })
					return
				}
			}
		})
	}
	all.Wait()
	return first
}
