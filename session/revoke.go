package session

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"time"
)

const (
	revokeBatch   = 256             // revocations taken up at a time
	mostRevokers  = 16              // told to providers at a time
	firstRevoke   = 2 * time.Second // pause after an attempt that failed in passing
	lastRevoke    = 5 * time.Minute // longest such pause
	revokeAtLeast = time.Hour       // tried for so long even if the session was about to end
)

// revocation is a token that the provider is to forget. It is the only token
// that opens without a ticket: nobody may come with one any more.
type revocation struct {
	Identity
	Tokens
	Created time.Time
	Until   time.Time // by then the token has run out by itself
	Tries   int
	Ref     string // of the session
}

type wireRevocation struct {
	Provider string `json:"p"`
	Issuer   string `json:"iss"`
	ClientID string `json:"c"`
	Subject  string `json:"sub"`
	Access   string `json:"at,omitempty"`
	Refresh  string `json:"rt,omitempty"`
	Created  int64  `json:"cr"`
	Until    int64  `json:"un"`
	Tries    int    `json:"n,omitempty"`
	Ref      string `json:"ref"`
}

func (r revocation) marshal() ([]byte, error) {
	return json.Marshal(wireRevocation{
		r.Provider, r.Issuer, r.ClientID, r.Subject, r.Access.Reveal(), r.Refresh.Reveal(),
		toMilli(r.Created), toMilli(r.Until), r.Tries, r.Ref,
	})
}

func unmarshalRevocation(b []byte) (revocation, error) {
	var w wireRevocation
	if err := json.Unmarshal(b, &w); err != nil {
		return revocation{}, fmt.Errorf("session: revocation: %w", err)
	}
	return revocation{
		Identity: Identity{Provider: w.Provider, Issuer: w.Issuer, ClientID: w.ClientID, Subject: w.Subject},
		Tokens:   Tokens{Access: Secret(w.Access), Refresh: Secret(w.Refresh)},
		Created:  fromMilli(w.Created), Until: fromMilli(w.Until), Tries: w.Tries, Ref: w.Ref,
	}, nil
}

// revocation returns what is to be filed so that t is revoked, and nil if
// nobody is to be told.
func (m *Manager) revocation(k Key, who Identity, t Tokens) *Revocation {
	if _, ok := m.provider(who); !ok || t.Access == "" && t.Refresh == "" {
		return nil
	}
	now := m.now()
	until := t.RefreshExpires
	switch {
	case t.Refresh == "":
		until = t.Expires
	case until.IsZero():
		until = now.Add(max(m.limits.Absolute, revokeAtLeast))
	}
	r := revocation{Identity: who, Tokens: t, Created: now, Until: until, Ref: k.Ref()}
	filed := &Revocation{Due: now}
	_, _ = rand.Read(filed.ID[:])
	if err := m.seal(filed, r); err != nil {
		m.log.Error("a revocation can't be sealed", "session", k.Ref(), "error", err)
		return nil
	}
	return filed
}

func revocationSlot(id [16]byte) slot {
	var k Key
	copy(k[:], id[:])
	return slot{bucketRevocation, k, 0}
}

func (m *Manager) seal(filed *Revocation, r revocation) error {
	plain, err := r.marshal()
	if err != nil {
		return err
	}
	filed.Sealed, err = m.keys.Load().seal(revocationSlot(filed.ID), nil, plain)
	return err
}

// revoke files tokens for revocation and begins with it. Of a store that is in
// trouble it makes itself independent: then only the end of the process
// prevents it.
func (m *Manager) revoke(k Key, who Identity, t Tokens) {
	filed := m.revocation(k, who, t)
	if filed == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if err := m.store.PutRevocation(ctx, *filed); err != nil {
		m.log.Error("a revocation can't be written; trying it all the same", "session", k.Ref(), "error", err)
	}
	m.attempt(*filed)
}

