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
	n, err := s.lock(context.Background())
	if err != nil {
		// It left memory, and ended since, or nobody would hear of its end (E12).
		s.shut("")
		s.mu.Lock()
	} else {
		s = n
	}
	defer s.mu.Unlock()
	over = s.stream.wait()
	if finite {
		over = s.done.wait()
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
	if s, err = s.lock(context.Background()); err != nil {
		return nil, nil, err
	}
	defer s.mu.Unlock()
	switch {
	case s.over.Load():
		return nil, nil, ErrNotFound
	case s.m.limits.Streams > 0 && int(s.streams) >= s.m.limits.Streams:
		return nil, nil, ErrTooManyStreams
	}
	return s.stream.wait(), s.hold(&s.streams), nil
}

// lock is current, but returns the session with mu held, so that it can't leave
// memory before it is.
func (s *Session) lock(ctx context.Context) (*Session, error) {
	for {
		s, err := s.current(ctx)
		if err != nil {
			return nil, err
		}
		if s.mu.Lock(); !s.evicted.Load() {
			return s, nil
		}
		s.mu.Unlock()
	}
}

// hold adds one to count, makes upkeep watch over s, and returns the function
// that takes the one off again, once. It is called with mu held.
func (s *Session) hold(count *int32) (release func()) {
	*count++
	s.m.watchExpiry(s)
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		*count--
	})
}

// open reports whether somebody waits for what becomes of s. It is called with mu
// held.
func (s *Session) open() bool { return s.streams+s.downloads > 0 || s.audience != nil }

// watchExpiry makes upkeep end s when its time is over though nobody asks.
func (m *Manager) watchExpiry(s *Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.streaming[s] = struct{}{}
}

// watched returns the sessions with open streams, downloads or watches.
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
		if reason == "" || s.gone() {
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
	if !s.open() {
		m.mu.Lock()
		delete(m.streaming, s)
		m.mu.Unlock()
	}
	if s.over.Load() && !now.Before(s.started.Add(m.limits.Absolute)) {
		s.done.end()
	}
}

// closeDownloads ends the downloads of a session that is over.
func (s *Session) closeDownloads() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done.end()
}

// ending is what streams wait for. Most sessions have none, so the channel is
// made when somebody first waits. It is not safe for concurrent use.
type ending struct{ c chan struct{} }

// wait returns a channel that is closed at the end.
func (e *ending) wait() <-chan struct{} {
	if e.c == nil {
		e.c = make(chan struct{})
	}
	return e.c
}

// end closes the channel, if that was not done before.
func (e *ending) end() {
	if e.c == nil {
		e.c = ended
		return
	}
	select {
	case <-e.c:
	default:
		close(e.c)
	}
}

// ended is closed.
var ended = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()
