package session

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"
)

// replacedFor is how long a session serves after its own user signed in again
// in the same browser: calls of other tabs may be under way.
const replacedFor = 30 * time.Second

// Ended is what the end of a session leaves to do: telling the provider.
type Ended struct {
	Identity
	IDToken Secret
}

// End ends the session that t opens and revokes its tokens. From the moment it
// returns no call on the session succeeds, whatever becomes of the store. The
// revocation is durable with it and goes on in the background. ErrNotFound means that there is no such
// session.
func (m *Manager) End(ctx context.Context, t Ticket, reason string) (Ended, error) {
	s, err := m.Resume(ctx, t)
	if err != nil {
		return Ended{}, err
	}
	ended := Ended{s.who, s.IDToken()}
	if !m.end(s, reason) {
		return Ended{}, ErrNotFound
	}
	return ended, nil
}

// A burial is what is known of a session that is over. One in Manager.ended
// never changes: another takes its place, see note.
type burial struct {
	at      time.Time
	told    bool // an event says so
	emptied bool // the tokens were dealt with, by somebody who had them at hand

	// pending means that the deletion has yet to be written, with revoke, which may
	// be nil.
	pending bool
	revoke  *Revocation
}

// note changes what is known of the end of a session, and from then on nobody
// loads it again. If change reports false nothing is changed, and so does note.
func (m *Manager) note(k Key, change func(b *burial) bool) bool {
	for {
		v, _ := m.ended.LoadOrStore(k, &burial{at: m.now()})
		b := *v.(*burial)
		if !change(&b) {
			return false
		}
		b.at = m.now()
		if m.ended.CompareAndSwap(k, v, &b) {
			return true
		}
	}
}

// end ends s: in memory at once, then in the store, then at the provider. It
// reports false if that was done already.
func (m *Manager) end(s *Session, reason string, attrs ...slog.Attr) bool {
	switch reason {
	case ReasonRefused, ReasonOwnCrash, ReasonNoRenew:
		// A refused or doubtful refresh token must not be sent again.
		return m.endWith(s, reason, m.discard, attrs...)
	}
	return m.endWith(s, reason, m.drop, attrs...)
}

// endWith is end, but says what becomes of record and tokens: see drop and discard.
func (m *Manager) endWith(s *Session, reason string, dispose func(*Session), attrs ...slog.Attr) bool {
	first, told := m.bury(s, reason)
	if !first {
		return false
	}
	if s.ends.Load() != 0 {
		// It was replaced, and said so then. Its tokens may belong to the same
		// grant as its successor's: they are dropped, not revoked.
		if reason == ReasonReplay {
			m.audit(EventEnded, s.key, s.who, append(attrs, slog.String("reason", reason))...)
		}
		m.remove(s.key, nil)
		return true
	}
	if reason == ReasonOwnCrash {
		attrs = append(attrs, slog.String("class", ClassOwnCrash))
	}
	said := reason
	if told {
		said = ReasonLate
	} else {
		m.metrics.Ended(s.who.Provider, reason)
	}
	m.audit(EventEnded, s.key, s.who, append(attrs, slog.String("reason", said))...)
	dispose(s)
	return true
}

// drop deletes a buried session and revokes its tokens.
func (m *Manager) drop(s *Session) { m.dropTokens(s.key, s.who, s.content.Load().Tokens) }

// discard deletes a buried session and tells the provider nothing.
func (m *Manager) discard(s *Session) { m.remove(s.key, nil) }

func (m *Manager) dropTokens(k Key, who Identity, t Tokens) {
	revoke := m.revocation(k, who, t)
	m.remove(k, revoke)
	if revoke != nil {
		m.attempt(*revoke)
	}
}

// bury ends s in memory: nobody finds it there any more, nobody loads it
// again, its streams close. first is true for one of those who do that: what is
// left to do is his alone, though several Sessions of one ticket may be at hand for
// a moment. told means that somebody without the tokens told of the end before.
func (m *Manager) bury(s *Session, reason string) (first, told bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over.Load() {
		return false, true
	}
	s.over.Store(true)
	first = m.note(s.key, func(b *burial) bool { // before it leaves memory: see load
		if b.emptied {
			return false
		}
		told = b.told
		b.emptied, b.told = true, true
		return true
	})
	m.open.CompareAndDelete(s.key, s)
	s.closeAll(reason)
	// s may have left memory since the caller found it, and have been loaded again:
	// what is there now ends with it, and has the newest tokens.
	if heir := m.oust(s.key, reason); heir != nil {
		s.content.Store(heir.content.Load())
	}
	return first, told
}

