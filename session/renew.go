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

// The pauses of one session between renewals that fail in passing. They are
// short: a provider in trouble is protected by its gate.
const (
	firstPause = time.Second
	lastPause  = 4 * time.Second
)

// lastWrite is the longest pause between attempts to write what a renewal
// brought.
const lastWrite = 5 * time.Second

var errShuttingDown = errors.New("shutting down")

// renewal joins the renewal under way or begins one. It never waits. After a
// failure in passing it refuses with *Unavailable until the pause is over.
func (s *Session) renewal(ctx context.Context, now time.Time, useless bool) (*flight, error) {
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
		return nil, &held{
			Unavailable: Unavailable{RetryAfter: s.retryAt.Sub(now), Err: errors.New("the last renewal failed; pausing")}, provider: s.who.Provider,
		}
	}
	if err := s.gate().held(); err != nil {
		return nil, err
	}
	f := &flight{done: make(chan struct{}), urgent: make(chan struct{}), useless: useless}
	// The browser that caused the renewal may leave; the renewal must not (D6).
	ctx = context.WithoutCancel(ctx)
	if !s.m.spawn(func() { s.fly(ctx, f) }) {
		return nil, &Unavailable{RetryAfter: firstPause, Err: errShuttingDown}
	}
	s.flight = f
	return f, nil
}

// fly runs one renewal to its end and wakes all who wait for it.
func (s *Session) fly(ctx context.Context, f *flight) {
	if f.yield(s.m.limits.RenewYield, s.m.closing) {
		f.err = s.renewSafely(ctx, f)
	} else {
		f.err = &Unavailable{RetryAfter: firstPause, Err: errShuttingDown}
	}
	s.mu.Lock()
	s.flight = nil
	var passing *Unavailable
	var held *held
	switch {
	case errors.As(f.err, &held): // nothing was tried
	case errors.As(f.err, &passing):
		s.backoff = min(max(2*s.backoff, firstPause), lastPause)
		pause := max(passing.RetryAfter, s.backoff+rand.N(s.backoff/4))
		s.retryAt = s.m.now().Add(pause)
		f.err = &Unavailable{RetryAfter: pause, Err: passing.Err}
	default:
		s.backoff, s.retryAt = 0, time.Time{}
	}
	s.mu.Unlock()
	close(f.done)
}

// renewSafely is renew, but a panic costs one renewal and not the process. The
// refresh token may have been sent: the intent stays.
func (s *Session) renewSafely(ctx context.Context, f *flight) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			s.m.log.Error("a renewal panicked", "session", s.key.Ref(), "type", fmt.Sprintf("%T", cause), "stack", string(debug.Stack()))
			err = &Unavailable{Err: errors.New("the renewal panicked")}
		}
	}()
	return s.renew(ctx, f)
}

func (s *Session) gate() *gate { return s.m.gates[s.who.Provider] }

// uses is how often the session may send one refresh token without learning
// what became of it.
func (s *Session) uses() int {
	if s.m.providers[s.who.Provider].Reuse.Mode == ReuseUnlimited {
		return 1 << 30
	}
	return maxAttempts
}

// again reports whether the provider honours a refresh token of unknown fate
// for a second time now, as far as is known of it. If not, the second use waits
// until nothing else is left.
func (s *Session) again(in *intent, now time.Time) bool {
	if in.Attempt >= s.uses() {
		return false
	}
	switch r := s.m.providers[s.who.Provider].Reuse; r.Mode {
	case ReuseCount, ReuseUnlimited:
		return true
	case ReuseGrace, ReuseSame:
		return now.Sub(in.Time) < r.Window
	}
	return false
}

// renew sends the refresh token once: durable intent, call, durable result. The
// error is nil, ErrNotFound (the session is over) or an *Unavailable.
func (s *Session) renew(ctx context.Context, f *flight) error {
	v := s.content.Load()
	next := s.nextIntent(v)
	attempt := next.Attempt
	if attempt > s.uses() {
		s.m.end(s, ReasonOwnCrash)
		return ErrNotFound
	}
	// A last use must not be wasted on a provider that is down.
	leave, err := s.gate().enter(ctx, s.m.limits.RenewTimeout, attempt > 1)
	if err != nil {
		return err
	}
	learnt := errNoVerdict
	defer func() { leave(learnt) }()
	if err := s.wanted(); err != nil {
		return err
	}
	if attempt > 1 && !f.useless && s.freshness(v, s.m.now()) == fresh {
		// The window closed while this one waited: now it is better kept until nothing
		// else is left.
		return &Unavailable{RetryAfter: firstPause, Err: errors.New("the provider's grace was over before it was this renewal's turn")}
	}
	before, begun := v.Intent, v.content
	begun.Intent = next
	if attempt == 1 && s.unsure == nil { // it may have waited for its turn
		next.Time = s.m.now()
	}
	if v, err = s.swap(ctx, v, begun, !f.wanted()); err != nil {
		if !errors.Is(err, ErrConflict) {
			s.unsure = next
		}
		return s.swapFailed(ctx, err)
	}
	s.unsure = nil
	sent := s.m.now()
	tokens, err := s.m.providers[s.who.Provider].Renew(ctx, s.who, v.Tokens)
	learnt = err
	s.observe(err, attempt, s.m.now().Sub(sent))
	tokens = s.m.oursAll(tokens, v.Tokens)
	reason := s.expired(s.m.now())
	switch {
	case err == nil && (reason == ReasonAbsolute || reason == ReasonIdle):
		// The session ran out meanwhile (R24).
		s.revokeObtained(tokens)
		s.m.end(s, reason)
		return ErrNotFound
	case err == nil:
		return s.commit(ctx, v, tokens)
	case errors.Is(err, ErrRefused):
		return s.refused(ctx, v, attempt)
	case errors.Is(err, ErrIdentity):
		s.revokeObtained(tokens)
		s.m.end(s, ReasonIdentity)
		return ErrNotFound
	}
	s.m.audit(EventRenewalFailed, s.key, s.who, slog.String("error", err.Error()), slog.Int("attempt", attempt))
	if errors.Is(err, ErrAmbiguous) {
		return s.unknown(ctx, v, tokens, err)
	}
	return s.unsent(ctx, v, before, err)
}

