package bolt

import (
	"context"
	"sync"
	"time"
)

// pingEvery is how often, at most, Ping writes.
const pingEvery = time.Second

// probeSize is what Ping writes: more than a large session takes, with all the
// pages that change with it, so that the next one will find the space.
const probeSize = 128 << 10

var keyProbe = []byte("probe")

// health is how the last commit went.
type health struct {
	mu  sync.Mutex
	err error

	trying chan struct{} // holds a token while one caller tries a write
	tried  time.Time     // when that was last; belongs to the holder of the token
}

func (h *health) set(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = err
}

func (h *health) get() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// Ping returns nil if the last commit went well. After one that failed it tries
// a write, at most one a second however many ask, and returns its result or
// that of the last.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.enter(); err != nil {
		return wrap("ping", err)
	}
	defer s.leave()
	if s.isDead() {
		return wrap("ping", s.cause)
	}
	if s.health.get() == nil {
		return nil
	}

	select {
	case s.health.trying <- struct{}{}:
		defer func() { <-s.health.trying }()
	case <-ctx.Done():
		return ctx.Err()
	}
	err := s.health.get()
	if now := s.now(); err != nil && now.Sub(s.health.tried) >= pingEvery {
		s.health.tried = now
		err = s.change(ctx, func(t *tables) error {
			return t.put(metaTable, keyProbe, make([]byte, probeSize))
		})
	}
	return wrap("ping", err)
}
