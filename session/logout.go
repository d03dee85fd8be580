package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"
)

// fenceFor is how long a sign-in that began before a provider's logout is kept
// from becoming a session: longer than a login transaction lives.
const fenceFor = 30 * time.Minute

// Logout is a provider's word that sessions are over: OpenID Connect
// Back-Channel Logout 1.0, 2.7, and Front-Channel Logout 1.0, 3.
type Logout struct {
	Provider string    // its name in the configuration
	Subject  string    // sub; with an empty SID, all sessions of that user
	SID      string    // sid: that session alone, and those of Subject that have no sid
	ID       string    // jti: the same one counts once; empty: it has none
	IDUntil  time.Time // when ID may be forgotten: no later message with it would be accepted
	Reason   string    // ReasonBackchannel or ReasonFrontchannel
}

// Logout ends the sessions that a provider says are over, and keeps sign-ins
// under way from becoming sessions that it speaks of (I6, I8). When it returns
// nil all of that is durable and no call on those sessions succeeds. Tokens of
// sessions in memory are revoked; those of others when their ticket arrives. It
// returns how many sessions there were: none is no error.
//
// One through the browser that speaks of no session writes nothing.
//
// ErrRepeated means that l.ID was carried out before; an *Unavailable that the
// store refused: then what is in memory is over as long as this process lives, and
// the same l may be tried again.
func (m *Manager) Logout(ctx context.Context, l Logout) (int, error) {
	p, ok := m.providers[l.Provider]
	if !ok {
		return 0, ErrNotFound
	}
	n, err := m.logout(ctx, l, p.Issuer)
	m.endDownloads(l, p.Issuer)
	switch {
	case errors.Is(err, ErrRepeated):
		return 0, ErrRepeated
	case err != nil:
		m.endOpen(l, p.Issuer)
		return 0, &Unavailable{Err: fmt.Errorf("logout: %w", err)}
	case n < 0:
		return 0, nil
	}
	Audit(ctx, m.log, EventLogout, slog.String("provider", l.Provider), slog.String("sub", l.Subject),
		slog.String("reason", l.Reason), slog.Int("sessions", n))
	return n, nil
}

// logout buries what l speaks of, under all the server keys that there are when
// that is done. It returns -1 if there was nothing to write.
func (m *Manager) logout(ctx context.Context, l Logout, issuer string) (n int, err error) {
	who := Identity{Provider: l.Provider, Issuer: issuer, Subject: l.Subject, SID: l.SID}
	for {
		keys := m.keys.Load()
		b, err := m.burialFor(ctx, l, issuer, keys)
		if err != nil {
			return 0, err
		}
		if b == nil {
			return -1, nil
		}
		ended, err := m.buryStored(ctx, *b, who, l.Reason)
		if err != nil {
			return 0, err
		}
		n += ended
		if m.keys.Load() == keys {
			return n, nil
		}
		l.ID = "" // it is used up; what was filed under a newer key meanwhile is not found yet
	}
}

// endOpen ends what is in memory of the sessions that l speaks of, when the store
// fails: nobody goes on with them, and it may have buried them all the same.
// What anybody can send is not worth that.
func (m *Manager) endOpen(l Logout, issuer string) {
	if l.Reason == ReasonFrontchannel {
		return
	}
	m.open.Range(func(s *Session) {
		if l.means(s.who, issuer) {
			m.end(s, l.Reason)
		}
	})
}

// means reports whether l, of the provider with that issuer, speaks of who.
func (l Logout) means(who Identity, issuer string) bool {
	bySID := l.SID != "" && who.SID == l.SID
	bySubject := l.Subject != "" && who.Subject == l.Subject && (l.SID == "" || who.SID == "")
	return who.Issuer == issuer && (bySID || bySubject)
}

// endDownloads ends those that outlived the sessions that l speaks of: a session
// that idled out is in the store no more, and its downloads go on (E12).
func (m *Manager) endDownloads(l Logout, issuer string) {
	for _, s := range m.watched() {
		if s.over.Load() && l.means(s.who, issuer) {
			s.closeDownloads()
		}
	}
}

// buryStored carries out b in the store and then in memory, and returns how many
// sessions it ended. When it returns nil no session that b speaks of is in use,
// not even one that somebody else buried at the same time.
func (m *Manager) buryStored(ctx context.Context, b Burial, who Identity, reason string) (int, error) {
	buried, others, err := m.buryBoth(ctx, b, who, reason)
	if err != nil {
		return 0, err
	}
	// What another burial took out of the store before this one looked may still
	// be in memory.
	for _, other := range others {
		<-other
	}
	return len(buried), nil
}

