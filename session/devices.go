package session

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Device is one of a user's sessions as that user is shown it.
type Device struct {
	ID       string // names it to EndDevice; opens nothing
	Current  bool   // it is the session that asked
	Provider string

	UserAgent string // that signed in; empty if it said nothing
	Network   string // that it signed in from: /24 of IPv4, /48 of IPv6; empty if unknown

	Started time.Time // sign-in
	Seen    time.Time // last activity, at most a minute older than it really was
}

// mostDevices bounds a list of devices.
const mostDevices = 100

// Devices returns the live sessions of the same user (issuer and sub): this one
// first, then those last used, at most 100. An *Unavailable means that the store
// can't be asked. Sessions whose record is damaged are left out.
func (s *Session) Devices(ctx context.Context) ([]Device, error) {
	found, err := s.m.sessionsOf(ctx, s.who.Issuer, s.who.Subject)
	if err != nil {
		return nil, &Unavailable{Err: fmt.Errorf("devices: %w", err)}
	}
	var out []Device
	for _, k := range found {
		h, err := s.m.liveHead(ctx, k)
		switch {
		case errors.Is(err, ErrNotFound):
			continue
		case err != nil:
			return nil, &Unavailable{Err: fmt.Errorf("devices: %w", err)}
		}
		out = append(out, Device{
			ID: k.deviceID(), Current: k == s.key, Provider: h.Provider,
			UserAgent: h.Origin.agent.String(), Network: h.Origin.network, Started: h.Started, Seen: h.Seen,
		})
	}
	slices.SortFunc(out, func(a, b Device) int {
		switch {
		case a.Current:
			return -1
		case b.Current:
			return 1
		}
		return cmp.Or(b.Seen.Compare(a.Seen), cmp.Compare(a.ID, b.ID))
	})
	return out[:min(len(out), mostDevices)], nil
}

// ErrCurrent means that a session was asked to end itself as another device's.
var ErrCurrent = errors.New("session: is the current one")

// EndDevice ends another session of the same user. ErrNotFound means that the user
// has no such session, ErrCurrent that it is this one, an *Unavailable that the store
// refused. What becomes of its tokens is as with Manager.EndByKey.
func (s *Session) EndDevice(ctx context.Context, id string) error {
	if id == s.key.deviceID() {
		return ErrCurrent
	}
	found, err := s.m.sessionsOf(ctx, s.who.Issuer, s.who.Subject)
	if err != nil {
		return &Unavailable{Err: fmt.Errorf("end device: %w", err)}
	}
	for _, k := range found {
		if k.deviceID() == id {
			return s.m.EndByKey(ctx, k, ReasonDevice)
		}
	}
	return ErrNotFound
}

// EndOthers ends all other sessions of the same user and returns how many were live.
// After an *Unavailable some may be over and others not.
func (s *Session) EndOthers(ctx context.Context) (int, error) {
	found, err := s.m.sessionsOf(ctx, s.who.Issuer, s.who.Subject)
	if err != nil {
		return 0, &Unavailable{Err: fmt.Errorf("end others: %w", err)}
	}
	n := 0
	for _, k := range found {
		if k == s.key {
			continue
		}
		_, err := s.m.liveHead(ctx, k)
		live := err == nil
		switch err := s.m.EndByKey(ctx, k, ReasonDevice); {
		case err == nil && live:
			n++
		case err != nil && !errors.Is(err, ErrNotFound):
			return n, err
		}
	}
	return n, nil
}

// deviceID names a session to its user: derived from the key, of no use to find or
// open anything but by the user's own sessions.
func (k Key) deviceID() string {
	sum := sha256.Sum256(append([]byte("cloakroom device "), k[:]...))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// errUnreadable means that a head can't be opened.
var errUnreadable = fmt.Errorf("%w: its head can't be opened", ErrNotFound)

// liveHead returns the head of a session that is in use or may be: ErrNotFound for
// one that is over, has run out, or is being replaced; of those errUnreadable is one
// that nobody can make sense of.
func (m *Manager) liveHead(ctx context.Context, k Key) (head, error) {
	h, err := m.headOf(ctx, k)
	if err != nil {
		return head{}, err
	}
	now := m.now() // the store sweeps a little late: what has run out must push nobody out
	over := !now.Before(h.Started.Add(m.limits.Absolute)) || !now.Before(h.Seen.Add(m.limits.Idle))
	if over || !h.Ends.IsZero() {
		return head{}, ErrNotFound
	}
	return h, nil
}

// headOf returns a session's head as it is now, from memory or the store.
func (m *Manager) headOf(ctx context.Context, k Key) (head, error) {
	if s, ok := m.open.Load(k); ok {
		return s.head(), nil
	}
	record, err := m.store.Load(ctx, k)
	switch {
	case err != nil:
		return head{}, err
	case !record.Live():
		return head{}, ErrNotFound
	}
	h, err := m.openHead(k, record.Head)
	if err != nil {
		return head{}, errUnreadable
	}
	return h, nil
}
