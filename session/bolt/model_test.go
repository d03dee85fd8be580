package bolt_test

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// model is a session.Store that is too simple to be wrong: two maps and a lock.
type model struct {
	mu       sync.Mutex
	sessions map[session.Key]*modelSession
	marks    map[[32]byte]time.Time
	fences   map[session.IndexKey]modelFence
	queue    map[[16]byte]session.Revocation
	closed   bool
}

type modelSession struct {
	record session.Record
	filing session.Filing
}

type modelFence struct{ at, until time.Time }

func newModel() *model {
	return &model{
		sessions: map[session.Key]*modelSession{}, marks: map[[32]byte]time.Time{},
		fences: map[session.IndexKey]modelFence{}, queue: map[[16]byte]session.Revocation{},
	}
}

// lock refuses what a store refuses: calls after Close, and ended contexts.
func (m *model) lock(ctx context.Context) error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return context.Canceled
	}
	if err := ctx.Err(); err != nil {
		m.mu.Unlock()
		return err
	}
	return nil
}

func clone(r session.Record) session.Record {
	return session.Record{Head: bytes.Clone(r.Head), Tokens: bytes.Clone(r.Tokens), Version: r.Version}
}

func (m *model) Create(ctx context.Context, k session.Key, r session.Record, f session.Filing) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if m.sessions[k] != nil {
		return session.ErrConflict
	}
	since := map[session.IndexKey]time.Time{f.Subject: f.SubjectSince, f.SID: f.SIDSince}
	for _, ix := range f.SubjectOlder {
		since[ix] = f.SubjectSince
	}
	for _, ix := range f.SIDOlder {
		since[ix] = f.SIDSince
	}
	for ix, since := range since {
		if fence, ok := m.fences[ix]; ok && ix != (session.IndexKey{}) && !since.After(fence.at) {
			return session.ErrSignedOut
		}
	}
	m.sessions[k] = &modelSession{clone(r), f}
	return nil
}

func (m *model) Load(ctx context.Context, k session.Key) (session.Record, error) {
	if err := m.lock(ctx); err != nil {
		return session.Record{}, err
	}
	defer m.mu.Unlock()
	if m.sessions[k] == nil {
		return session.Record{}, session.ErrNotFound
	}
	return clone(m.sessions[k].record), nil
}

func (m *model) UpdateHeads(ctx context.Context, updates []session.HeadUpdate) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for _, u := range updates {
		if s := m.sessions[u.Key]; s != nil && s.record.Live() {
			s.record.Head = bytes.Clone(u.Head)
			s.filing.Expires, s.filing.Until = u.Expires, u.Until
			s.filing.Subject, s.filing.SID = otherwise(u.Subject, s.filing.Subject), otherwise(u.SID, s.filing.SID)
		}
	}
	return nil
}

func (m *model) SwapTokens(ctx context.Context, k session.Key, u session.TokensUpdate) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	s := m.sessions[k]
	if s == nil || !s.record.Live() {
		return session.ErrNotFound
	}
	if s.record.Version != u.From {
		return session.ErrConflict
	}
	s.record.Tokens, s.record.Version = bytes.Clone(u.Tokens), u.To
	return nil
}

func (m *model) Delete(ctx context.Context, k session.Key, r *session.Revocation) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	delete(m.sessions, k)
	if r != nil {
		m.queue[r.ID] = cloneRevocation(*r)
	}
	return nil
}

func (m *model) Find(ctx context.Context, ix session.IndexKey) ([]session.Key, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var keys []session.Key
	for k, s := range m.sessions {
		if ix != (session.IndexKey{}) && s.record.Live() && (s.filing.Subject == ix || s.filing.SID == ix) {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

func (m *model) Sweep(ctx context.Context, now time.Time, limit int) (int, error) {
	if err := m.lock(ctx); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	type event struct {
		at time.Time
		do func()
	}
	var events []event
	for k, s := range m.sessions {
		if s.record.Live() {
			events = append(events, event{s.filing.Expires, func() { s.record.Head = nil }})
		}
		events = append(events, event{s.filing.Until, func() { delete(m.sessions, k) }})
	}
	for ix, f := range m.fences {
		events = append(events, event{f.until, func() { delete(m.fences, ix) }})
	}
	for mark, until := range m.marks {
		events = append(events, event{until, func() { delete(m.marks, mark) }})
	}
	events = slices.DeleteFunc(events, func(e event) bool { return e.at.After(now) })
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	events = events[:min(limit, len(events))]
	for _, e := range events {
		e.do()
	}
	return len(events), nil
}

func (m *model) MarkUsed(ctx context.Context, mark [32]byte, until time.Time) (bool, error) {
	if err := m.lock(ctx); err != nil {
		return false, err
	}
	defer m.mu.Unlock()
	_, used := m.marks[mark]
	if !used {
		m.marks[mark] = until
	}
	return !used, nil
}

func (m *model) Ping(ctx context.Context) error {
	err := m.lock(ctx)
	if err == nil {
		m.mu.Unlock()
	}
	return err
}

func (m *model) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// otherwise returns ix, or what was there before if it is zero.
func otherwise(ix, before session.IndexKey) session.IndexKey {
	if ix == (session.IndexKey{}) {
		return before
	}
	return ix
}
