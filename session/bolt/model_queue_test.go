package bolt_test

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

func cloneRevocation(r session.Revocation) session.Revocation {
	r.Sealed = bytes.Clone(r.Sealed)
	return r
}

func (m *model) Bury(ctx context.Context, b session.Burial) ([]session.Key, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	if b.Mark != [32]byte{} {
		if _, used := m.marks[b.Mark]; used {
			return nil, session.ErrRepeated
		}
		m.marks[b.Mark] = b.MarkUntil
	}
	for _, ix := range b.Under {
		if ix == (session.IndexKey{}) {
			continue
		}
		f := modelFence{b.At, b.Until}
		if old, ok := m.fences[ix]; ok && old.at.After(f.at) {
			f.at = old.at
		}
		if old, ok := m.fences[ix]; ok && old.until.After(f.until) {
			f.until = old.until
		}
		m.fences[ix] = f
	}
	var buried []session.Key
	for k, s := range m.sessions {
		hit := slices.Contains(b.Keys, k)
		for _, ix := range b.Under {
			hit = hit || ix != (session.IndexKey{}) && (s.filing.Subject == ix || s.filing.SID == ix)
		}
		if hit && s.record.Live() {
			s.record.Head = nil
			buried = append(buried, k)
		}
	}
	return buried, nil
}

func (m *model) PutRevocation(ctx context.Context, r session.Revocation) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.queue[r.ID] = cloneRevocation(r)
	return nil
}

func (m *model) Revocations(ctx context.Context, now time.Time, limit int) ([]session.Revocation, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var due []session.Revocation
	for _, r := range m.queue {
		if !r.Due.After(now) {
			due = append(due, cloneRevocation(r))
		}
	}
	slices.SortFunc(due, func(a, b session.Revocation) int {
		return cmp.Or(a.Due.Compare(b.Due), bytes.Compare(a.ID[:], b.ID[:]))
	})
	return due[:min(limit, len(due))], nil
}

func (m *model) DropRevocation(ctx context.Context, id [16]byte) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	delete(m.queue, id)
	return nil
}

func (m *model) Scan(ctx context.Context, after session.Key, limit int) ([]session.Entry, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var all []session.Entry
	for k, s := range m.sessions {
		if bytes.Compare(k[:], after[:]) > 0 {
			all = append(all, session.Entry{Key: k, Record: clone(s.record)})
		}
	}
	slices.SortFunc(all, func(a, b session.Entry) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	return all[:min(limit, len(all))], nil
}
