package session

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Session is a live session in memory. It is safe for concurrent use, and holds
// one session's worth of locks: no call on it waits for another session.
//
// A Session is good for one request. It may be over at any moment; its methods
// say so when it matters.
type Session struct {
	m      *Manager
	key    Key
	secret [32]byte // of the ticket

	who     Identity
	started time.Time
	origin  origin // of the sign-in

	seen    atomic.Int64 // last activity, in ms
	written atomic.Int64 // seen as last written to the store, in ms
	urgent  atomic.Bool  // the head is to be written with the next upkeep
	dirty   atomic.Bool  // seen is newer than written, and m.dirty holds the session
	ends    atomic.Int64 // a replaced session's last instant, in ms; 0 for others
	used    atomic.Int64 // last Resume, in ms: what has long been unused leaves memory

	content atomic.Pointer[version]

	// settled is the confirmed issue of the ticket while no other is under way,
	// else 0: presenting it needs no look at lineage.
	settled atomic.Int64
	issues  sync.Mutex
	lineage lineage // guarded by issues

	lastFrom atomic.Pointer[lastFrom]

	done   ending      // when the session is over, but not by idling out; guarded by mu
	stream ending      // when the session is over; guarded by mu
	over   atomic.Bool // set under mu

	// loading means that the end of the session may have been written while it was
	// read from the store: until that is known, Manager.ended has the last word.
	loading atomic.Bool

	// evicted means that the session left memory while somebody still held it:
	// another Session stands in its place. Set under mu.
	evicted atomic.Bool
	writing atomic.Int32 // writes of the head under way: it must not leave memory

	mu        sync.Mutex
	flight    *flight       // the renewal under way; guarded by mu
	unsure    *intent       // one whose write had no known end; belongs to the renewal under way
	streams   int32         // open streams; guarded by mu
	downloads int32         // watched downloads; guarded by mu
	audience  *audience     // nil: nobody watches; guarded by mu
	retryAt   time.Time     // no renewal before this; guarded by mu
	backoff   time.Duration // last pause; guarded by mu
	origins   []origin      // changes that were noted; guarded by mu
}

// version is one state of a session's content. It never changes, but for what is
// remembered of it.
type version struct {
	content
	number uint64
	found  bool // read from the store, not made by this process

	rulings atomic.Pointer[[]ruling] // on its claims, as far as they were needed
}

func (m *Manager) newSession(t Ticket, h head) *Session {
	s := &Session{
		m: m, key: t.key, secret: t.secret, who: m.shared(h.Identity), started: h.Started, origin: h.Origin,
		lineage: h.Issues,
	}
	s.seen.Store(h.Seen.UnixMilli())
	s.written.Store(h.Seen.UnixMilli())
	s.ends.Store(toMilli(h.Ends))
	s.used.Store(m.now().UnixMilli())
	s.settle()
	return s
}

// Info returns what may be told about the session.
func (s *Session) Info() Info {
	c := s.content.Load()
	absolute := s.started.Add(s.m.limits.Absolute)
	idle := s.idleEnd()
	if ends := fromMilli(s.ends.Load()); !ends.IsZero() && ends.Before(absolute) {
		absolute = ends
	}
	if absolute.Before(idle) {
		idle = absolute
	}
	return Info{
		Identity: s.who, Claims: c.Claims, Scope: c.Tokens.Scope, ACR: c.ACR, AuthTime: c.AuthTime,
		Started: s.started, Idle: idle, Absolute: absolute,
		TokenExpires: c.Tokens.Expires, Renewable: s.renewable(c),
	}
}

// Ref names the session in logs.
func (s *Session) Ref() string { return s.key.Ref() }

// Format writes the session's Ref for every verb: fmt would reach the tokens
// through the unexported fields.
func (s *Session) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.Ref()) }

// LogValue shows a session as its Ref.
func (s *Session) LogValue() slog.Value { return slog.StringValue(s.Ref()) }

// IDToken returns the last ID token.
func (s *Session) IDToken() Secret { return s.content.Load().Tokens.ID }

// Touch records that the user did something now: the session does not idle out
// for another Limits.Idle. It is written to the store later, with others.
func (s *Session) Touch() {
	now := s.m.now().UnixMilli()
	for {
		seen := s.seen.Load()
		if seen >= now {
			return
		}
		if s.seen.CompareAndSwap(seen, now) {
			break
		}
	}
	s.markDirty()
	if s.gone() {
		if successor, err := s.current(context.Background()); err == nil {
			successor.Touch()
		}
	}
}

// markDirty makes upkeep write the head.
func (s *Session) markDirty() {
	if s.dirty.CompareAndSwap(false, true) {
		s.m.mu.Lock()
		s.m.dirty[s] = struct{}{}
		s.m.mu.Unlock()
	}
}

