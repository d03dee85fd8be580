package session

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"time"
)

// maxAttempts is how often one refresh token is ever sent without a known
// outcome: providers that rotate take a third use, and many the second, for
// theft.
const maxAttempts = 2

// The pauses between renewals that fail in passing, and between attempts to
// write what a renewal brought.
const (
	firstPause = time.Second
	lastPause  = 30 * time.Second
)

// flight is one renewal under way, shared by all who wait for it.
type flight struct {
	done chan struct{} // closed at the end
	err  error         // valid after done
}

// renewal joins the renewal under way or begins one. It never waits. After a
// failure in passing it refuses with *Unavailable until the pause is over.
func (s *Session) renewal(ctx context.Context, now time.Time) (*flight, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over.Load():
		return nil, ErrNotFound
	case s.evicted.Load():
		// Two Sessions must never send one refresh token. It left memory between
		// two statements of its caller: the next call finds its successor.
		return nil, &Unavailable{RetryAfter: firstPause, Err: errors.New("the session left memory this very moment")}
	case s.flight != nil:
		return s.flight, nil
	case now.Before(s.retryAt):
		return nil, &Unavailable{RetryAfter: s.retryAt.Sub(now), Err: errors.New("the last renewal failed; pausing")}
	}
	f := &flight{done: make(chan struct{})}
	// The browser that caused the renewal may leave; the renewal must not (D6).
	ctx = context.WithoutCancel(ctx)
	if !s.m.spawn(func() { s.fly(ctx, f) }) {
		return nil, &Unavailable{RetryAfter: firstPause, Err: errors.New("shutting down")}
	}
	s.flight = f
	return f, nil
}

// fly runs one renewal to its end and wakes all who wait for it.
func (s *Session) fly(ctx context.Context, f *flight) {
	f.err = s.renewSafely(ctx)
	s.mu.Lock()
	s.flight = nil
	var passing *Unavailable
	if errors.As(f.err, &passing) {
		s.backoff = min(max(2*s.backoff, firstPause), lastPause)
		pause := max(passing.RetryAfter, s.backoff+rand.N(s.backoff/4))
		s.retryAt = s.m.now().Add(pause)
		f.err = &Unavailable{RetryAfter: pause, Err: passing.Err}
	} else {
		s.backoff, s.retryAt = 0, time.Time{}
	}
	s.mu.Unlock()
	close(f.done)
}

// renewSafely is renew, but a panic costs one renewal and not the process. The
// refresh token may have been sent: the intent stays.
func (s *Session) renewSafely(ctx context.Context) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			s.m.log.Error("a renewal panicked", "session", s.key.Ref(), "type", fmt.Sprintf("%T", cause), "stack", string(debug.Stack()))
			err = &Unavailable{Err: errors.New("the renewal panicked")}
		}
	}()
	return s.renew(ctx)
}

// renew sends the refresh token once: durable intent, call, durable result. The
// error is nil, ErrNotFound (the session is over) or an *Unavailable.
func (s *Session) renew(ctx context.Context) error {
	v := s.content.Load()
	attempt := 1
	if v.Intent != nil && v.Intent.Token == digest(v.Tokens.Refresh) {
		attempt = v.Intent.Attempt + 1
	}
	if attempt > maxAttempts {
		s.m.end(s, ReasonOwnCrash)
		return ErrNotFound
	}
	before, begun := v.Intent, v.content
	begun.Intent = &intent{Attempt: attempt, Token: digest(v.Tokens.Refresh), Time: s.m.now()}
	v, err := s.swap(ctx, v, begun)
	if err != nil {
		return s.swapFailed(ctx, err)
	}
	tokens, err := s.m.providers[s.who.Provider].Renew(ctx, s.who, v.Tokens)
	reason := s.expired(s.m.now())
	switch {
	case err == nil && (reason == ReasonAbsolute || reason == ReasonIdle):
		// The session ran out meanwhile (R24).
		s.m.revoke(s.key, s.who, tokens)
		s.m.end(s, reason)
		return ErrNotFound
	case err == nil:
		return s.commit(ctx, v, tokens)
	case errors.Is(err, ErrRefused):
		return s.refused(ctx, v, attempt)
	case errors.Is(err, ErrIdentity):
		s.m.revoke(s.key, s.who, tokens)
		s.m.end(s, ReasonIdentity)
		return ErrNotFound
	}
	s.m.audit(EventRenewalFailed, s.key, s.who, slog.String("error", err.Error()), slog.Int("attempt", attempt))
	if errors.Is(err, ErrAmbiguous) {
		if tokens.Refresh != "" && tokens.Refresh != v.Tokens.Refresh {
			// The answer is of no use but for this: the provider rotated (R20).
			rotated := v.Tokens
			rotated.Refresh = tokens.Refresh
			if err := s.commit(ctx, v, rotated); err != nil {
				return err
			}
		}
		return &Unavailable{Err: err}
	}
	// The token was not consumed: this attempt does not count, one before it of
	// unknown end does.
	kept := v.content
	kept.Intent = before
	if _, swapErr := s.swap(ctx, v, kept); errors.Is(swapErr, ErrNotFound) {
		return ErrNotFound
	}
	var passing *Unavailable
	if errors.As(err, &passing) {
		return passing
	}
	return &Unavailable{Err: err}
}

// commit makes renewed tokens durable. Until that has worked nobody may use
// them, and nothing but the end of the session or of the process ends the
// attempts: the old refresh token is spent. Meanwhile the old access token
// serves.
func (s *Session) commit(ctx context.Context, v *version, tokens Tokens) error {
	renewed := v.content
	renewed.Tokens, renewed.Intent = tokens, nil
	rotated := tokens.Refresh != v.Tokens.Refresh
	for pause := firstPause / 10; ; pause = min(2*pause, lastPause/6) {
		_, err := s.swap(ctx, v, renewed)
		switch {
		case err == nil && s.over.Load():
			s.m.revoke(s.key, s.who, tokens)
			return ErrNotFound
		case err == nil:
			s.m.audit(EventRenewed, s.key, s.who, slog.Bool("rotated", rotated))
			return nil
		case errors.Is(err, ErrNotFound), s.over.Load():
			// Logout beats renewal (D12): what was obtained must not live on.
			s.m.revoke(s.key, s.who, tokens)
			s.m.forget(s)
			return ErrNotFound
		case errors.Is(err, ErrConflict):
			// Either another writer was first, or it is our own write, of an attempt
			// that the store could not vouch for: that is durable only once a write
			// after it is.
			if err := s.adopt(ctx); err != nil || s.content.Load().Tokens.Access != tokens.Access {
				return err
			}
			v = s.content.Load()
			continue
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
	class := "unknown"
	if attempt > 1 {
		class = "own_crash"
	}
	s.m.end(s, ReasonRefused, slog.String("class", class))
	return ErrNotFound
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
	c, err := s.m.unsealContent(s.key, s.ticket, record)
	if err != nil {
		s.m.audit(EventUnreadable, s.key, s.who, slog.String("error", err.Error()))
		s.m.forget(s)
		return ErrNotFound
	}
	s.content.Store(&version{content: c, number: record.Version, found: true})
	return nil
}

// digest names a refresh token in an intent.
func digest(t Secret) string {
	sum := sha256.Sum256([]byte("cloakroom intent " + t.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}
