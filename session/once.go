package session

import "sync"

// mostTold bounds what once remembers.
const mostTold = 1000

// once remembers of which sessions was told, so that a browser that goes on asking
// does not fill the log. With very many it forgets them all and begins anew. The
// zero value is ready, and it is safe for concurrent use.
type once struct {
	mu   sync.Mutex
	told map[Key]bool
}

// first reports whether k was not told of yet.
func (o *once) first(k Key) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.told[k] {
		return false
	}
	if o.told == nil || len(o.told) >= mostTold {
		o.told = map[Key]bool{}
	}
	o.told[k] = true
	return true
}
