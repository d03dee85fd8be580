package session

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Download registers an answer that takes long. The channel closes when the session
// is over, but not when that idled out and the answer is finite: such a one, whose
// end is known from its beginning, is the only thing that outlives idling out.
// release must be called when the download is done.
func (s *Session) Download(finite bool) (over <-chan struct{}, release func()) {
	n, err := s.current(context.Background())
	switch {
	case err == nil:
		s = n
	case errors.Is(err, ErrNotFound): // it left memory, and ended since
		s.shut()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	over = s.stream
	if finite {
		over = s.done
	}
	return over, s.hold(&s.downloads)
}

// Over reports whether an answer that begins now comes too late: s is over. One
// that is finite is not too late for a session that idled out.
func (s *Session) Over(finite bool) bool {
	s, err := s.current(context.Background())
	if err != nil {
		return errors.Is(err, ErrNotFound)
	}
	switch s.expired(s.m.now()) {
	case "":
		return s.over.Load()
	case ReasonIdle:
		return !finite
	}
	return true
}

// Stream registers a stream of no foreseeable end (a WebSocket, an event
// stream). The channel closes when the session is over for whatever reason,
// idling out included; release must be called when the stream is. The error is
// ErrTooManyStreams, or one of Resume's. A stream is no activity.
func (s *Session) Stream() (over <-chan struct{}, release func(), err error) {
	if s, err = s.current(context.Background()); err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over.Load():
		return nil, nil, ErrNotFound
	case s.m.limits.Streams > 0 && s.streams >= s.m.limits.Streams:
		return nil, nil, ErrTooManyStreams
	}
	return s.stream, s.hold(&s.streams), nil
}

// hold adds one to count, makes upkeep watch over s, and returns the function
// that takes the one off again, once. It is called with mu held.
func (s *Session) hold(count *int) (release func()) {
	*count++
	s.m.watchExpiry(s)
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		*count--
	})
}

// watchExpiry makes upkeep end s when its time is over though nobody asks.
func (m *Manager) watchExpiry(s *Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.streaming[s] = struct{}{}
}

// watched returns the sessions with open streams or downloads.
func (m *Manager) watched() []*Session {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.streaming))
}

// closeStreams ends the sessions with open streams or downloads whose time is
// over, and the downloads of those that idled out and have now reached their
// absolute end.
func (m *Manager) closeStreams(now time.Time) {
	var tasks errgroup.Group // a store that hangs must not keep the others' streams open
	tasks.SetLimit(deletesAtOnce)
	for _, s := range m.watched() {
		reason := s.expired(now)
		if reason == "" {
			m.closeStream(s, now)
			continue
		}
		tasks.Go(func() error {
			m.end(s, reason)
			m.closeStream(s, now)
			return nil
		})
	}
	_ = tasks.Wait()
}

// closeStream closes what an ended session still has open and must not have,
// and stops watching a session that has nothing open. Both happen under its
// lock: a stream that opens meanwhile is watched again.
func (m *Manager) closeStream(s *Session, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams+s.downloads == 0 {
		m.mu.Lock()
		delete(m.streaming, s)
		m.mu.Unlock()
	}
	if s.over.Load() && !now.Before(s.started.Add(m.limits.Absolute)) {
		s.closeDone()
	}
}

// closeDownloads ends the downloads of a session that is over.
func (s *Session) closeDownloads() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeDone()
}

// closeDone is called with mu held, once the session is over.
func (s *Session) closeDone() {
	select {
	case <-s.done:
	default:
		close(s.done)
	}
}
