package session

import (
	"sync"
	"sync/atomic"
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
