package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// commit makes renewed tokens durable. Until that has worked nobody may use
// them, and nothing but the end of the session or of the process ends the
// attempts: the old refresh token is spent. Meanwhile the old access token
// serves.
func (s *Session) commit(ctx context.Context, v *version, tokens Tokens) error {
	renewed := v.content
	renewed.Tokens, renewed.Intent, renewed.Doubt = tokens, nil, false
	rotated := tokens.Refresh != v.Tokens.Refresh
	renewed.Rotated = rotated || renewed.Rotated
	for pause := firstPause / 10; ; pause = min(2*pause, lastWrite) {
		_, err := s.swap(ctx, v, renewed, false)
		switch {
		case err == nil && s.over.Load():
			s.revokeObtained(tokens)
			return ErrNotFound
		case err == nil:
			s.renewed()
			s.m.audit(EventRenewed, s.key, s.who, slog.Bool("rotated", rotated))
			s.m.metrics.Rotation(s.who.Provider, rotated)
			return nil
		case errors.Is(err, ErrNotFound), s.over.Load():
			// Logout beats renewal (D12): what was obtained must not live on.
			s.revokeObtained(tokens)
			s.m.forget(s)
			return ErrNotFound
		case errors.Is(err, ErrConflict):
			// Either another writer was first, or it is our own write, of an attempt
			// that the store could not vouch for: that is durable only once a write
			// after it is.
			err = s.adopt(ctx)
			switch {
			case errors.Is(err, ErrNotFound):
				s.revokeObtained(tokens)
				return ErrNotFound
			case err == nil && s.content.Load().Tokens.Access != tokens.Access:
				return nil
			case err == nil:
				v = s.content.Load()
				continue
			}
		}
		s.m.log.Error("renewed tokens can't be written; trying again",
			"session", s.key.Ref(), "provider", s.who.Provider, "error", err)
		if !s.m.pause(pause) {
			return &Unavailable{Err: fmt.Errorf("renewed tokens not written: %w", err)}
		}
	}
}

// refused ends the session, unless somebody else renewed it meanwhile (R9).
func (s *Session) refused(ctx context.Context, v *version, attempt int) error {
	record, err := s.m.store.Load(ctx, s.key)
	if err == nil && record.Live() && record.Version != v.number {
		return s.adopt(ctx)
	}
	s.m.end(s, ReasonRefused, slog.String("class", s.suspicion(v, attempt)))
	return ErrNotFound
}

// suspicion says what a refused refresh token may mean (R9). Theft is suspected
// of a one-time token that was never sent before and had no reason to be refused
// yet; that the provider's operator or the user withdrew it can't be told apart.
func (s *Session) suspicion(v *version, attempt int) string {
	limit := v.Tokens.RefreshExpires
	switch {
	case attempt > 1:
		return ClassOwnCrash
	case v.Rotated && !v.Doubt && (limit.IsZero() || s.m.now().Before(limit)) && s.m.providers[s.who.Provider].Reuse.Mode != ReuseUnlimited:
		return ClassTheft
	}
	return ClassUnknown
}

// swapFailed says what a failed write of the intent means. No call was made.
func (s *Session) swapFailed(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, ErrNotFound):
		s.m.forget(s)
		return ErrNotFound
	case errors.Is(err, ErrConflict):
		return s.adopt(ctx)
	}
	return &Unavailable{Err: fmt.Errorf("renewal not begun: %w", err)}
}

// adopt reads the session again after another writer changed it.
func (s *Session) adopt(ctx context.Context) error {
	record, err := s.m.store.Load(ctx, s.key)
	switch {
	case errors.Is(err, ErrNotFound) || err == nil && !record.Live():
		s.m.forget(s)
		return ErrNotFound
	case err != nil:
		return &Unavailable{Err: err}
	}
	c, _, err := s.m.unsealContent(s.key, s.ticket(), record)
	if err != nil {
		s.m.unreadable(s.key, s.who, err.Error())
		s.m.forget(s)
		return ErrNotFound
	}
	s.content.Store(&version{content: c, number: record.Version, found: true})
	s.renewed()
	return nil
}