// buryBoth is buryStored but for other burials: those that were under way when it
// was done.
func (m *Manager) buryBoth(ctx context.Context, b Burial, who Identity, reason string) (buried []Key, others []chan struct{}, err error) {
	ended := make(chan struct{})
	m.mu.Lock()
	m.burying[ended] = struct{}{}
	m.mu.Unlock()
	defer func() { // after a panic too, or every later logout would wait for this one
		m.mu.Lock()
		delete(m.burying, ended)
		others = slices.Collect(maps.Keys(m.burying))
		m.mu.Unlock()
		close(ended)
	}()
	if buried, err = m.store.Bury(ctx, b); err != nil {
		return nil, nil, err
	}
	for _, k := range buried {
		m.endBuried(k, who, reason)
	}
	return buried, nil, nil
}

// burialFor says what l buries; nil if nothing is to be written.
func (m *Manager) burialFor(ctx context.Context, l Logout, issuer string, keys *Keyring) (*Burial, error) {
	now := m.now()
	b := &Burial{At: now, Until: now.Add(fenceFor)}
	if l.SID != "" {
		b.Under = keys.index("sid", issuer, l.SID)
		var err error
		if b.Keys, err = m.withoutSID(ctx, issuer, l.Subject); err != nil {
			return nil, err
		}
	} else {
		b.Under = keys.index("sub", issuer, l.Subject)
	}
	if l.ID != "" {
		b.Mark, b.MarkUntil = mark("logout "+issuer, []byte(l.ID)), m.ours(l.IDUntil)
	}
	if l.Reason == ReasonFrontchannel {
		// Anybody can send that: for a session that nobody knows it writes nothing.
		if known, err := m.anyUnder(ctx, b.Under); err != nil || !known {
			return nil, err
		}
	}
	return b, nil
}

// anyUnder reports whether a live session is filed under one of the index keys.
func (m *Manager) anyUnder(ctx context.Context, under []IndexKey) (bool, error) {
	for _, ix := range under {
		found, err := m.store.Find(ctx, ix)
		if err != nil || len(found) > 0 {
			return len(found) > 0, err
		}
	}
	return false, nil
}

// withoutSID returns the sessions of a user that have no sid: a logout by sid
// that names the user too means them as well, since nobody can tell that it does
// not.
func (m *Manager) withoutSID(ctx context.Context, issuer, subject string) (keys []Key, err error) {
	if subject == "" {
		return nil, nil
	}
	found, err := m.sessionsOf(ctx, issuer, subject)
	if err != nil {
		return nil, err
	}
	for _, k := range found {
		record, err := m.store.Load(ctx, k)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		if h, err := m.openHead(k, record.Head); err == nil && h.SID == "" {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// sessionsOf returns the keys of a user's live sessions, under whichever server
// key they were filed.
func (m *Manager) sessionsOf(ctx context.Context, issuer, subject string) (keys []Key, err error) {
	for _, ix := range m.keys.Load().index("sub", issuer, subject) {
		found, err := m.store.Find(ctx, ix)
		if err != nil {
			return nil, err
		}
		keys = append(keys, found...)
	}
	return keys, nil
}

// endBuried ends in memory what the store has buried.
func (m *Manager) endBuried(k Key, who Identity, reason string) {
	// Before memory is looked at: a load that read the live record and is not
	// there yet finds this.
	m.note(k, func(*burial) bool { return false })
	if s, ok := m.open.Load(k); ok {
		m.end(s, reason)
	}
	first := m.note(k, func(b *burial) bool {
		before := b.told
		b.told = true
		return !before
	})
	if !first {
		return // somebody who had the tokens told of it
	}
	m.metrics.Ended(who.Provider, reason)
	m.audit(EventEnded, k, who, slog.String("reason", reason))
}

// EndByKey ends a session whose ticket is not at hand. Its tokens are revoked at
// once if it is in memory, else when its ticket arrives. ErrNotFound means that
// there is no such session, an *Unavailable that the store refused.
func (m *Manager) EndByKey(ctx context.Context, k Key, reason string) error {
	if s, ok := m.open.Load(k); ok {
		if m.end(s, reason) {
			return nil
		}
		return ErrNotFound
	}
	record, err := m.store.Load(ctx, k)
	var who Identity
	if err == nil && record.Live() {
		if h, err := m.openHead(k, record.Head); err == nil {
			who = h.Identity
		}
	}
	n, err := m.buryStored(ctx, Burial{Keys: []Key{k}}, who, reason)
	switch {
	case err != nil:
		return &Unavailable{Err: fmt.Errorf("end: %w", err)}
	case n == 0:
		return ErrNotFound
	}
	return nil
}

func (m *Manager) openHead(k Key, sealed []byte) (head, error) {
	plain, err := m.keys.Load().open(slot{bucketHead, k, 0}, nil, sealed)
	if err != nil {
		return head{}, err
	}
	return unmarshalHead(plain)
}
