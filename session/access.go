package session

import (
	"context"
	"encoding/binary"
	"errors"
	"time"
)

// freshness of an access token.
type freshness int

const (
	fresh   freshness = iota
	due               // valid, and time to renew it
	expired           // not to be used any more
)

// Access returns an access token that is good for a call now. If the token is
// due it starts a renewal and returns the old one at once; if the token has
// expired it waits for the renewal, at most Limits.RenewTimeout.
//
// ErrNotFound means that the session is over. An *Unavailable means that there
// is no usable token now but there may be later.
func (s *Session) Access(ctx context.Context) (Secret, error) {
	s, err := s.current(ctx)
	if err != nil {
		return "", err
	}
	if s.over.Load() {
		return "", ErrNotFound
	}
	now := s.m.now()
	v := s.content.Load()
	switch s.freshness(v, now) {
	case fresh:
		if !s.pending(v) || !s.blocking() {
			return v.Tokens.Access, nil
		}
		return s.valid(ctx, s.underWay(), nil)
	case due:
		f, err := s.renewal(ctx, now, false)
		return s.valid(ctx, f, err)
	}
	var f *flight
	if s.renewable(v) {
		f, err = s.renewal(ctx, now, false)
	} else if f = s.underWay(); f == nil { // else it is the last that the refresh token was good for
		if s.content.Load() != v { // that has just ended
			return s.Access(ctx)
		}
		s.m.end(s, ReasonNoRenew)
		return "", ErrNotFound
	}
	if err == nil {
		err = s.wait(ctx, f)
	}
	if err != nil {
		return "", err
	}
	v = s.content.Load()
	if s.freshness(v, s.m.now()) == expired {
		return "", &Unavailable{RetryAfter: time.Second, Err: errors.New("the renewal brought a token that has expired already")}
	}
	return v.Tokens.Access, nil
}

// valid returns the access token while it is good for a call in any case. Of a
// provider that kills the old one when it rotates it waits for f first, if there
// is one; err is why there is none.
func (s *Session) valid(ctx context.Context, f *flight, err error) (Secret, error) {
	if err == nil && f != nil && s.blocking() {
		err = s.wait(ctx, f)
	}
	v := s.content.Load()
	var passing *Unavailable
	switch {
	case errors.Is(err, ErrNotFound):
		return "", err
	case s.freshness(v, s.m.now()) != expired:
		return v.Tokens.Access, nil
	case errors.As(err, &passing):
		return "", err
	}
	return "", &Unavailable{RetryAfter: time.Second, Err: errors.New("the access token ran out while its renewal was waited for")}
}

func (s *Session) blocking() bool { return s.m.providers[s.who.Provider].Blocking }

// underWay returns the renewal under way, or nil.
func (s *Session) underWay() *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flight
}

// RenewAfter returns an access token to try after an API answered that the
// used one is invalid: a newer token if there is one or one is just being
// fetched, else the result of one forced renewal. If no better token is to be
// had now (no refresh token, or the last renewal is too recent) it returns used
// itself. Errors are those of Access.
func (s *Session) RenewAfter(ctx context.Context, used Secret) (Secret, error) {
	s, err := s.current(ctx)
	if err != nil {
		return "", err
	}
	if v := s.content.Load(); v.Tokens.Access != used {
		return s.Access(ctx)
	}
	if _, err := s.renewNow(ctx, true); err != nil {
		return "", err
	}
	return s.content.Load().Tokens.Access, nil
}

// Renew renews the access token now and reports whether that gave a new one. It
// joins a renewal under way. Within a quarter of the token's life since the
// last renewal, or without a refresh token, it does nothing (K1). Errors are
// those of Access.
func (s *Session) Renew(ctx context.Context) (bool, error) { return s.renewNow(ctx, false) }

// renewNow is Renew. With useless the access token is of no use any more, though
// its time is not over: then a refresh token of unknown fate has its last use.
func (s *Session) renewNow(ctx context.Context, useless bool) (bool, error) {
	s, err := s.current(ctx)
	if err != nil {
		return false, err
	}
	if s.over.Load() {
		return false, ErrNotFound
	}
	now := s.m.now()
	v := s.content.Load()
	f := s.underWay()
	if f == nil {
		lifetime := v.Tokens.Expires.Sub(v.Tokens.Obtained)
		recent := now.Sub(v.Tokens.Obtained) < lifetime/4
		switch state := s.freshness(v, now); {
		case !s.renewable(v):
			return false, nil
		case state == expired, (state == due || useless) && s.pending(v):
		case recent, s.pending(v):
			return false, nil
		}
		if f, err = s.renewal(ctx, now, useless); err != nil {
			return false, err
		}
	}
	if err := s.wait(ctx, f); err != nil {
		return false, err
	}
	return s.content.Load().Tokens.Access != v.Tokens.Access, nil
}

// freshness tells what to do with the access token of v at now.
func (s *Session) freshness(v *version, now time.Time) freshness {
	lifetime := v.Tokens.Expires.Sub(v.Tokens.Obtained)
	left := v.Tokens.Expires.Sub(now)
	switch {
	case left < dead(lifetime):
		return expired
	case !s.renewable(v):
		return fresh
	case s.pending(v):
		// The refresh token may be spent. If the provider may honour it again only
		// for a while, its second and last use comes at once, and so it does if the
		// intent was found in the store; else it waits until nothing else is left.
		if v.found || s.again(v.Intent, now) {
			return due
		}
		return fresh
	case left <= s.lead(lifetime):
		return due
	}
	return fresh
}

// lead is how long before its expiry an access token that lives so long is due. It
// is the session's own, always the same, and never so short that the token would
// count as expired before it is due.
func (s *Session) lead(lifetime time.Duration) time.Duration {
	lead := min(s.m.limits.RenewBefore, lifetime/3)
	part := float64(binary.BigEndian.Uint32(s.key[:])) / (1 << 32)
	return lead - time.Duration(part*s.m.limits.RenewSpread*float64(max(lead-dead(lifetime), 0)))
}

// dead is how long before its expiry an access token that lives so long counts as
// expired: a call with it may take that time.
func dead(lifetime time.Duration) time.Duration { return min(5*time.Second, lifetime/10) }

// pending reports whether the last use of v's refresh token has no known end.
func (s *Session) pending(v *version) bool { return v.Intent != nil }

// renewable reports whether v can be renewed at all.
func (s *Session) renewable(v *version) bool {
	t := v.Tokens
	return t.Refresh != "" && s.ends.Load() == 0 &&
		(t.RefreshExpires.IsZero() || s.m.now().Before(t.RefreshExpires))
}

// wait waits for a renewal that the caller depends on.
func (s *Session) wait(ctx context.Context, f *flight) error {
	f.hurry()
	timeout := time.NewTimer(s.m.limits.RenewTimeout)
	defer timeout.Stop()
	select {
	case <-f.done:
		return f.err
	case <-timeout.C:
		return &Unavailable{RetryAfter: time.Second, Err: errors.New("the renewal takes longer than renew_timeout")}
	case <-ctx.Done():
		return ctx.Err()
	}
}
