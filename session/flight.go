package session

import (
	"sync"
	"time"
)

// flight is one renewal under way, shared by all who wait for it.
type flight struct {
	done chan struct{} // closed at the end
	err  error         // valid after done

	urgent chan struct{} // closed when somebody waits for it
	once   sync.Once     // closes it

	useless bool // the access token is of no use any more, though its time is not over
}

// hurry says that somebody waits for it.
func (f *flight) hurry() { f.once.Do(func() { close(f.urgent) }) }

// wanted reports whether somebody waits for it.
func (f *flight) wanted() bool {
	select {
	case <-f.urgent:
		return true
	default:
		return false
	}
}

// yield waits for d, but not while anybody waits for the renewal. It reports false
// if the Manager began to close meanwhile: then the next start will see to it.
func (f *flight) yield(d time.Duration, closing <-chan struct{}) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-f.urgent:
	case <-closing:
		return false
	}
	return true
}