// attempt tries to carry out a filed revocation in the background. One that is
// being tried, or comes while the Manager is closing, waits where it is filed.
func (m *Manager) attempt(filed Revocation) {
	if _, busy := m.revoking.LoadOrStore(filed.ID, nil); busy {
		return
	}
	task := func() {
		defer m.revoking.Delete(filed.ID)
		select {
		case m.revokers <- struct{}{}:
		default: // as many as may are at it
			select {
			case m.revokers <- struct{}{}:
			case <-m.closing:
				return
			}
		}
		defer func() { <-m.revokers }()
		for m.carryOut(&filed) {
			// Neither done nor put off: the store refuses.
			if !m.pause(filed.Due.Sub(m.now())) {
				return
			}
		}
	}
	if !m.spawn(task) {
		m.revoking.Delete(filed.ID)
	}
}

// carryOut tells the provider once. It reports true if that has to be tried
// again and the store can't be told when.
func (m *Manager) carryOut(filed *Revocation) (again bool) {
	plain, err := m.keys.Load().open(revocationSlot(filed.ID), nil, filed.Sealed)
	var r revocation
	if err == nil {
		r, err = unmarshalRevocation(plain)
	}
	now := m.now()
	if err == nil && !now.Before(r.Until) {
		err = errors.New("the token has run out by itself")
	}
	p, ok := m.provider(r.Identity)
	if err == nil && !ok {
		err = errors.New("its provider is no longer configured with this issuer and client_id")
	}
	if err != nil {
		m.revoked(filed, r, err)
		return false
	}
	err = p.Revoke(context.Background(), r.Tokens)
	var passing *Unavailable
	if !errors.As(err, &passing) {
		m.revoked(filed, r, err)
		return false
	}
	pause := min(firstRevoke<<min(r.Tries, 10), lastRevoke)
	pause = max(pause+mathrand.N(pause/4), passing.RetryAfter)
	r.Tries++
	filed.Due = now.Add(pause)
	if !filed.Due.Before(r.Until) {
		m.revoked(filed, r, err)
		return false
	}
	if err := m.seal(filed, r); err != nil {
		m.revoked(filed, r, err)
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	return m.store.PutRevocation(ctx, *filed) != nil
}

// revoked drops a revocation that is done, or of no use any more.
func (m *Manager) revoked(filed *Revocation, r revocation, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if err := m.store.DropRevocation(ctx, filed.ID); err != nil {
		m.log.Error("a revocation that is done can't be dropped; it will be repeated", "session", r.Ref, "error", err)
	}
	attrs := []slog.Attr{slog.String("session", r.Ref), slog.String("provider", r.Provider), slog.String("sub", r.Subject)}
	switch {
	case errors.Is(err, ErrNoRevocation):
	case err != nil:
		Audit(context.Background(), m.log, EventRevokeFailed, append(attrs, slog.String("error", err.Error()))...)
	default:
		Audit(context.Background(), m.log, EventRevoked, attrs...)
	}
}

// revokeDue takes up the revocations whose time has come: those of this process
// that failed before, and those that another one left.
func (m *Manager) revokeDue(ctx context.Context, now time.Time) {
	due, err := m.store.Revocations(ctx, now, revokeBatch)
	if err != nil {
		m.log.Error("revocations can't be read; trying again", "error", err)
		return
	}
	for _, filed := range due {
		m.attempt(filed)
	}
}

// countRevocations tells the metrics what is waiting.
func (m *Manager) countRevocations(ctx context.Context) {
	waiting, err := m.store.Revocations(ctx, probeEnds, 1000)
	if err != nil {
		return
	}
	var oldest time.Time
	for _, filed := range waiting {
		plain, err := m.keys.Load().open(revocationSlot(filed.ID), nil, filed.Sealed)
		if err != nil {
			continue
		}
		if r, err := unmarshalRevocation(plain); err == nil && (oldest.IsZero() || r.Created.Before(oldest)) {
			oldest = r.Created
		}
	}
	m.metrics.Revocations(len(waiting), oldest)
}