// current returns s, or the session that took its place in memory.
func (s *Session) current(ctx context.Context) (*Session, error) {
	if !s.gone() {
		return s, nil
	}
	return s.m.find(ctx, s.ticket())
}

// gone reports whether s left memory. Whoever makes use of s or changes it so
// that it must not, and then asks, is not told false in error.
func (s *Session) gone() bool {
	if !s.evicted.Load() {
		return false
	}
	s.mu.Lock() // upkeep may think better of it: see leave
	defer s.mu.Unlock()
	return s.evicted.Load()
}

// ticket returns the ticket, of no issue.
func (s *Session) ticket() Ticket { return Ticket{secret: s.secret, key: s.key} }

// expired returns why the session is over at now, or "".
func (s *Session) expired(now time.Time) string {
	ends := fromMilli(s.ends.Load())
	switch {
	case !now.Before(s.started.Add(s.m.limits.Absolute)):
		return ReasonAbsolute
	case !now.Before(s.idleEnd()):
		return ReasonIdle
	case !ends.IsZero() && !now.Before(ends):
		return ReasonReplaced
	}
	return ""
}

func (s *Session) idleEnd() time.Time {
	return time.UnixMilli(s.seen.Load()).UTC().Add(s.m.limits.Idle)
}

// head returns the head as it is to be written now.
func (s *Session) head() head {
	h := head{
		Identity: s.who, Started: s.started, Origin: s.origin,
		Seen: fromMilli(s.seen.Load()), Ends: fromMilli(s.ends.Load()),
	}
	h.Issues = s.lastIssues()
	return h
}

// file returns the session as a new record.
func (s *Session) file() (Record, Filing, error) {
	keys := s.m.keys.Load()
	update, err := s.headUpdate(keys)
	if err != nil {
		return Record{}, Filing{}, err
	}
	v := s.content.Load()
	tokens, err := s.sealContent(v.content, v.number)
	if err != nil {
		return Record{}, Filing{}, err
	}
	filing := Filing{Subject: update.Subject, SID: update.SID, Expires: update.Expires, Until: update.Until}
	filing.SubjectOlder = keys.index("sub", s.who.Issuer, s.who.Subject)[1:]
	if s.who.SID != "" {
		filing.SIDOlder = keys.index("sid", s.who.Issuer, s.who.SID)[1:]
	}
	return Record{Head: update.Head, Tokens: tokens, Version: v.number}, filing, nil
}

func (s *Session) sealContent(c content, number uint64) ([]byte, error) {
	plain, err := c.marshal(s.who)
	if err != nil {
		return nil, err
	}
	t := s.ticket()
	return s.m.keys.Load().seal(slot{bucketTokens, s.key, number}, &t, plain)
}

// headUpdate seals the head as it is now and files it under the same key: as long
// as a key is there that opens the session, whoever ends it by its user finds it.
// The store sweeps a little later than the session really ends, so that activity
// not yet written is never overtaken.
func (s *Session) headUpdate(keys *Keyring) (HeadUpdate, error) {
	h := s.head()
	plain, err := h.marshal()
	if err != nil {
		return HeadUpdate{}, err
	}
	sealed, err := keys.seal(slot{bucketHead, s.key, 0}, nil, plain)
	if err != nil {
		return HeadUpdate{}, err
	}
	u := HeadUpdate{Key: s.key, Head: sealed, Subject: keys.keys[0].index("sub", s.who.Issuer, s.who.Subject)}
	if s.who.SID != "" {
		u.SID = keys.keys[0].index("sid", s.who.Issuer, s.who.SID)
	}
	expires := h.Seen.Add(s.m.limits.Idle + 2*s.m.granularity() + 5*time.Second)
	until := h.Started.Add(s.m.limits.Absolute + time.Second)
	if !h.Ends.IsZero() {
		until = h.Ends.Add(time.Second)
	}
	until = wholeSeconds(until)
	if expires = wholeSeconds(expires); expires.After(until) {
		expires = until
	}
	u.Expires, u.Until = expires, until
	return u, nil
}

func wholeSeconds(t time.Time) time.Time { return t.Truncate(time.Second).Add(time.Second) }

// swap makes c the session's content, in the store and then in memory. If it is
// patient the store may take its time.
func (s *Session) swap(ctx context.Context, from *version, c content, patient bool) (*version, error) {
	next := &version{content: c, number: from.number + 1}
	sealed, err := s.sealContent(c, next.number)
	if err != nil {
		return nil, err
	}
	err = s.m.store.SwapTokens(ctx, s.key, TokensUpdate{From: from.number, To: next.number, Tokens: sealed, Patient: patient})
	if err != nil {
		return nil, err
	}
	s.content.Store(next)
	return next, nil
}