// oust ends in memory, and says nothing of it, what is there under a key that is
// in m.ended already: it was loaded before that. It returns nil if there is
// nothing.
func (m *Manager) oust(k Key, reason string) *Session {
	s, ok := m.open.Load(k)
	if !ok {
		return nil
	}
	m.open.CompareAndDelete(k, s)
	s.shut(reason)
	return s
}

// closeAll closes the session's streams and downloads, and tells those who watch.
// It is called with mu held, once.
func (s *Session) closeAll(reason string) {
	s.stream.end()
	if s.audience != nil {
		s.audience.reason = reason
	}
	s.tell()
	if reason != ReasonIdle || s.downloads == 0 {
		s.done.end()
	}
}

// shut makes s of no use to whoever holds it, for a reason that may not be known
// here. It reports false if that was done already.
func (s *Session) shut(reason string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over.Swap(true) {
		return false
	}
	s.closeAll(reason)
	return true
}

// forget drops s from memory because the store has it no more. Whoever took it
// from there says so.
func (m *Manager) forget(s *Session) {
	m.note(s.key, func(*burial) bool { return false }) // before it leaves memory: see load
	m.open.CompareAndDelete(s.key, s)
	s.shut("")
	m.oust(s.key, "")
}

// remove deletes a buried session from the store, and files its revocation (I2).
// If the store refuses, the session is over all the same for as long as this
// process lives, and upkeep tries again.
func (m *Manager) remove(key Key, revoke *Revocation) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	m.tryRemove(ctx, key, revoke)
}

func (m *Manager) tryRemove(ctx context.Context, key Key, revoke *Revocation) (done bool) {
	if err := m.store.Delete(ctx, key, revoke); err != nil {
		m.log.Error("an ended session can't be deleted; trying again", "session", key.Ref(), "error", err)
		m.note(key, func(b *burial) bool {
			b.pending, b.revoke = true, revoke
			return true
		})
		return false
	}
	return true
}

// replace ends the session that a browser had before it signed in again. Of the
// same user nothing is revoked, even if that session ran out in the meantime: some
// providers end all of a user's sessions with one token, the new one too.
func (m *Manager) replace(ctx context.Context, t Ticket, by Identity) {
	s, err := m.hold(ctx, t, &by)
	if err != nil {
		if !errors.Is(err, ErrNotFound) {
			m.log.Error("the session before a sign-in can't be ended", "session", t.Key().Ref(), "error", err)
		}
		return
	}
	s.writing.Add(1) // what is loaded before it is written would go on
	defer s.writing.Add(-1)
	if s.gone() {
		m.replace(ctx, t, by)
		return
	}
	expired := s.expired(m.now())
	switch {
	case !s.who.Same(by):
		m.end(s, cmp.Or(expired, ReasonReplaced))
		return
	case expired != "":
		m.endWith(s, expired, m.discard)
		return
	}
	if !s.ends.CompareAndSwap(0, m.now().Add(replacedFor).UnixMilli()) {
		return
	}
	if err := m.writeHeads(ctx, []*Session{s}); err != nil {
		// It can't be written that the session is to end: then it ends now.
		m.log.Error("a replaced session can't be marked; ending it at once", "session", s.key.Ref(), "error", err)
		m.audit(EventEnded, s.key, s.who, slog.String("reason", ReasonReplaced))
		m.end(s, ReasonReplaced)
		return
	}
	s.replaced()
	m.audit(EventEnded, s.key, s.who, slog.String("reason", ReasonReplaced))
}

// buryLate handles a ticket whose session ended while it was elsewhere: only
// now can the tokens be opened, and so revoked; see replace for what successor is.
func (m *Manager) buryLate(key Key, t Ticket, r Record, successor *Identity) {
	first := m.note(key, func(b *burial) bool {
		before := b.emptied
		b.emptied = true
		return !before
	})
	if !first {
		return
	}
	m.oust(key, ReasonLate)
	c, who, err := m.unsealContent(key, t, r)
	if err != nil {
		m.unreadable(key, Identity{}, err.Error())
		return
	}
	m.audit(EventEnded, key, who, slog.String("reason", ReasonLate))
	if successor != nil && who.Same(*successor) {
		m.remove(key, nil)
		return
	}
	m.dropTokens(key, who, c.Tokens)
}

// Discard revokes, in the background, the tokens of a sign-in that gave no
// session.
func (m *Manager) Discard(in SignIn) {
	m.revoke(Key{}, in.Identity, m.oursAll(in.Tokens, Tokens{}))
}
