package session

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
)

// capUser ends the oldest sessions of a user who has more than Limits.PerUser
// (E13). It fails softly: the sign-in that it follows is good.
func (m *Manager) capUser(ctx context.Context, who Identity) {
	if m.limits.PerUser <= 0 {
		return
	}
	type aged struct {
		key     Key
		started time.Time
	}
	var all []aged
	found, err := m.sessionsOf(ctx, who.Issuer, who.Subject)
	if err != nil {
		m.log.Error("the sessions of a user can't be counted", "provider", who.Provider, "error", err)
		return
	}
	for _, k := range found {
		if started, ok := m.startOf(ctx, k); ok {
			all = append(all, aged{k, started})
		}
	}
	slices.SortFunc(all, func(a, b aged) int {
		return cmp.Or(a.started.Compare(b.started), slices.Compare(a.key[:], b.key[:]))
	})
	for _, s := range all[:max(0, len(all)-m.limits.PerUser)] {
		if err := m.EndByKey(ctx, s.key, ReasonPerUser); err != nil && !errors.Is(err, ErrNotFound) {
			m.log.Error("the oldest session of a user can't be ended", "session", s.key.Ref(), "error", err)
		}
	}
}

// startOf returns when a session began; false for one that is over, or being
// replaced.
func (m *Manager) startOf(ctx context.Context, k Key) (time.Time, bool) {
	if s, ok := m.open.Load(k); ok {
		return s.started, s.ends.Load() == 0 && s.expired(m.now()) == ""
	}
	record, err := m.store.Load(ctx, k)
	if err != nil || !record.Live() {
		return time.Time{}, false
	}
	h, err := m.openHead(k, record.Head)
	if err != nil {
		return time.Time{}, true // unreadable: the first to go
	}
	now := m.now() // the store sweeps a little late: what has run out must push nobody out
	over := !now.Before(h.Started.Add(m.limits.Absolute)) || !now.Before(h.Seen.Add(m.limits.Idle))
	return h.Started, h.Ends.IsZero() && !over
}
