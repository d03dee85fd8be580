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
// replaced. One that is unreadable is the first to go.
func (m *Manager) startOf(ctx context.Context, k Key) (time.Time, bool) {
	h, err := m.liveHead(ctx, k)
	return h.Started, err == nil || errors.Is(err, errUnreadable)
}