// nextIntent is the intent of the next use of v's refresh token. While the store
// can't say whether the last one was written, that is the same one: nothing was
// sent, so it costs no use, whichever of its writes came through.
func (s *Session) nextIntent(v *version) *intent {
	next := &intent{Attempt: 1, Token: digest(v.Tokens.Refresh), Time: s.m.now()}
	in, last := v.Intent, s.unsure
	if in != nil && in.Token == next.Token {
		if last != nil && in.Attempt == last.Attempt && in.Token == last.Token && toMilli(in.Time) == toMilli(last.Time) {
			return last
		}
		next.Attempt, next.Time = in.Attempt+1, in.Time // a grace window counts from the first use
	}
	if last != nil && last.Attempt == next.Attempt && last.Token == next.Token {
		return last
	}
	return next
}

// revokeObtained revokes what a renewal brought for a session that is over. Of
// one that was replaced it is dropped: it may belong to the same grant as its
// successor's.
func (s *Session) revokeObtained(t Tokens) {
	if s.ends.Load() == 0 {
		s.m.revoke(s.key, s.who, t)
	}
}

// wanted returns an error if the session was ended or replaced, or ran out,
// while its renewal waited for its turn: then nothing is sent.
func (s *Session) wanted() error {
	if s.over.Load() {
		return ErrNotFound
	}
	if s.ends.Load() != 0 {
		return &Unavailable{RetryAfter: firstPause, Err: errors.New("the session was replaced meanwhile and renews nothing any more")}
	}
	if reason := s.expired(s.m.now()); reason != "" {
		s.m.end(s, reason)
		return ErrNotFound
	}
	return nil
}

// observe tells the metrics how a call ended.
func (s *Session) observe(err error, attempt int, took time.Duration) {
	outcome := OutcomeUnavailable
	switch {
	case err == nil:
		outcome = OutcomeRenewed
	case errors.Is(err, ErrRefused):
		outcome = OutcomeRefused
	case errors.Is(err, ErrIdentity):
		outcome = OutcomeIdentity
	case errors.Is(err, ErrAmbiguous):
		outcome = OutcomeUnknown
	}
	s.m.metrics.Renewal(s.who.Provider, outcome, took)
	if attempt > 1 && (err == nil || errors.Is(err, ErrRefused)) {
		s.m.metrics.Reuse(s.who.Provider, err == nil)
	}
}

// unknown handles a call of which nobody knows whether it consumed the refresh
// token. If the answer was of no use but for one thing, that is kept: the
// provider rotated, and this is the new token (R20).
func (s *Session) unknown(ctx context.Context, v *version, answer Tokens, cause error) error {
	if answer.Refresh != "" && answer.Refresh != v.Tokens.Refresh {
		rotated := v.Tokens
		rotated.Refresh = answer.Refresh
		if err := s.commit(ctx, v, rotated); err != nil {
			return err
		}
	}
	return &Unavailable{Err: cause}
}

// unsent handles a call that did not consume the refresh token: it does not
// count as a use, while one before it of unknown end does.
func (s *Session) unsent(ctx context.Context, v *version, before *intent, cause error) error {
	kept := v.content
	kept.Intent, kept.Doubt = before, true
	switch _, err := s.swap(ctx, v, kept, false); {
	case errors.Is(err, ErrNotFound):
		return ErrNotFound
	case err != nil:
		s.unsure = v.Intent // it can't be taken back: the next use is this one
	}
	var passing *Unavailable
	if errors.As(cause, &passing) {
		return passing
	}
	return &Unavailable{Err: cause}
}

// digest names a refresh token in an intent.
func digest(t Secret) string {
	sum := sha256.Sum256([]byte("cloakroom intent " + t.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}
