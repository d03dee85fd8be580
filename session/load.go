package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// load reads a session from the store into memory.
func (m *Manager) load(ctx context.Context, key Key, t Ticket, successor *Identity) (*Session, error) {
	record, err := m.read(ctx, key)
	if errors.Is(err, ErrMalformed) {
		m.unreadable(key, Identity{}, err.Error())
	}
	if errors.Is(err, ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, &Unavailable{Err: fmt.Errorf("load: %w", err)}
	}
	if !record.Live() {
		m.buryLate(key, t, record, successor)
		return nil, ErrNotFound
	}
	s, err := m.unseal(key, t, record)
	if err != nil {
		m.unreadable(key, Identity{}, err.Error())
		return nil, ErrNotFound
	}
	if _, ok := m.provider(s.who); !ok {
		m.unreadable(key, s.who, "its provider is no longer configured with this issuer and client_id")
		return nil, ErrNotFound
	}
	m.metrics.Loaded(s.who.Provider)
	s.loading.Store(true)
	s = m.open.LoadOrStore(key, s)
	if _, over := m.ended.Load(key); over {
		m.open.CompareAndDelete(key, s)
		s.shut("") // somebody may have found it there
		return nil, ErrNotFound
	}
	s.loading.Store(false)
	if in := s.content.Load().Intent; in != nil && in.Attempt >= s.uses() && s.content.Load().found {
		m.end(s, ReasonOwnCrash)
		return nil, ErrNotFound
	}
	return s, nil
}

// unreadable tells once of a session that nobody can make sense of.
func (m *Manager) unreadable(key Key, who Identity, why string) {
	if m.lost.first(key) {
		m.audit(EventUnreadable, key, who, slog.String("error", why))
	}
}

// read returns the record of key as it is. What took long is read once more: the
// session may have been in memory meanwhile, and changed, and left again.
func (m *Manager) read(ctx context.Context, key Key) (Record, error) {
	began := m.now()
	record, err := m.store.Load(ctx, key)
	if err == nil && m.now().Sub(began) >= restFor/2 {
		return m.store.Load(ctx, key)
	}
	return record, err
}

// provider returns the provider that issued who's tokens, if it is configured
// with the same issuer and client still.
func (m *Manager) provider(who Identity) (Provider, bool) {
	p, ok := m.providers[who.Provider]
	return p, ok && p.Issuer == who.Issuer && p.ClientID == who.ClientID
}

// shared returns who in the strings of the configuration, so that memory holds
// those once that all sessions of a provider have in common.
func (m *Manager) shared(who Identity) Identity {
	if p, ok := m.provider(who); ok {
		who.Provider, who.Issuer, who.ClientID = m.gates[who.Provider].provider, p.Issuer, p.ClientID
	}
	return who
}

// unseal opens both values of a record.
func (m *Manager) unseal(key Key, t Ticket, r Record) (*Session, error) {
	h, err := m.openHead(key, r.Head)
	if err != nil {
		return nil, err
	}
	c, _, err := m.unsealContent(key, t, r)
	if err != nil {
		return nil, err
	}
	s := m.newSession(t, h)
	s.content.Store(&version{content: c, number: r.Version, found: true})
	return s, nil
}

func (m *Manager) unsealContent(key Key, t Ticket, r Record) (content, Identity, error) {
	plain, err := m.keys.Load().open(slot{bucketTokens, key, r.Version}, &t, r.Tokens)
	if err != nil {
		return content{}, Identity{}, err
	}
	return unmarshalContent(plain)
}
