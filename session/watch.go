package session

import (
	"context"
	"slices"
)

// Watch is one party that is told when something happens to a session: one of its
// pages, behind an event stream. It holds no queue: whoever is told looks at what
// the session is like now, so that nothing is lost however slow he is. Watching is
// no activity. Its methods are safe for concurrent use.
type Watch struct {
	s       *Session
	on      *audience
	changed chan struct{}
}

// State is what a Watch sees.
type State struct {
	Info

	// Renewals grows with each new token set.
	Renewals uint64

	// Replaced means that the same user signed in again in this browser: another
	// session serves from now on, this one only what is under way.
	Replaced bool

	// Over means that the session ended, for Reason, one of Reason…; empty if nobody
	// knows. The rest is as it was then.
	Over   bool
	Reason string
}

// audience is those who watch one session, and what they see beside the session
// itself. Sessions that nobody watches have none, so that they need no memory for it.
type audience struct {
	watches  []*Watch
	renewals uint64
	reason   string
}

// Watch registers a Watch on the session, to be closed when it is not needed any
// more. The session is watched over meanwhile: it ends when its time is over though
// nobody asks. The error is ErrTooManyStreams beyond Limits.Watches, or one of Resume's.
func (s *Session) Watch() (*Watch, error) {
	s, err := s.lock(context.Background())
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if s.over.Load() {
		return nil, ErrNotFound
	}
	if s.audience == nil {
		s.audience = &audience{}
	} else if most := s.m.limits.Watches; most > 0 && len(s.audience.watches) >= most {
		return nil, ErrTooManyStreams
	}
	w := &Watch{s, s.audience, make(chan struct{}, 1)}
	s.audience.watches = append(s.audience.watches, w)
	s.m.watchExpiry(s)
	return w, nil
}

// Changed has a value when something happened since the last one was taken: once,
// whatever happened meanwhile.
func (w *Watch) Changed() <-chan struct{} { return w.changed }

// State returns what the session is like now.
func (w *Watch) State() State {
	s := w.s
	s.mu.Lock()
	defer s.mu.Unlock()
	return State{
		Info: s.Info(), Renewals: w.on.renewals, Replaced: s.ends.Load() != 0,
		Over: s.over.Load(), Reason: w.on.reason,
	}
}

// Close ends the Watch. Closing it again does nothing.
func (w *Watch) Close() {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.on.watches = slices.DeleteFunc(w.on.watches, func(other *Watch) bool { return other == w })
	if len(w.on.watches) == 0 && w.s.audience == w.on {
		w.s.audience = nil
	}
}

// tell tells those who watch that something happened. It is called with mu held.
func (s *Session) tell() {
	if s.audience == nil {
		return
	}
	for _, w := range s.audience.watches {
		select {
		case w.changed <- struct{}{}:
		default: // he has not looked since the last time
		}
	}
}

// renewed tells those who watch of a new token set.
func (s *Session) renewed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.audience != nil {
		s.audience.renewals++
	}
	s.tell()
}

// replaced tells them that another session took this one's place.
func (s *Session) replaced() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell()
}
