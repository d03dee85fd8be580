package session

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// openSessions is the sessions in memory: a sync.Map that knows what it holds,
// and how many. It is safe for concurrent use.
type openSessions struct {
	byKey sync.Map // Key → *Session
	count atomic.Int64
}

// Len is right as soon as nobody is just changing it.
func (o *openSessions) Len() int { return int(o.count.Load()) }

// Load returns the session of k, if it is in memory. It takes no lock.
func (o *openSessions) Load(k Key) (*Session, bool) {
	v, ok := o.byKey.Load(k)
	if !ok {
		return nil, false
	}
	return v.(*Session), true
}

// Store puts s in.
func (o *openSessions) Store(k Key, s *Session) {
	if _, replaced := o.byKey.Swap(k, s); !replaced {
		o.count.Add(1)
	}
}

// LoadOrStore puts s in, unless there is one already; it returns the one that is
// there then.
func (o *openSessions) LoadOrStore(k Key, s *Session) *Session {
	v, loaded := o.byKey.LoadOrStore(k, s)
	if !loaded {
		o.count.Add(1)
	}
	return v.(*Session)
}

// CompareAndDelete takes s out, if it is still that one which is there.
func (o *openSessions) CompareAndDelete(k Key, s *Session) {
	if o.byKey.CompareAndDelete(k, s) {
		o.count.Add(-1)
	}
}

// Range calls f for each of them, but maybe not for those that come meanwhile.
func (o *openSessions) Range(f func(s *Session)) {
	o.byKey.Range(func(_, v any) bool {
		f(v.(*Session))
		return true
	})
}

const (
	memoryEvery = time.Second      // makeRoom is called
	evictEvery  = time.Minute      // what is unused is looked for
	evictAfter  = 10 * time.Minute // a session unused for so long leaves memory
	restFor     = time.Second      // and one unused for so long may be sent off
	buriedFor   = 2 * time.Minute  // an ended session is remembered
)

// InMemory returns how many sessions are in memory now.
func (m *Manager) InMemory() int { return m.open.Len() }

// watchMemory keeps memory small until ctx is done. It never waits for the store.
func (m *Manager) watchMemory(ctx context.Context) {
	tick := time.NewTicker(memoryEvery)
	defer tick.Stop()
	var evicted time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := m.now()
		if now.Sub(evicted) >= evictEvery {
			m.evict(now)
			evicted = now
		}
		m.makeRoom(now)
	}
}

// evict drops sessions from memory that nobody has used for long, and forgets
// old burials.
func (m *Manager) evict(now time.Time) {
	m.open.Range(func(s *Session) { m.leave(s, now, evictAfter) })
	m.ended.Range(func(k, v any) bool {
		if b := v.(*burial); !b.pending && now.Sub(b.at) > buriedFor {
			m.ended.CompareAndDelete(k, v)
		}
		return true
	})
}

// makeRoom drops those least recently used from memory, if it holds more sessions
// than Limits.InMemory: a sixteenth more than is needed, so that choosing them,
// which looks at all, costs little for each. Whose activity is not written yet is
// written first and leaves with a later call.
//
// No request waits for it, and none is refused because memory is full. So memory
// goes beyond the limit by what is signed in, or called for from the store, within
// the two or three seconds until it has left again, and by sessions that can't be
// missed: those with a stream, a renewal under way or one of unknown end, and, as
// long as the store takes no writes, those with activity. If more sessions than
// the limit are really in use within a second, all of them stay; of those used less
// often, each call loads its session from the store.
func (m *Manager) makeRoom(now time.Time) {
	most := m.limits.InMemory
	if most <= 0 || m.open.Len() <= most {
		return
	}
	least := most - most/16
	type candidate struct {
		*Session
		used int64 // when it was chosen: it may change while they are sorted
	}
	all := make([]candidate, 0, m.open.Len())
	m.open.Range(func(s *Session) { all = append(all, candidate{s, s.used.Load()}) })
	slices.SortFunc(all, func(a, b candidate) int { return cmp.Compare(a.used, b.used) })
	going := 0
	for _, c := range all {
		if m.open.Len()-going <= least || now.UnixMilli()-c.used < restFor.Milliseconds() {
			return
		}
		if !m.leave(c.Session, now, restFor) && c.dirty.Load() && !c.urgent.Swap(true) {
			going++ // with the next call, if the store takes it
		}
	}
}

// leave drops s from memory, unless it was used a moment ago, as unused says, or
// memory knows of it what the store does not.
func (m *Manager) leave(s *Session, now time.Time, unused time.Duration) bool {
	fresh := func() bool { return now.Sub(time.UnixMilli(s.used.Load())) < unused }
	if fresh() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// What is loaded again with an intent looks as if the process had died with it.
	pending := (s.content.Load().Intent != nil || s.unsure != nil) && s.expired(now) == ""
	if s.flight != nil || pending || s.open() || now.Before(s.retryAt) {
		return false
	}
	// Whoever finds or changes it at this moment sees that it leaves, or is seen
	// here: see gone.
	s.evicted.Store(true)
	if fresh() || s.dirty.Load() || s.writing.Load() > 0 {
		s.evicted.Store(false)
		return false
	}
	m.open.CompareAndDelete(s.key, s)
	return true
}
