package session

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"runtime/debug"
	"time"
)

const (
	revokeBatch   = 256             // revocations taken up at a time
	mostInHand    = 1024            // taken up or waiting their turn
	mostRevokers  = 16              // told to one provider at a time
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
	if !now.Before(until) {
		return nil // it has run out by itself
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
		m.inHand.Add(1)
		m.takeUp(*filed) // however many are in hand: nobody else would
		return
	}
	m.attempt(*filed)
}

// stage is how far a revocation has come that this process took up.
type stage int

const (
	trying  stage = iota
	settled       // the store knows what became of it; whoever read the queue before does not
	done          // but the store would not drop it
)

// attempt tries to carry out a filed revocation in the background. One that was
// taken up already, or comes while the Manager is closing, waits where it is filed.
func (m *Manager) attempt(filed Revocation) {
	if m.inHand.Add(1) > mostInHand {
		m.inHand.Add(-1)
		return // it is taken up when others are done
	}
	m.takeUp(filed)
}

// takeUp is attempt for one that is counted already.
func (m *Manager) takeUp(filed Revocation) {
	if _, known := m.revoking.LoadOrStore(filed.ID, trying); known {
		m.inHand.Add(-1)
		return
	}
	task := func() {
		defer m.inHand.Add(-1)
		at := m.carryOut(&filed)
		for at == trying && m.pause(filed.Due.Sub(m.now())) {
			at = m.carryOut(&filed)
		}
		m.revoking.Store(filed.ID, at)
	}
	if !m.spawn(task) {
		m.inHand.Add(-1)
		m.revoking.Delete(filed.ID)
	}
}

// tell has its turn at a provider and revokes r there; false if the Manager
// closed before. A panic costs one attempt, not the process.
func (m *Manager) tell(p Provider, r revocation) (err error, told bool) {
	turns := m.revokers[r.Provider]
	select {
	case turns <- struct{}{}:
	default: // as many as may are at it
		select {
		case turns <- struct{}{}:
		case <-m.closing:
			return nil, false
		}
	}
	defer func() {
		<-turns
		if cause := recover(); cause != nil {
			m.log.Error("a revocation panicked", "session", r.Ref, "type", fmt.Sprintf("%T", cause), "stack", string(debug.Stack()))
			err, told = &Unavailable{Err: errors.New("the revocation panicked")}, true
		}
	}()
	return p.Revoke(context.Background(), r.Tokens), true
}

// carryOut tells the provider once. It returns trying if that has to be tried
// again and the store can't be told when.
func (m *Manager) carryOut(filed *Revocation) stage {
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
		return m.revoked(filed, r, err)
	}
	err, told := m.tell(p, r)
	if !told {
		return settled
	}
	var passing *Unavailable
	if !errors.As(err, &passing) {
		return m.revoked(filed, r, err)
	}
	pause := min(firstRevoke<<min(r.Tries, 10), lastRevoke)
	pause = max(pause+mathrand.N(pause/4), passing.RetryAfter)
	r.Tries++
	filed.Due = now.Add(pause)
	if !filed.Due.Before(r.Until) {
		return m.revoked(filed, r, err)
	}
	if err := m.seal(filed, r); err != nil {
		return m.revoked(filed, r, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if err := m.store.PutRevocation(ctx, *filed); err != nil {
		m.log.Error("that a revocation is put off can't be written", "session", r.Ref, "error", err)
		return trying
	}
	return settled
}

// revoked drops a revocation that is done, or of no use any more.
func (m *Manager) revoked(filed *Revocation, r revocation, err error) stage {
	attrs := []slog.Attr{slog.String("session", r.Ref), slog.String("provider", r.Provider), slog.String("sub", r.Subject)}
	switch {
	case errors.Is(err, ErrNoRevocation):
	case err != nil:
		Audit(context.Background(), m.log, EventRevokeFailed, append(attrs, slog.String("error", err.Error()))...)
	default:
		Audit(context.Background(), m.log, EventRevoked, attrs...)
	}
	return m.forgetDone(filed.ID, r.Ref)
}

// forgetDone drops a revocation of which nothing is left to do.
func (m *Manager) forgetDone(id [16]byte, ref string) stage {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if err := m.store.DropRevocation(ctx, id); err != nil {
		m.log.Error("a revocation that is done can't be dropped; after a restart it would be repeated", "session", ref, "error", err)
		return done
	}
	return settled
}

// revokeDue takes up the revocations whose time has come: those of this process
// that failed before, and those that another one left.
func (m *Manager) revokeDue(ctx context.Context, now time.Time) {
	// What settles from here on stays known until the next time: it may have been
	// read below as it was before.
	known, sick := 0, false
	m.revoking.Range(func(id, at any) bool {
		if at == done && !sick {
			at = m.forgetDone(id.([16]byte), "")
			sick = at == done
		}
		if at == settled {
			m.revoking.Delete(id)
		} else {
			known++
		}
		return true
	})
	due, err := m.store.Revocations(ctx, now, known+revokeBatch) // those in hand come first, and hide nobody
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
